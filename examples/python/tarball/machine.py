"""The machine: a directory, the processes in it, and what is beside it while it lives."""

from __future__ import annotations

import os
import pwd
import sys
import tempfile
from pathlib import Path

from .files import remove
from .problems import Failed, Problem
from .work import in_thread

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Machine:
    """`root` becomes the artifact; `temporary` does not. Both go with the machine."""

    def __init__(self, variables: dict[str, str]):
        self._variables = variables
        self._place: Path | None = None
        self._background: list = []

    def make(self) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="packwire-tarball-"))  # only we can enter it
        self.root.mkdir(mode=0o755)
        self.temporary.mkdir(mode=0o700)

    @property
    def is_made(self) -> bool:
        return self._place is not None

    @property
    def name(self) -> str:
        return self._place.name

    @property
    def root(self) -> Path:
        return self._place / "root"

    @property
    def temporary(self) -> Path:
        return self._place / "tmp"

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

    async def close(self, stays: bool = False) -> None:
        """Halts it, and removes the directory unless that is to stay."""
        await self.halt()
        if self._place is not None and not stays:
            await in_thread(remove, self._place)


def user() -> str:
    """The user as whom we run; empty if the system does not know its name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def system() -> str:
    return {"darwin": "macos"}.get(sys.platform, sys.platform)
