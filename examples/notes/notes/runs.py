"""Work that is open: how it hears that it is to stop, and how a session ends all of it.

Work runs in tasks of its own, because the RPC library cancels the task of a call when the link is lost, and what was
made has to be removed then all the same. Nothing here is ever cut off: who is to stop is told so, passes it on to what
it waits for, and cleans up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from capnp import KjException, TwoPartyClient

from notes import wire
from notes.problems import Failed, Problem, Stopped, reason
from notes.threads import tidy

T = TypeVar("T")
PATIENCE = 5.0  # seconds that work has for ending by itself, before the link is closed under it


class Stop(wire.work.Cancellation.Server):
    """Tells work to stop, and what it lends this to as well. Once the work is over, waiting fails."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._over = False
        self.wanted = False

    def set(self) -> None:
        """The work is to stop."""
        self.wanted = self.wanted or not self._over
        self._changed.set()

    def revoke(self) -> None:
        """The work is over."""
        self._over = True
        self._changed.set()

    def check(self) -> None:
        """Raises where the work is to stop."""
        if self.wanted:
            raise Stopped

    async def changed(self) -> None:
        """Returns when the work is to stop, or is over."""
        await self._changed.wait()

    async def wait_context(self, _context: Any) -> None:
        await self.changed()
        if self._over:
            raise ValueError("revoked: the work that this was lent for has ended")


class Closable(Protocol):
    """What stays open when the work that opened it has answered, and has to be closed with the session."""

    async def close(self) -> None: ...


class Runs:
    """All work that is open in a session, and what stays open behind it."""

    def __init__(self) -> None:
        self._open: dict[asyncio.Task[Any], Stop] = {}
        self._listening: set[asyncio.Task[None]] = set()
        self._ending = False
        self.kept: set[Closable] = set()

    async def conduct(self, cancellation: Any, work: Callable[[Stop], Awaitable[T]]) -> T:
        """Has work done, to which a host lent a cancellation; what goes wrong is raised as `Failed` or `Stopped`."""
        tidy()
        stop = Stop()
        if self._ending:
            stop.set()
        task = asyncio.create_task(self._done(stop, work))
        self._open[task] = stop
        task.add_done_callback(self._forget)
        listening = asyncio.create_task(listen(cancellation, stop))
        self._listening.add(listening)
        listening.add_done_callback(self._listening.discard)
        return await asyncio.shield(task)

    async def _done(self, stop: Stop, work: Callable[[Stop], Awaitable[T]]) -> T:
        try:
            return await work(stop)
        except KjException as problem:
            if stop.wanted:
                raise Stopped from problem
            raise Failed(Problem("a call that the work needs has failed", detail=first_line(problem))) from problem
        except OSError as problem:  # where nothing better is known to say
            where = f"{problem.filename}: " if problem.filename else ""
            raise Failed(Problem(f"{where}{reason(problem)}")) from problem
        finally:
            stop.revoke()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        """Takes the exception, too: after a lost link nobody else asks for it."""
        del self._open[task]
        if not task.cancelled():
            task.exception()

    async def end(self, client: TwoPartyClient) -> None:
        """Stops all work and waits for it. What still waits for an answer of the host loses its link."""
        self._ending = True
        for stop in self._open.values():
            stop.set()
        if self._open:
            await asyncio.wait(self._open, timeout=PATIENCE)
        if self._open:
            client.close()
            await asyncio.wait(self._open)
        for closable in list(self.kept):
            await closable.close()


async def listen(cancellation: Any, stop: Stop) -> None:
    """Hears when a host wants work to stop; that waiting failed says nothing."""
    try:
        await cancellation.wait()
    except KjException:
        return
    stop.set()


def first_line(problem: KjException) -> str:
    """What a peer said of its exception, without the traces that libraries add."""
    return (problem.description or "").strip().partition("\n")[0]
