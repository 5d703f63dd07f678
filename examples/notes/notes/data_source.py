"""The data source `notes-file`: the text of a file, its size and its digest."""

import asyncio
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from notes import wire
from notes.configuration import Schema
from notes.prepared import Once, Place, prepare
from notes.problems import Failed, Problem, reason
from notes.runs import Runs, Stop
from notes.threads import aside

LARGEST = 1024 * 1024  # bytes; as JSON at most six times as many, which is less than a message may have
PAUSE = 0.2  # seconds between two looks for a file that is awaited

DOCUMENTATION = """
Its value is an object of `path`, `text`, `size` and `digest` (`sha256:…`) of the file at `path`. With `wait` the file
may come so many seconds late. What is not UTF-8, or larger than 1 MiB, is refused.
"""
CONFIG: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "The file to read"},
        "wait": {
            "type": "integer",
            "minimum": 0,
            "maximum": 86400,
            "default": 0,
            "description": "For how many seconds a missing file is awaited",
        },
    },
    "required": ["path"],
    "additionalProperties": False,
    "examples": [{"path": "notes.txt"}, {"path": "/etc/hostname", "wait": 10}],
}
OUTPUT: Schema = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "description": "The file that was read, absolute"},
        "text": {"type": "string", "description": "All that it holds"},
        "size": {"type": "integer", "minimum": 0, "description": "How many bytes that is"},
        "digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$", "description": "The SHA-256 of these bytes"},
    },
    "required": ["path", "text", "size", "digest"],
    "additionalProperties": False,
}


class NotesFile(wire.data_source.DataSource.Server):
    """The component."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs

    async def prepare_context(self, context: Any) -> None:
        def query(wanted: dict[str, Any], place: Place) -> Query:
            return Query(self.runs, place.directory / wanted["path"], int(wanted["wait"]))

        prepare(context, CONFIG, "query", query)


class Query(Once, wire.data_source.Query.Server):
    """One look at a file."""

    def __init__(self, runs: Runs, path: Path, seconds: int) -> None:
        super().__init__(runs)
        self.path, self.seconds = path, seconds

    async def run_context(self, context: Any) -> None:
        value = await self.once(context, ("cancellation",), self.look)
        if value is not None:
            context.results.outcome.value = json.dumps(value, ensure_ascii=False)

    async def look(self, stop: Stop) -> dict[str, Any]:
        """The value of this data source."""
        await self.appeared(stop)
        try:
            content = await aside(read, self.path)
        except OSError as problem:
            raise Failed(Problem(f"{self.path} cannot be read: {reason(problem)}", "/path")) from problem
        stop.check()
        if len(content) > LARGEST:
            raise Failed(Problem(f"{self.path} is larger than {LARGEST} bytes", "/path"))
        try:
            text = content.decode()
        except UnicodeDecodeError as problem:
            raise Failed(Problem(f"{self.path} is not UTF-8", "/path")) from problem
        if "\0" in text:
            raise Failed(Problem(f"{self.path} holds the character NUL, which no text may hold", "/path"))
        digest = hashlib.sha256(content).hexdigest()
        return {"path": str(self.path), "text": text, "size": len(content), "digest": f"sha256:{digest}"}

    async def appeared(self, stop: Stop) -> None:
        """Waits until the file is there, as long as the configuration says."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.seconds
        while not self.path.exists() and loop.time() < end:
            stop.check()
            await asyncio.sleep(PAUSE)
        stop.check()


def read(path: Path) -> bytes:
    """The first bytes of a regular file, at most one more than are taken. Others could keep a reader waiting."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(None, "it is no regular file")
        return file.read(LARGEST + 1)
