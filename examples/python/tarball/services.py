"""What the host does for a run: directories that it removes, the ledger of what outlives a crash, and
a display of how far the run is."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import capnp

from .problems import Failed, Problem, read_problem

TICK = 0.5  # seconds between two updates of a progress
PATIENCE = 5.0  # seconds; giving something back must not keep us from leaving


async def temporary_directory(environment) -> TemporaryDirectory:
    """A directory that the host removes: also when it, or we, have crashed meanwhile."""
    answer = await environment.tempDir()
    refuse(answer.diagnostics, "the host gave no temporary directory")
    return TemporaryDirectory(Path(answer.path), answer.lease)


class TemporaryDirectory:
    def __init__(self, path: Path, lease):
        self.path, self._lease = path, lease

    async def close(self) -> None:
        await give_back(self._lease.close())

    async def __aenter__(self) -> Path:
        return self.path

    async def __aexit__(self, *_) -> None:
        await self.close()


async def remember(environment, **things: str) -> Entry:
    """Has the host write down what we are about to make. It is on disk when this returns."""
    answer = await environment.remember(json.dumps(things))
    refuse(answer.diagnostics, "the host could not write into its ledger")
    return Entry(answer.entry, things)


class Entry:
    """What a recovery finds in the ledger, until it is settled."""

    def __init__(self, entry, things: dict[str, str]):
        self._entry, self._things = entry, things

    async def add(self, **things: str) -> None:
        self._things |= things
        answer = await self._entry.update(json.dumps(self._things))
        refuse(answer.diagnostics, "the host could not write into its ledger")

    async def settle(self) -> None:
        """The things are gone, or stay on purpose. A host that is gone recovers what is gone: nothing."""
        await give_back(self._entry.settle())


@contextlib.asynccontextmanager
async def progress(ui, label: str, total: int, done):
    """Shows how far something is, as `done` says, of `total` bytes; finished however that ends."""
    shown = (await ui.progress(label, total)).progress
    over = asyncio.get_running_loop().create_future()
    showing = asyncio.create_task(show(shown, over, lambda: min(done(), total)))
    try:
        yield
    finally:
        over.set_result(None)
        await asyncio.wait({showing})
        failure = showing.exception()
        await give_back(shown.finish())
    if failure:  # and the work has not
        raise failure


async def show(shown, over: asyncio.Future, done) -> None:
    while not over.done():
        await asyncio.wait({over}, timeout=TICK)
        await shown.update(done())


def refuse(diagnostics, what: str) -> None:
    """Raises what the host says instead of giving something."""
    problems = [read_problem(each) for each in diagnostics]
    if any(problem.severity == "error" for problem in problems):
        raise Failed(Problem(what), *problems)


async def give_back(call) -> None:
    """Awaits a call that a host, which may be gone, should hear of."""
    with contextlib.suppress(capnp.KjException, TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await call
