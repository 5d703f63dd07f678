"""The communicator: how provisioners reach the machine. The builder lends it, the connector opens it.

`features` says "signal" and "tree". What belongs to another feature answers
`failed` where the schema says so, and is never an exception.
"""

from __future__ import annotations

import asyncio
import tarfile
import threading

from . import command, tree
from .files import Draft, Info, NamelessDraft
from .machine import Machine, system, user
from .problems import Failed, Problem, Refused, need, settle, settle_done
from .schema import communicator, stream
from .stream import Input, NoInput, Receiver, abort, end, send_file
from .work import Runs, in_thread, unless_stopped, watching

TYPE = "tarball-directory"  # the name of the connector
DEFAULT_MODE = 0o644  # of an upload that does not say


class Communicator(communicator.Communicator.Server):
    """A way to a machine. Revoked when the call for which it was lent has answered, or when it
    is closed: then it fails every further call, and what it gave is ended."""

    def __init__(self, machine: Machine):
        self._machine, self.runs = machine, Runs()
        self._revoked = False
        self._given: list = []  # has ends, beside what runs

    async def revoke(self) -> None:
        self._revoked = True
        await self.runs.stop()
        for given in self._given:
            await given.discard()

    def check(self) -> None:
        if self._revoked:
            raise Refused("revoked: what this was lent for is over")

    def _give(self, given):
        self._given = [each for each in self._given if not each.is_over] + [given]
        return given

    async def info(self, _context, **_):
        self.check()
        info = _context.results.init("info")
        info.type = TYPE
        info.system = system()
        info.user = user()
        info.features = ["signal", "tree"]

    async def command(self, command, _context, **_):
        self.check()
        stdin = Input() if command.stdin else NoInput()
        _context.results.process = self._give(Process(self, self._machine, command.line, command.pty, stdin))
        if command.stdin:
            _context.results.stdin = stdin

    async def upload(self, path, file, _context, **_):
        self.check()
        info = Info.read(file)

        async def keep(draft: Draft) -> None:
            mode = DEFAULT_MODE if info.mode is None else info.mode & 0o7777
            await in_thread(draft.publish, mode, info.modified)

        _context.results.content = self._receive(path, keep, info.size, NamelessDraft)

    async def uploadTree(self, path, _context, **_):
        self.check()
        temporary = self._machine.temporary

        async def keep(draft: Draft) -> None:
            draft.open().flush()
            await in_thread(tree.unpack, draft.path, self._machine.path(path), temporary)

        # The archive is collected first: nothing is unpacked before all of it was checked.
        _context.results.archive = self._receive(str(temporary / "archive"), keep)

    def _receive(self, path, keep, size: int | None = None, make=Draft) -> Receiver:
        try:
            draft, failure = make(self._machine.path(path)), None
        except Failed as problem:  # told at the end of the stream, which is never null
            draft, failure = Draft(self._machine.root), problem
        return self._give(Receiver(draft, keep, self.runs, size, failure))

    async def download(self, path, content, cancellation, _context, **_):
        self.check()

        async def send() -> Info:
            need(_context, "content", "cancellation")
            async with watching(cancellation) as stop:
                return await unless_stopped(stop, send_file(self._machine.path(path), content))

        outcome = _context.results.init("outcome")
        info = await settle(outcome, self.runs.do(send()))
        if info is not None:
            info.write(_context.results.init("file"))
            outcome.done = None

    async def downloadTree(self, path, archive, cancellation, _context, **_):
        self.check()

        async def send() -> None:
            need(_context, "archive", "cancellation")
            async with watching(cancellation) as stop:
                await unless_stopped(stop, self._send_tree(path, archive))

        await settle_done(_context.results.init("outcome"), self.runs.do(send()))

    async def _send_tree(self, path: str, archive) -> None:
        draft, stop = Draft(self._machine.temporary / "archive"), threading.Event()
        try:
            await in_thread(pack_into, draft, self._machine.path(path), stop, stop=stop)
        except BaseException:
            await abort(archive)
            await in_thread(draft.discard)
            raise
        try:
            await send_file(draft.path, archive)
        finally:
            await in_thread(draft.discard)

    async def dial(self, host, port, _context, **_):
        self.check()
        _context.results.tunnel = Tunnel()
        _context.results.outgoing = Nowhere()

    async def close(self, **_):
        pass  # a borrower's call ends nothing but its own use


def pack_into(draft: Draft, directory, stop: threading.Event) -> None:
    with tarfile.open(fileobj=draft.open(), mode="w", format=tarfile.PAX_FORMAT) as archive:
        tree.pack(directory, archive, stop)
    draft.open().flush()


class Process(communicator.RemoteProcess.Server):
    """A command that is not started yet, and runs at most once."""

    def __init__(self, lent: Communicator, machine: Machine, line: str, pty: bool, stdin):
        self._lent, self._machine, self._line, self._pty, self._stdin = lent, machine, line, pty, stdin
        self.is_over = False  # it will not be started any more

    async def run(self, stdout, stderr, cancellation, _context, **_):
        self._lent.check()

        async def work():
            need(_context, "stdout", "stderr", "cancellation")
            if unable := self._unable():
                await asyncio.gather(end(stdout), end(stderr))
                raise Failed(Problem(unable))
            self.is_over = True
            return await command.run(self._machine, self._line, self._stdin, stdout, stderr, cancellation)

        exit = _context.results.init("exit")
        ended = await settle(exit, self._lent.runs.do(work()))
        if ended is not None:
            setattr(exit, *ended)

    def _unable(self) -> str:
        if self.is_over:
            return "this command has run already, or was closed"
        return "this machine has no terminals" if self._pty else ""

    async def close(self, **_):
        await self.discard()

    async def discard(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._stdin.discard()


class Tunnel(communicator.Tunnel.Server):
    """A connection from the machine, which this communicator does not make."""

    async def run(self, incoming, _context, **_):
        if _context.params._has("incoming"):
            await abort(incoming)
        await settle_done(_context.results.init("outcome"), not_offered())

    async def close(self, **_):
        pass


class Nowhere(stream.ByteStream.Server):
    """Takes what is meant for a connection that is not made."""

    async def write(self, **_):
        pass

    async def end(self, _context, **_):
        await settle_done(_context.results.init("outcome"), not_offered())

    async def abort(self, **_):
        pass


async def not_offered() -> None:
    raise Failed(Problem('this machine dials nobody: it does not have the feature "dial"'))
