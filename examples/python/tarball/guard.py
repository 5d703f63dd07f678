"""What ends a command where we no longer can: a shell that reads from a pipe of ours.

We end commands ourselves, and a host that outlives us ends the rest of our session. When both are
killed in one moment nobody is left: then the pipe ends, and the shell kills the group.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from subprocess import DEVNULL

# First comes the id of the group, and later a word that it is over. What a shell reads of an end is a failure.
WATCH = 'read -r group && { read -r over || kill -s KILL -- "-$group"; }'


class Guard:
    """A shell that watches one process group. It is there before the group is."""

    def __init__(self, shell: asyncio.subprocess.Process, telling: int):
        self._shell, self._telling = shell, telling
        self._watches = False

    @classmethod
    async def start(cls) -> Guard:
        reading, telling = os.pipe()  # nothing else that we start inherits them
        how = {"stdin": reading, "stdout": DEVNULL, "stderr": DEVNULL, "cwd": "/", "env": {}}
        try:
            # In a group of its own: what ends the command leaves it alone.
            shell = await asyncio.create_subprocess_exec("/bin/sh", "-c", WATCH, process_group=0, **how)
        except BaseException:
            os.close(telling)
            raise
        finally:
            os.close(reading)
        return cls(shell, telling)

    def watch(self, group: int) -> None:
        self._watches = True
        self._tell(str(group))

    async def leave(self) -> None:
        """The group is empty, or was never made. Twice is fine."""
        if self._telling is not None:
            if self._watches:
                self._tell("over")
            os.close(self._telling)
            self._telling = None
        await asyncio.shield(self._shell.wait())

    def _tell(self, word: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # somebody has killed it
            os.write(self._telling, f"{word}\n".encode())
