"""What goes wrong is data: diagnostics, and outcomes that hold them.

Inside, work raises; `settle` turns that into an outcome at the edge.
"""

from __future__ import annotations

import asyncio
import re
import traceback
from dataclasses import dataclass

import capnp

from . import NAME
from .log import log


@dataclass(frozen=True)
class Problem:
    """A diagnostic, for the person who wrote the template."""

    summary: str
    path: str = ""  # JSON Pointer into the configuration
    detail: str = ""
    severity: str = "error"

    def write(self, diagnostic) -> None:
        diagnostic.severity = self.severity
        diagnostic.summary = one_line(self.summary)
        diagnostic.detail = printable(self.detail)
        diagnostic.path = self.path


class Failed(Exception):
    """The work ends with the outcome `failed`."""

    def __init__(self, *problems: Problem):
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return self.problems[0].summary


class Cancelled(Exception):
    """The work ends with the outcome `cancelled`."""


class Refused(Exception):
    """The caller broke a rule, and its call fails. pycapnp would send a traceback along."""

    @property
    def __traceback__(self):
        return None


def write_problems(diagnostics, problems) -> None:
    for diagnostic, problem in zip(diagnostics, problems):
        problem.write(diagnostic)


def read_problem(diagnostic) -> Problem:
    """A diagnostic of somebody else; its path points into their configuration, not ours."""
    return Problem(diagnostic.summary, "", diagnostic.detail, str(diagnostic.severity))


def need(context, *names: str) -> None:
    """Refuses null capabilities. pycapnp passes one as an object that fails when it is called."""
    missing = [name for name in names if not context.params._has(name)]
    if missing:
        raise Failed(Problem(f"the host lent no {', '.join(missing)}"))


async def settle(outcome, work):
    """Does the work and says in `outcome` how it ended, unless that is for the caller to say.

    Any struct with the members `failed` and `cancelled` is an outcome here. What the
    work returns is returned; None if it did not come to its end.
    """
    try:
        return await as_data(work)
    except Failed as failure:
        write_problems(outcome.init("failed", len(failure.problems)), failure.problems)
    except Cancelled:
        outcome.cancelled = None
    return None


async def settle_done(outcome, work) -> None:
    """As `settle`, for work whose result is that it is done."""
    if await settle(outcome, finish(work)):
        outcome.done = None


async def finish(work) -> bool:
    await work
    return True


async def as_data(work):
    """Does the work; whatever goes wrong is `Failed`, or `Cancelled`."""
    try:
        return await work
    except (Failed, Cancelled):
        raise
    except asyncio.CancelledError:  # the session ends below the work
        raise Cancelled from None
    except capnp.KjException as problem:
        raise Failed(Problem(f"a call to the host failed: {what_failed(problem)}")) from None
    except OSError as problem:
        raise Failed(Problem(f"{problem.filename or 'a file'}: {problem.strerror or problem}")) from None
    except Exception:  # a bug of ours: the log gets the traceback, the user does not
        log(traceback.format_exc(), "ERROR")
        raise Failed(Problem(f"this is a bug in {NAME}, its log says more")) from None


def read_outcome(outcome, what: str) -> None:
    """Returns if somebody else's work is done, and raises how it ended otherwise."""
    how = str(outcome.which())  # raises for a member that our schema does not know
    if how == "cancelled":
        raise Cancelled
    if how != "done":
        reasons = [read_problem(each) for each in outcome.failed] if how == "failed" else []
        raise Failed(Problem(what), *reasons)


def printable(text: str) -> str:
    """What Cap'n Proto can carry: no NUL, no half of a surrogate pair."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def one_line(text: str) -> str:
    """Non-empty, without control characters, at most 500 bytes."""
    clean = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip() or "no reason given"
    return clean.encode(errors="replace")[:500].decode(errors="ignore")


def what_failed(exception: capnp.KjException) -> str:
    """Every library decorates exceptions: with prefixes and stacks, and Python's
    own with a traceback, where the last line is the one that tells."""
    lines = exception.description.strip().splitlines() or [""]
    telling = lines[-1] if "Traceback" in lines[0] else lines[0]
    return one_line(telling.replace("remote exception: ", ""))
