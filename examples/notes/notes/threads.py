"""Work that would hold up the event loop, in threads beside it.

The objects of the RPC library belong to the loop's thread: one that is freed in another ends the process. Frames hold
such objects, and exceptions and garbage hold frames. So garbage is collected by the loop's thread only, and no
exception that is raised there is one that another thread still holds.
"""

import asyncio
import copy
import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
ENOUGH = 10_000  # objects

gc.disable()


def tidy() -> None:
    """Collects garbage where there is enough of it. Called wherever work begins."""
    if gc.get_count()[0] > ENOUGH:
        gc.collect()


async def aside(work: Callable[..., T], *arguments: Any) -> T:
    """What the work comes to; what it raises is raised here."""
    tidy()
    result = await asyncio.to_thread(caught, work, arguments)
    if isinstance(result, Raised):
        raise copy.copy(result.problem)
    return result


@dataclass(frozen=True)
class Raised:
    """What work has raised instead of an answer."""

    problem: Exception


def caught(work: Callable[..., T], arguments: tuple[Any, ...]) -> T | Raised:
    """What the work comes to, in its thread."""
    try:
        return work(*arguments)
    except Exception as problem:
        return Raised(problem)
