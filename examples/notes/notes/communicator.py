"""A communicator to a directory of this machine."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from notes import wire
from notes.files import PIECE, Draft, opened
from notes.problems import Failed, Problem, Stopped, reason, tell
from notes.processes import Input, Sink, execute, signal_name
from notes.runs import Runs, Stop
from notes.streams import Sender
from notes.threads import aside
from notes.trees import pack, unpack

UNKNOWN_TIME = -(2**63)
CLOSED = "the machine is closed"


class Machine:
    """A directory in which commands run. It is closed when nothing may happen there any longer."""

    def __init__(self, kind: str, directory: Path, runs: Runs) -> None:
        self.kind, self.directory, self.runs = kind, directory, runs
        self._running: dict[asyncio.Event, Stop] = {}
        self._receiving: set[Receiver] = set()
        self.closed = False

    def path(self, name: str) -> Path:
        """A place on the machine: relative names start at its directory."""
        return self.directory / name

    async def execute(self, line: str, stdout: Sink, stderr: Sink, stop: Stop, stdin: Input | None = None) -> int:
        """Runs a command, and hears when the machine is closed meanwhile."""
        self.check()
        over = asyncio.Event()
        self._running[over] = stop
        try:
            return await execute(line, self.directory, stdout, stderr, stop, stdin)
        finally:
            del self._running[over]
            over.set()

    def check(self) -> None:
        """Raises where the machine is closed."""
        if self.closed:
            raise Failed(Problem(CLOSED))

    def receive(self, receiver: "Receiver") -> "Receiver":
        """Keeps what is being uploaded, to discard it when the machine is closed."""
        self._receiving.add(receiver)
        return receiver

    def received(self, receiver: "Receiver") -> None:
        self._receiving.discard(receiver)

    async def close(self) -> None:
        """Ends the commands that run here, and discards what is half uploaded."""
        self.closed = True
        for stop in self._running.values():
            stop.set()
        for over in list(self._running):
            await over.wait()
        for receiver in list(self._receiving):
            await receiver.discard()
        self.runs.kept.discard(self)


class Receiver(wire.stream.ByteStream.Server):
    """A stream that is given as a result: what comes is stored, and put in its place at the end."""

    def __init__(
        self, machine: Machine, write: Callable[[bytes], Any], finish: Callable[[], None], drop: Callable[[], None]
    ) -> None:
        self._machine, self._write, self._finish, self._drop = machine, write, finish, drop
        self._turn = asyncio.Lock()
        self._over = False
        self._problem: Failed | None = None

    async def write_context(self, context: Any) -> None:
        async with self._turn:
            if not (self._over or self._problem):
                try:
                    await aside(self._write, context.params.bytes)
                except OSError as problem:
                    self._problem = Failed(Problem(f"what comes cannot be stored: {reason(problem)}"))

    async def end_context(self, context: Any) -> None:
        outcome = context.results.init("outcome")
        async with self._turn:
            try:
                if self._over:
                    raise Failed(Problem("the stream has ended already"))
                self._over = True
                if self._problem:
                    self._drop()
                    raise self._problem
                await aside(self._finish)
                outcome.done = None
            except Failed as problem:
                tell(outcome, "failed", problem.problems)
        self._machine.received(self)

    async def abort_context(self, _context: Any) -> None:
        await self.discard()

    async def discard(self) -> None:
        """What came is worth nothing."""
        async with self._turn:
            self._over = True
            self._drop()
        self._machine.received(self)


class Refused(wire.stream.ByteStream.Server):
    """A stream of which the end says why nothing could come of it."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def write_context(self, _context: Any) -> None:
        pass

    async def end_context(self, context: Any) -> None:
        tell(context.results.init("outcome"), "failed", [Problem(self._why)])

    async def abort_context(self, _context: Any) -> None:
        pass


class StandardInput(wire.stream.ByteStream.Server):
    """The input of a command, as a stream."""

    def __init__(self, content: Input) -> None:
        self._input = content

    async def write_context(self, context: Any) -> None:
        await self._input.write(context.params.bytes)

    async def end_context(self, context: Any) -> None:
        await self._input.end()
        context.results.init("outcome").done = None

    async def abort_context(self, _context: Any) -> None:
        self._input.close()


class Process(wire.communicator.RemoteProcess.Server):
    """One command."""

    def __init__(self, machine: Machine, line: str, pty: bool, stdin: Input | None) -> None:
        self._machine, self._line, self._pty, self._stdin = machine, line, pty, stdin
        self._ran = False

    async def run_context(self, context: Any) -> None:
        params, again, self._ran = context.params, self._ran, True
        result = context.results.init("exit")
        try:
            if again:
                raise Failed(Problem("this command has run already"))
            if not all(params._has(name) for name in ("stdout", "stderr", "cancellation")):
                raise Failed(Problem("a command needs streams for its output, and a cancellation"))
            outputs = Sender(params.stdout), Sender(params.stderr)
            status = await self._machine.runs.conduct(params.cancellation, lambda stop: self._work(*outputs, stop))
            if status >= 0:
                result.status = status
            else:
                result.signal = signal_name(status)
        except Failed as problem:
            tell(result, "failed", problem.problems)
        except Stopped:
            result.cancelled = None

    async def _work(self, stdout: Sender, stderr: Sender, stop: Stop) -> int:
        """Runs it; whatever happens, both outputs are ended before this returns."""
        try:
            if self._pty:
                raise Failed(Problem("this communicator has no feature `pty`"))
            status = await self._machine.execute(self._line, stdout.write, stderr.write, stop, self._stdin)
        finally:
            ends = await asyncio.gather(stdout.end(), stderr.end(), return_exceptions=True)
        for problem in ends:
            if problem is not None:
                raise problem
        return status

    async def close_context(self, _context: Any) -> None:
        if self._stdin:
            self._stdin.close()


