"""The machine: a directory, and the processes in it."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from .config import warning
from .problems import Failed, Problem

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def hidden(config: dict):
    """Warns of variables by which commands would no longer find what a machine has for them."""
    for key in (key for key in ("HOME", "TMPDIR") if key in config["environment"]):
        yield warning(f"the machine's own {key} is hidden from its commands", "environment", key)


class Machine:
    """`root` is its file system, and `temporary`, which is beside that, its TMPDIR."""

    def __init__(self, root: Path, temporary: Path, variables: dict[str, str]):
        self.root, self.temporary = root, temporary
        self._variables = variables
        self._background: list = []

    def path(self, text: str) -> Path:
        """A path of the machine; absolute ones are this computer's."""
        if not text or "\0" in text:
            raise Failed(Problem(f"{text!r} is no path"))
        return self.root / text

    def environment(self) -> dict[str, str]:
        """The variables of a command. Of the host's there is only PATH: others may hold secrets."""
        own = {"HOME": str(self.root), "TMPDIR": str(self.temporary), "PATH": os.environ.get("PATH", PATH)}
        return {"LANG": "C.UTF-8", "USER": user(), "LOGNAME": user(), **own, **self._variables}

    def keep(self, group) -> None:
        """Takes over the processes that a command has left in the background."""
        self._background.append(group)

    async def halt(self) -> None:
        """Ends what commands have left in the background."""
        while self._background:
            await self._background.pop().end()


def user() -> str:
    """The user as whom we run; empty if the system does not know its name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def system() -> str:
    return {"darwin": "macos"}.get(sys.platform, sys.platform)
