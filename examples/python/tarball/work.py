"""Work that goes on while the loop answers calls: who owns it, and how it is stopped.

What belongs to pycapnp belongs to the thread of the loop. It may not even be freed in
another: the process would end without an exception. Two things see to that. Garbage
is collected on the loop's thread only (`tidy`), since a collection runs in whichever
thread happens to allocate. And an exception of another thread is raised here as a
copy, since the one that is raised holds the frames it went through.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import threading

import capnp

from .problems import Cancelled, Failed, Problem


gc.disable()


def tidy() -> None:
    """Collects garbage when there is enough of it. Called wherever work begins."""
    if gc.get_count()[0] > 10_000:
        gc.collect()


class Once:
    """What a prepared object keeps to: it runs at most once."""

    def __init__(self):
        self._begun = False

    def begin(self) -> None:
        if self._begun:
            raise Failed(Problem("this has run already; prepare it again"))
        self._begun = True


class Runs:
    """Work that is open, so that its owner can end it before the owner ends."""

    def __init__(self):
        self._open: set[asyncio.Task] = set()
        self._kept: set = set()

    async def do(self, work):
        """Awaits `work` as a task of its own: a lost link cancels the method that
        serves the call, at any await, and the work still has to clean up."""
        tidy()
        task = asyncio.create_task(work)
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        return await asyncio.shield(task)

    def keep(self, made) -> None:
        """Ends what a run has made and that goes on after it, if nobody has ended it by then."""
        self._kept.add(made)

    def release(self, made) -> None:
        self._kept.discard(made)

    async def stop(self) -> None:
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)
        for made in [*self._kept]:
            await made.end()


async def in_thread(function, *args, stop: threading.Event | None = None):
    """File work belongs off the loop, which has calls to answer.

    A thread cannot be interrupted: when the caller is cancelled, this sets `stop` and
    waits until the thread is through, so that cleaning up afterwards sees all it made.
    """
    work = asyncio.create_task(asyncio.to_thread(attempt, function, *args))
    try:
        result, problem = await asyncio.shield(work)
    except asyncio.CancelledError:
        if stop is not None:
            stop.set()
        await asyncio.wait({work})
        raise
    if problem is not None:
        raise copy.copy(problem)
    return result


def attempt(function, *args):
    try:
        return function(*args), None
    except Exception as problem:
        return None, problem


@contextlib.asynccontextmanager
async def watching(cancellation):
    """A task that is done when the host wants the work to stop."""
    watch = asyncio.create_task(asked_to_stop(cancellation))
    try:
        yield watch
    finally:
        watch.cancel()


async def asked_to_stop(cancellation) -> None:
    """Ends when the host wants the work to stop. A wait that fails means nothing."""
    try:
        await cancellation.wait()
    except capnp.KjException:
        await asyncio.Event().wait()


async def unless_stopped(watch: asyncio.Task, work):
    """Does the work, but ends it when `watch` is done: it is cancelled, and waited for."""
    working = asyncio.create_task(work)
    try:
        await asyncio.wait({watch, working}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        await asyncio.wait({working})
    if working.cancelled():
        raise Cancelled
    return working.result()
