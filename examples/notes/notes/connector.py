"""The communicator `notes-directory`: commands and files on this machine, in a directory."""

from pathlib import Path
from typing import Any

from notes import wire
from notes.communicator import Machine, OwnCommunicator
from notes.configuration import Schema
from notes.prepared import Once, Place, prepare
from notes.problems import Failed, Problem, heard
from notes.runs import Runs, Stop

KIND = "notes-directory"
DOCUMENTATION = """
Commands run with `/bin/sh` in `directory`, which has to exist; without it, in a new one that the host removes. Relative
paths of files start there, too. What a command leaves in the background ends with it.
"""
CONFIG: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"directory": {"type": "string", "minLength": 1, "description": "Where commands run"}},
    "required": [],
    "additionalProperties": False,
    "examples": [{}, {"directory": "/srv/notes"}],
}


class DirectoryConnector(wire.connector.Connector.Server):
    """The component."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs

    async def prepare_context(self, context: Any) -> None:
        def connection(wanted: dict[str, Any], place: Place) -> Connection:
            given = wanted.get("directory")
            return Connection(self.runs, None if given is None else place.directory / given)

        prepare(context, CONFIG, "connection", connection)


class Connection(Once, wire.connector.Connection.Server):
    """One way to a directory."""

    def __init__(self, runs: Runs, directory: Path | None) -> None:
        super().__init__(runs)
        self._directory = directory
        self._machine: Machine | None = None

    async def open_context(self, context: Any) -> None:
        ui, environment = context.params.ui, context.params.environment

        async def work(stop: Stop) -> Machine:
            stop.check()
            directory = await self.find(environment)
            await ui.message(f"Commands run in {directory}")
            stop.check()
            machine = Machine(KIND, directory, self.runs)
            self.runs.kept.add(machine)
            return machine

        self._machine = await self.once(context, ("ui", "environment", "cancellation"), work)
        if self._machine:
            context.results.outcome.communicator = OwnCommunicator(self._machine)

    async def find(self, environment: Any) -> Path:
        """The directory: that of the configuration, or one that the host lends as long as the communicator lives."""
        if self._directory is None:
            lent = await environment.tempDir()
            if problems := heard(lent.diagnostics):
                raise Failed(Problem("the host lends no directory"), *problems)
            return Path(lent.path)
        if not self._directory.is_dir():
            raise Failed(Problem(f"{self._directory} is no directory", "/directory"))
        return self._directory

    async def close_context(self, _context: Any) -> None:
        if self._machine:
            await self._machine.close()
