"""What can go wrong, as data: problems, and the two ways in which work ends without success."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from capnp import KjException

MOST = 1000  # of problems in one answer, which keeps a message far below its limit
LONGEST = 500  # bytes of a summary
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, said to the one who wrote the template."""

    summary: str
    path: str = ""
    detail: str = ""
    warning: bool = False


class Failed(Exception):
    """The work could not be done."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = list(problems)


class Stopped(Exception):
    """The work was cancelled."""


def one_line(text: str) -> str:
    """The text as a summary: one line that is not too long."""
    line = CONTROLS.sub(" ", text).strip().encode(errors="replace")
    return line[:LONGEST].decode(errors="ignore")


def plain(text: str) -> str:
    """The text without what no text on the wire may hold."""
    return text.replace("\0", "?").encode(errors="replace").decode()


def tell(outcome: Any, field: str, problems: Iterable[Problem]) -> None:
    """Writes problems into a list of diagnostics of an answer."""
    kept = list(problems)[:MOST]
    for diagnostic, problem in zip(outcome.init(field, len(kept)), kept, strict=True):
        diagnostic.severity = "warning" if problem.warning else "error"
        diagnostic.summary = one_line(problem.summary)
        diagnostic.detail = plain(problem.detail)
        diagnostic.path = problem.path


def heard(diagnostics: Any, path: str = "") -> list[Problem]:
    """The diagnostics of somebody else that are no warnings, about the place `path` of this configuration."""
    return [Problem(each.summary, path, each.detail) for each in diagnostics if enumerant(each.severity) != "warning"]


def reason(problem: OSError) -> str:
    """What the operating system says, without numbers and file names."""
    return problem.strerror or type(problem).__name__


def not_cut_off(outcome: Any, what: str) -> None:
    """Raises unless an outcome of somebody else is `done`."""
    how = member(outcome)
    if how == "cancelled":
        raise Stopped
    if how == "failed":
        raise Failed(Problem(f"{what} failed"), *heard(outcome.failed))
    if how != "done":
        raise Failed(Problem(f"{what} ended in a way that this plugin does not know"))


def enumerant(value: Any) -> str:
    """The name of a member of an enumeration; of one that is unknown here, the empty text."""
    try:
        return str(value)
    except (KjException, RuntimeError):
        return ""


def member(union: Any) -> str:
    """The name of the member that is set; of one that is unknown here, the empty text."""
    try:
        return str(union.which())
    except KjException:
        return ""
