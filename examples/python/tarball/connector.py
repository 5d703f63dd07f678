"""The connector: opens a directory as a machine, for builders that bring none of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .communicator import TYPE, Communicator
from .config import VARIABLES, prepare, schema
from .machine import Machine, hidden
from .problems import Cancelled, Failed, Problem, need, settle
from .schema import connector
from .services import temporary_directory
from .work import Once, Runs, watching

SCHEMA = schema(
    {
        "directory": {
            "type": "string",
            "pattern": r"^[^\u0000]+$",
            "x-must-be": "the path of a directory",
            "description": "The directory, which must exist; relative to the one that packwire was called in.",
        },
        "environment": VARIABLES | {"description": "Variables of the machine, for all commands that run on it."},
    },
    required=["directory"],
    examples=[{"directory": "rootfs", "environment": {"STAGE": "test"}}],
)
DOCUMENTATION = """\
Opens a directory as if it were a machine, such as that of the builder `tarball`. What is done in it stays there.

Commands run with `/bin/sh`. The directory is their working directory and their `HOME`; relative paths of uploads and
downloads start there. It is a place, not a jail. What they leave running in the background is ended with the build.
"""


def offer(runs: Runs) -> dict:
    return {
        "name": TYPE,
        "summary": "Opens a directory as if it were a machine",
        "documentation": DOCUMENTATION,
        "configSchema": json.dumps(SCHEMA),
        "communicator": DirectoryConnector(runs),
    }


@dataclass(frozen=True)
class Wanted:
    directory: str
    environment: dict[str, str]


class DirectoryConnector(connector.Connector.Server):
    def __init__(self, runs: Runs):
        self._runs = runs

    async def prepare(self, config, context, _context, **_):
        def make(wanted: dict) -> Connection:
            return Connection(self._runs, Wanted(**wanted), Path(context.workingDir))

        prepare(_context, config, SCHEMA, "connection", make, hidden)


class Connection(connector.Connection.Server):
    """A prepared way to a machine. It is opened once."""

    def __init__(self, runs: Runs, wanted: Wanted, working: Path):
        self._runs, self._wanted, self._directory = runs, wanted, working / wanted.directory
        self._once = Once()
        self._opened: Opened | None = None

    async def open(self, ui, environment, cancellation, _context, **_):
        async def connect() -> Opened:
            self._once.begin()
            need(_context, "ui", "environment", "cancellation")
            async with watching(cancellation) as stop:
                await ui.say(f"Opening {self._directory} as a machine")
                if not self._directory.is_dir():
                    raise Failed(Problem(f"{self._directory} is not a directory", "/directory"))
                temporary = await temporary_directory(environment)
                if stop.done():
                    await temporary.close()
                    raise Cancelled
                # From here on the host removes it, when the communicator is closed.
                return Opened(self._runs, Machine(self._directory, temporary.path, self._wanted.environment))

        outcome = _context.results.init("outcome")
        self._opened = await settle(outcome, self._runs.do(connect()))
        if self._opened is not None:
            outcome.communicator = self._opened

    async def close(self, **_):
        if self._opened is not None:
            await self._opened.end()


class Opened(Communicator):
    """A communicator that lives until somebody closes it, or the session ends."""

    def __init__(self, runs: Runs, machine: Machine):
        super().__init__(machine)
        self._keeper, self._opened_machine = runs, machine
        runs.keep(self)

    async def close(self, **_):
        await self.end()

    async def end(self) -> None:
        self._keeper.release(self)
        await self.revoke()
        await self._opened_machine.halt()
