"""The artifact of the builder: a text file."""

import json
from pathlib import Path
from typing import Any

from notes import wire
from notes.problems import Problem, reason, tell

BUILDER_ID = "org.example.notes"


class NotesArtifact(wire.artifact.Artifact.Server):
    """One file that was made."""

    def __init__(self, path: Path, states: dict[str, Any]) -> None:
        self.path, self.states = path, states

    async def describe_context(self, context: Any) -> None:
        info = context.results.init("info")
        info.builderId, info.id = BUILDER_ID, str(self.path)
        info.description = f"{self.path}: {self.states['size']} bytes, {self.states['digest']}"
        info.files = [str(self.path)]

    async def state_context(self, context: Any) -> None:
        name = context.params.name
        context.results.value = json.dumps(self.states[name]) if name in self.states else ""

    async def destroy_context(self, context: Any) -> None:
        outcome = context.results.init("outcome")
        try:
            self.path.unlink(missing_ok=True)
            outcome.done = None
        except OSError as problem:
            tell(outcome, "failed", [Problem(f"{self.path} is left: {reason(problem)}")])

    async def close_context(self, _context: Any) -> None:
        """The file stays."""