class Tunnel(wire.communicator.Tunnel.Server):
    """What `dial` answers here: there is no network between host and machine."""

    WHY = "this communicator has no feature `dial`"

    async def run_context(self, context: Any) -> None:
        outcome = context.results.init("outcome")
        if context.params._has("incoming"):
            await Sender(context.params.incoming).abort()
        tell(outcome, "failed", [Problem(self.WHY)])

    async def close_context(self, _context: Any) -> None:
        pass


class DirectoryCommunicator(wire.communicator.Communicator.Server):
    """The way to a machine. A borrower that closes it ends nothing: its lender ends it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    async def info_context(self, context: Any) -> None:
        info = context.results.init("info")
        info.type, info.system = self.machine.kind, "linux"
        info.features = ["tree", "signal"]

    async def command_context(self, context: Any) -> None:
        command = context.params.command
        stdin = Input() if command.stdin else None
        context.results.process = Process(self.machine, command.line, command.pty, stdin)
        if stdin:
            context.results.stdin = StandardInput(stdin)

    async def upload_context(self, context: Any) -> None:
        if self.machine.closed:
            context.results.content = Refused(CLOSED)
            return
        path, file = self.machine.path(context.params.path), context.params.file
        modified = None if file.modified == UNKNOWN_TIME else file.modified
        draft = Draft(path, file.size, file.mode, modified)
        context.results.content = self.machine.receive(Receiver(self.machine, draft.write, draft.finish, draft.discard))

    async def download_context(self, context: Any) -> None:
        async def work(stop: Stop) -> os.stat_result:
            self.machine.check()
            return await download(path, sender, stop)

        path = self.machine.path(context.params.path)
        sender = Sender(context.params.content)
        status = await self._giving(context, "content", sender, work)
        if status is not None:
            file = context.results.init("file")
            file.size, file.mode, file.modified = status.st_size, status.st_mode & 0o7777, int(status.st_mtime)

    async def uploadTree_context(self, context: Any) -> None:
        if self.machine.closed:
            context.results.archive = Refused(CLOSED)
            return
        path = self.machine.path(context.params.path)
        try:
            archive = tempfile.TemporaryFile()  # noqa: SIM115  # its end is that of the stream
        except OSError as problem:
            context.results.archive = Refused(f"what comes cannot be stored: {reason(problem)}")
            return

        def finish() -> None:
            with archive:
                unpack(archive, path)

        context.results.archive = self.machine.receive(Receiver(self.machine, archive.write, finish, archive.close))

    async def downloadTree_context(self, context: Any) -> None:
        async def work(stop: Stop) -> bool:
            self.machine.check()
            with tempfile.TemporaryFile() as archive:
                await aside(pack, path, archive)
                archive.seek(0)
                await copy(archive.read, sender, stop)
            return True

        path = self.machine.path(context.params.path)
        sender = Sender(context.params.archive)
        await self._giving(context, "archive", sender, work)

    async def _giving(self, context: Any, field: str, sender: Sender, work: Callable[[Stop], Awaitable[Any]]) -> Any:
        """Has work done that writes into a stream: what it came to, or None after the stream was aborted."""
        outcome = context.results.init("outcome")
        try:
            if not (context.params._has(field) and context.params._has("cancellation")):
                raise Failed(Problem("a download needs a stream and a cancellation"))
            result = await self.machine.runs.conduct(
                context.params.cancellation, lambda stop: ended(work(stop), sender)
            )
            outcome.done = None
            return result
        except Failed as problem:
            tell(outcome, "failed", problem.problems)
        except Stopped:
            outcome.cancelled = None
        return None

    async def dial_context(self, context: Any) -> None:
        context.results.tunnel = Tunnel()
        context.results.outgoing = Refused(Tunnel.WHY)

    async def close_context(self, _context: Any) -> None:
        pass


class OwnCommunicator(DirectoryCommunicator):
    """A communicator of which the host is the only user: it closes the machine."""

    async def close_context(self, _context: Any) -> None:
        await self.machine.close()


async def ended(work: Awaitable[Any], sender: Sender) -> Any:
    """What work came to that wrote into a stream, which is ended or aborted."""
    try:
        result = await work
        await sender.end()
        return result
    except Exception:
        await sender.abort()
        raise


async def download(path: Path, sender: Sender, stop: Stop) -> os.stat_result:
    """Writes a file into a stream."""
    try:
        number, status = await aside(opened, path)
        with open(number, "rb", buffering=0) as file:
            await copy(file.read, sender, stop)
        return status
    except (OSError, ValueError) as problem:
        said = reason(problem) if isinstance(problem, OSError) else str(problem)
        raise Failed(Problem(f"{path} cannot be read: {said}")) from problem


async def copy(read: Callable[[int], bytes], sender: Sender, stop: Stop) -> None:
    """Writes all that can be read into a stream."""
    while content := await aside(read, PIECE):
        stop.check()
        await sender.write(content)
        if sender.failed:
            return
