"""A machine as a provisioner sees it: commands and files, through the communicator that it was lent.

Every call is awaited, also when the work is to stop: the host's cancellation is passed on with
commands and downloads, and uploads look for it between two writes.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
from dataclasses import dataclass, replace

import capnp

from .files import Info
from .problems import Cancelled, Failed, Problem, read_outcome, read_problem, what_failed
from .schema import stream, work
from .stream import CHUNK_BYTES, abort

MOST_LINE = 64 << 10  # of a text that has no line break


@dataclass(frozen=True)
class Remote:
    """A machine, for one run."""

    machine: object
    ui: object
    cancellation: object
    stop: object  # done when the run is cancelled

    def unstoppable(self) -> Remote:
        """The same machine, to undo what the run has done until it was stopped."""
        return replace(self, cancellation=Never(), stop=asyncio.get_running_loop().create_future())

    async def run(self, line: str, stdout, stderr) -> None:
        """Runs a command; whatever is not the status 0 is raised."""
        process = (await self.machine.command({"line": line})).process
        try:
            exit = (await process.run(stdout, stderr, self.cancellation)).exit
        except capnp.KjException as problem:
            await close(process)
            raise Failed(Problem(f"the machine could not run {line!r}: {what_failed(problem)}")) from None
        await close(process)
        check_exit(exit, line)
        if self.stop.done():
            raise Cancelled

    async def ask(self, line: str) -> bytes:
        """What a command prints. What it complains about, the user sees."""
        answer = Collected(MOST_LINE)
        async with Told(self.ui) as complaints:
            await self.run(line, answer, complaints)
        return answer.take(f"what {line!r} printed")

    async def show(self, line: str) -> None:
        """Runs a command whose output is for the user."""
        async with Told(self.ui) as output, Told(self.ui) as complaints:
            await self.run(line, output, complaints)

    async def read(self, path: str, most: int) -> tuple[bytes, Info]:
        """What is in a file, and what is known of it."""
        content = Collected(most)
        answer = await self.machine.download(path, content, self.cancellation)
        read_outcome(answer.outcome, f"the file {path} of the machine cannot be read")
        if self.stop.done():
            raise Cancelled
        return content.take(f"the file {path}"), Info.read(answer.file)

    async def write(self, path: str, content: bytes, mode: int) -> None:
        """Replaces a file as a whole, or leaves it as it was."""
        into = (await self.machine.upload(path, {"size": len(content), "mode": mode})).content
        try:
            for at in range(0, len(content), CHUNK_BYTES):
                await into.write(content[at : at + CHUNK_BYTES])
                if self.stop.done():
                    raise Cancelled
        except BaseException:
            await abort(into)
            raise
        read_outcome((await into.end()).outcome, f"the file {path} of the machine cannot be written")


async def close(process) -> None:
    with contextlib.suppress(capnp.KjException):
        await process.close()


def check_exit(exit, line: str) -> None:
    how = str(exit.which())  # raises for a member that our schema does not know
    if how == "cancelled":
        raise Cancelled
    if how == "status" and exit.status == 0:
        return
    reasons = [read_problem(each) for each in exit.failed] if how == "failed" else []
    ended = {"status": "ended with status", "signal": "was ended by the signal", "lost": "was lost:"}
    told = f"{ended[how]} {getattr(exit, how)}" if how in ended else "could not be run"
    raise Failed(Problem(f"the command {line!r} {told}"), *reasons)


class Never(work.Cancellation.Server):
    """A cancellation of our own, which does not come."""

    async def wait(self, **_):
        await asyncio.Event().wait()


class Collected(stream.ByteStream.Server):
    """Keeps what comes in memory; of too much only that it was too much."""

    def __init__(self, most: int):
        self._content, self._most = bytearray(), most

    def take(self, what: str) -> bytes:
        if len(self._content) > self._most:
            raise Failed(Problem(f"{what} is larger than {self._most} bytes"))
        return bytes(self._content)

    async def write(self, bytes, **_):
        if len(self._content) <= self._most:
            self._content += bytes

    async def end(self, _context, **_):
        _context.results.init("outcome").done = None

    async def abort(self, **_):
        self._content.clear()


class Told(stream.ByteStream.Server):
    """Tells the user what comes, in whole lines. A write is answered when the Ui has taken it."""

    def __init__(self, ui):
        self._ui, self._decoder = ui, codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""
        self._failure: Exception | None = None

    async def __aenter__(self) -> Told:
        return self

    async def __aexit__(self, kind, *_) -> None:
        if self._failure is not None and kind is not Cancelled:
            raise self._failure

    async def write(self, bytes, **_):
        lines, found, rest = (self._rest + self._decoder.decode(bytes)).rpartition("\n")
        if not found and len(rest) > MOST_LINE:
            lines, rest = rest, ""
        self._rest = rest
        await self._tell(lines)

    async def end(self, _context, **_):
        await self._tell(self._rest + self._decoder.decode(b"", final=True))
        _context.results.init("outcome").done = None

    async def abort(self, **_):
        pass

    async def _tell(self, text: str) -> None:
        """A Ui that fails is the run's failure and not the command's, which goes on."""
        if text and self._failure is None:
            try:
                await self._ui.message(text)
            except capnp.KjException as problem:
                self._failure = Failed(Problem(f"a call to the host failed: {what_failed(problem)}"))
