"""Streams of bytes, from both sides."""

import contextlib
from typing import Any

from capnp import KjException

from notes import wire
from notes.problems import Failed, Problem, not_cut_off


class Sender:
    """Writes into a stream that was lent. After a failure it is aborted and what follows is dropped."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._over = False
        self.failed = False

    async def write(self, content: bytes) -> None:
        if self.failed:
            return
        try:
            await self._stream.write(content)
        except KjException:
            await self.abort()

    async def end(self, what: str = "the delivery of the output") -> None:
        """Ends the stream; raises unless all bytes are where they belong."""
        if self.failed:
            raise Failed(Problem(f"{what} failed"))
        self._over = True
        not_cut_off((await self._stream.end()).outcome, what)

    async def abort(self) -> None:
        """Nothing of what was written counts. After the end this does nothing."""
        if self._over:
            return
        self._over = self.failed = True
        with contextlib.suppress(KjException):  # which is as lost as the stream
            await self._stream.abort()


class Received(wire.stream.ByteStream.Server):
    """What somebody else writes: all of it, up to a limit."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._pieces: list[bytes] = []
        self._size = 0
        self._done = False

    def content(self) -> bytes:
        """All that came, or a failure."""
        if self._size > self._largest:
            raise Failed(Problem(f"the file is larger than {self._largest} bytes", "/path"))
        if not self._done:
            raise Failed(Problem("the machine has not sent the whole file", "/path"))
        return b"".join(self._pieces)

    def start(self) -> bytes:
        """The beginning of what came."""
        return b"".join(self._pieces)[: self._largest]

    async def write_context(self, context: Any) -> None:
        content = context.params.bytes
        if self._size <= self._largest:
            self._pieces.append(content)
        self._size += len(content)

    async def end_context(self, context: Any) -> None:
        self._done = True
        context.results.init("outcome").done = None

    async def abort_context(self, _context: Any) -> None:
        self._pieces.clear()
