"""What all kinds have in common: `prepare`, and objects that run once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from notes.configuration import Members, Schema, read
from notes.problems import Failed, Problem, Stopped, enumerant, tell
from notes.runs import Runs, Stop
from notes.threads import tidy

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """What a component may know of the place where it is used."""

    directory: Path
    force: bool
    on_error: str

    @classmethod
    def of(cls, context: Any) -> "Place":
        return cls(Path(context.workingDir), context.force, enumerant(context.onError))


def prepare(context: Any, schema: Schema, field: str, make: Callable[[Members, Place], Any]) -> None:
    """Answers a call of `prepare`: all problems, or the object that `make` makes, in the field of that name."""
    tidy()
    params, results = context.params, context.results
    try:
        wanted, problems = read(params.config, schema)
    except UnicodeDecodeError:
        wanted, problems = Members([]), [Problem("the configuration is not UTF-8")]
    if problems:
        tell(results, "diagnostics", problems)
    if all(problem.warning for problem in problems):
        setattr(results, field, make(wanted, Place.of(params.context)))


class Once:
    """A prepared object, before its one run. Its subclasses are the servers of the several kinds."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self._ran = False

    async def once(self, context: Any, needed: tuple[str, ...], work: Callable[[Stop], Awaitable[T]]) -> T | None:
        """Answers a call of `run` whose capabilities are needed: what the work came to, or None after it has failed."""
        params, again, self._ran = context.params, self._ran, True
        missing = [name for name in needed if not params._has(name)]
        outcome = context.results.init("outcome")
        try:
            if again:
                raise Failed(Problem("this has run already; it has to be prepared again"))
            if missing:
                raise Failed(Problem(f"the host has lent no {', '.join(missing)}"))
            return await self.runs.conduct(params.cancellation, work)
        except Failed as problem:
            tell(outcome, "failed", problem.problems)
        except Stopped:
            outcome.cancelled = None
        return None

    async def close_context(self, _context: Any) -> None:
        """Nothing is left of it when its run has answered."""
