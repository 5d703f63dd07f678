"""The recovery: takes away what a build has left that was killed, by the entries of the host's ledger."""

from __future__ import annotations

import json
from pathlib import Path

from .archive import digest_of
from .files import remove
from .problems import Cancelled, Failed, Problem, as_data, need, settle_done
from .schema import recovery
from .work import Runs, in_thread, watching


class TarballRecovery(recovery.Recovery.Server):
    def __init__(self, runs: Runs):
        self._runs = runs

    async def recover(self, entries, ui, cancellation, _context, **_):
        left = [(each.text, each.entry) for each in entries]  # the parameters can go before the work has ended

        async def work() -> None:
            need(_context, "ui", "cancellation")
            async with watching(cancellation) as stop:
                failures = [await self._deal_with(text, entry, ui, stop) for text, entry in left]
            if problems := [problem for each in failures for problem in each]:
                raise Failed(*problems)

        await settle_done(_context.results.init("outcome"), self._runs.do(work()))

    async def _deal_with(self, text: str, entry, ui, stop) -> tuple[Problem, ...]:
        """Settles one entry, or says why not: that is no reason to leave the others."""
        if stop.done():
            raise Cancelled
        try:
            things = read(text)
            await ui.say(f"Removing what is left of the machine {things['machine']}")
            await as_data(in_thread(take_away, things))
        except Failed as failure:
            return failure.problems
        await entry.settle()
        return ()


def read(text: str) -> dict[str, str]:
    try:
        things = json.loads(text)
        if isinstance(things, dict) and {"machine", "draft"} <= things.keys():
            return things
    except ValueError:
        pass
    raise Failed(Problem("an entry of the ledger is not one of this builder's", detail=text))


def take_away(things: dict[str, str]) -> None:
    """Any of it may be gone already, or never have been made."""
    remove(Path(things["machine"]))
    Path(things["draft"]).unlink(missing_ok=True)
    if "target" in things:  # it was killed on the last step: nobody was told of this file
        target = Path(things["target"])
        if target.is_file() and digest_of(target) == things["digest"]:
            target.unlink()
