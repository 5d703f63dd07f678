"""Bytes in both directions.

Flow control needs nothing of the library here: as a sender we wait for the answer of
each write, which is always right; as a receiver we answer when the bytes have found
their place.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from pathlib import Path

import capnp

from .files import Draft, Info, open_regular
from .problems import Failed, Problem, Refused, as_data, read_outcome, settle_done, what_failed
from .schema import stream
from .work import in_thread

CHUNK_BYTES = 256 << 10  # the most that one write may carry


# As a sender.


async def write(to, content: bytes) -> Problem | None:
    try:
        await to.write(content)
    except capnp.KjException as problem:
        return Problem(f"its output could not be delivered: {what_failed(problem)}")
    return None


async def end(to) -> Problem | None:
    """Says that all was written; the answer is the one verdict on the whole stream."""
    what = "its output could not be delivered"
    try:
        read_outcome((await to.end()).outcome, what)
    except Failed as failure:
        return Problem(what, detail="\n".join(each.summary for each in failure.problems[1:]))
    except capnp.KjException as problem:
        return Problem(f"{what}: {what_failed(problem)}")
    except Exception:  # cancelled, or something that our schema does not know
        return Problem(f"{what}: its receiver gave up")
    return None


async def abort(to) -> None:
    """Says that what was written is worth nothing. Whoever is gone need not hear it."""
    with contextlib.suppress(capnp.KjException):
        await to.abort()


async def send_file(path: Path, to) -> Info:
    """Sends a file and ends the stream, or aborts it: then it raises why."""
    try:
        file = await in_thread(open_regular, path)
        with file:
            status, size = os.fstat(file.fileno()), 0
            while content := await in_thread(file.read, CHUNK_BYTES):
                await to.write(content)
                size += len(content)
    except BaseException:
        await abort(to)
        raise
    read_outcome((await to.end()).outcome, f"{path} was sent, but did not arrive")
    return Info(size, Info.of(status).mode, Info.of(status).modified)


# As a receiver. Calls may arrive before the last one was answered: a lock, which is
# fair, keeps them in order.


class Receiver(stream.ByteStream.Server):
    """Collects what comes in a draft. What becomes of it at the end, `keep` decides."""

    def __init__(self, draft: Draft, keep, runs, size: int | None, failure: Exception | None):
        self._draft, self._keep, self._runs, self._size = draft, keep, runs, size
        self._turn = asyncio.Lock()
        self._failure = failure  # told in the verdict, and not to each write
        self.is_over = False

    async def write(self, bytes, **_):
        async with self._turn:
            self._check()
            if self._failure is None:
                try:
                    await as_data(self._take(bytes))
                except Exception as failure:
                    self._failure = failure

    async def end(self, _context, **_):
        async with self._turn:
            self._check()
            self.is_over = True
            await settle_done(_context.results.init("outcome"), self._runs.do(self._finish()))

    async def abort(self, **_):
        await self.discard()

    async def discard(self) -> None:
        async with self._turn:
            self.is_over = True
            await in_thread(self._draft.discard)

    def _check(self) -> None:
        if self.is_over:
            raise Refused("the stream has ended")

    async def _take(self, content: bytes) -> None:
        await in_thread(self._draft.write, content)
        if self._size is not None and self._draft.size > self._size:
            raise Failed(Problem(f"{self._draft.place}: more than the {self._size} bytes came that were announced"))

    async def _finish(self) -> None:
        try:
            if self._failure is not None:
                raise self._failure
            if self._size is not None and self._draft.size < self._size:
                raise Failed(Problem(f"{self._draft.place}: {self._draft.size} of {self._size} bytes came"))
            await self._keep(self._draft)
        finally:
            await in_thread(self._draft.discard)


class Input(stream.ByteStream.Server):
    """The standard input of a command. What comes before the command runs waits; what
    comes after it stopped reading is answered and dropped."""

    def __init__(self):
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._turn = asyncio.Lock()
        self._over = asyncio.get_running_loop().create_future()

    @contextlib.contextmanager
    def lend(self):
        """The end from which the command reads. When that has closed it, nobody reads."""
        try:
            yield self._reading
        finally:
            self._close_reading()

    async def write(self, bytes, **_):
        async with self._turn:
            left = memoryview(bytes)
            while left and not self._over.done():
                try:
                    left = left[os.write(self._writing, left) :]
                except BlockingIOError:
                    await self._writable()
                except BrokenPipeError:
                    self.drop()

    async def end(self, _context, **_):
        async with self._turn:
            self.drop()  # whatever is in the pipe can still be read
            _context.results.init("outcome").done = None

    async def abort(self, **_):
        self.drop()

    def drop(self) -> None:
        """Nothing more is written, and a write that waits is answered."""
        if not self._over.done():
            self._over.set_result(None)
            os.close(self._writing)

    def discard(self) -> None:
        """The command will not run."""
        self.drop()
        self._close_reading()

    def _close_reading(self) -> None:
        if self._reading is not None:
            os.close(self._reading)
            self._reading = None

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        writing = os.dup(self._writing)  # its own: the other may be closed meanwhile
        loop.add_writer(writing, lambda: ready.done() or ready.set_result(None))
        try:
            await asyncio.wait({ready, self._over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_writer(writing)
            os.close(writing)


class NoInput:
    """The empty standard input of a command that did not ask for one."""

    @contextlib.contextmanager
    def lend(self):
        yield subprocess.DEVNULL

    def drop(self) -> None:
        pass

    def discard(self) -> None:
        pass
