"""The data source: what a program prints, such as `git describe`."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL

from .command import Group, Output
from .config import DIALECT, TEXT, VARIABLES, prepare, schema, warning
from .json_text import read_value
from .problems import Cancelled, Failed, Problem, need, printable, settle
from .schema import data_source
from .work import Once, Runs, watching

MOST_BYTES = 1 << 20  # of the output; a value travels in one message, and has to fit
MOST_COMPLAINTS = 16 << 10
HIDDEN = "<sensitive>"

SCHEMA = schema(
    {
        "command": {
            "type": "array",
            "items": TEXT,
            "minItems": 1,
            "x-must-be": "a list of at least one text",
            "description": "The program and its arguments, as they are: no shell is in between.",
        },
        "directory": {
            "type": "string",
            "pattern": r"^[^\u0000]+$",
            "x-must-be": "the path of a directory",
            "description": "Where it runs; relative to the directory that packwire was called in. "
            "Without it: where the template is.",
        },
        "environment": VARIABLES | {"description": "Variables for the program, beside those of packwire."},
        "secrets": VARIABLES
        | {"writeOnly": True, "description": "The same, for values that nobody may see. What prints one fails."},
        "format": {
            "type": "string",
            "enum": ["text", "json"],
            "default": "text",
            "description": "`json`: what is printed has to be JSON, and `json` of the value is what it says.",
        },
    },
    required=["command"],
    examples=[
        {"command": ["git", "describe", "--always", "--dirty"]},
        {"command": ["vault", "kv", "list", "-format=json", "ci"], "secrets": {"VAULT_TOKEN": "s.1"}, "format": "json"},
    ],
)
OUTPUT_SCHEMA = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "All that was printed, without the line break at its end."},
        "lines": {"type": "array", "items": {"type": "string"}, "description": "The same, line by line."},
        "json": {"description": "The same, read as JSON; with the format `json` only."},
    },
    "required": ["text", "lines"],
    "additionalProperties": False,
}
DOCUMENTATION = """\
Runs a program of this computer before the builds begin, and yields what it prints.

    "data": {"version": {"type": "tarball-program", "command": ["git", "describe", "--always", "--dirty"]}}

`{{data "version" "/text"}}` is then the version. The program's input is empty. It fails when the program ends with
another status than 0, prints more than 1 MiB, or something that is not UTF-8. What it leaves running in the background
is ended.
"""


def offer(runs: Runs) -> dict:
    return {
        "name": "tarball-program",
        "summary": "Yields what a program prints, such as git describe",
        "documentation": DOCUMENTATION,
        "configSchema": json.dumps(SCHEMA),
        "outputSchema": json.dumps(OUTPUT_SCHEMA),
        "dataSource": ProgramSource(runs),
    }


@dataclass(frozen=True)
class Wanted:
    command: list[str]
    directory: str | None
    environment: dict[str, str]
    secrets: dict[str, str]
    format: str


class ProgramSource(data_source.DataSource.Server):
    def __init__(self, runs: Runs):
        self._runs = runs

    async def prepare(self, config, context, _context, **_):
        def make(wanted: dict) -> Query:
            given = wanted["directory"]
            directory = Path(context.templateDir) if given is None else Path(context.workingDir) / given
            return Query(self._runs, Wanted(**wanted), directory)

        prepare(_context, config, SCHEMA, "query", make, beyond)


def beyond(wanted: dict):
    for key in (key for key in wanted["secrets"] if key in wanted["environment"]):
        yield Problem(f"the variable {key} is given as a secret, too", f"/environment/{key}")
    program, *arguments = wanted["command"]
    if not program:
        yield Problem("the program has no name", "/command/0")
    if " " in program and not arguments:
        yield warning(f"the program is called {program!r}, with a blank: no shell takes it apart", "command", 0)


class Query(data_source.Query.Server):
    """A prepared look-up. It runs once."""

    def __init__(self, runs: Runs, wanted: Wanted, directory: Path):
        self._runs, self._wanted, self._directory = runs, wanted, directory
        self._once = Once()

    async def run(self, ui, cancellation, _context, **_):
        async def look() -> str:
            self._once.begin()
            need(_context, "ui", "cancellation")
            async with watching(cancellation) as stop:
                await ui.say(f"Running {self._hide(shlex.join(self._wanted.command))}")
                if stop.done():
                    raise Cancelled
                printed, complaints = await self._run_program(stop)
            if complaints:
                await ui.message(complaints)
            return json.dumps(self._value(printed))

        outcome = _context.results.init("outcome")
        value = await settle(outcome, self._runs.do(look()))
        if value is not None:
            outcome.value = value

    async def close(self, **_):
        pass

    async def _run_program(self, stop) -> tuple[bytes, str]:
        """What the program printed, and what it complained about."""
        over = asyncio.get_running_loop().create_future()
        outputs = Output(), Output()
        reading: list[asyncio.Task] = []
        try:
            group = await self._start(*outputs)
            reading = [
                asyncio.create_task(read_up_to(MOST_BYTES, outputs[0].chunks(over), group)),
                asyncio.create_task(read_beginning(MOST_COMPLAINTS, outputs[1].chunks(over))),
            ]
            try:
                stopped = await group.live(stop)
            finally:
                await group.end()  # what is in the background, too
                over.set_result(None)
            printed, complaints = [await each for each in reading]
        finally:
            await asyncio.gather(*reading, return_exceptions=True)
            for output in outputs:
                output.close()
        if stopped:
            raise Cancelled
        told = self._hide(complaints.decode(errors="replace")).strip()
        self._check(printed, group, told)
        return printed, told

    async def _start(self, stdout: Output, stderr: Output) -> Group:
        wanted, variables = self._wanted, {**os.environ, **self._wanted.environment, **self._wanted.secrets}
        how = {"cwd": self._directory, "env": variables, "stdin": DEVNULL}
        try:
            return await Group.start(wanted.command, stdout=stdout.writing, stderr=stderr.writing, **how)
        except (OSError, ValueError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else str(problem)
            raise Failed(Problem(f"{wanted.command[0]} cannot be started: {reason}", "/command/0")) from None
        finally:
            stdout.close_writing()
            stderr.close_writing()

    def _check(self, printed: bytes, group: Group, complaints: str) -> None:
        if len(printed) > MOST_BYTES:
            raise Failed(Problem(f"{self._wanted.command[0]} printed more than {MOST_BYTES} bytes"))
        how, which = group.exit()
        if (how, which) != ("status", 0):
            ended = f"with status {which}" if how == "status" else f"by the signal {which}"
            raise Failed(Problem(f"{self._wanted.command[0]} ended {ended}", "/command", complaints))

    def _value(self, printed: bytes) -> dict:
        text = self._text(printed).removesuffix("\n").removesuffix("\r")
        value = {"text": text, "lines": text.splitlines()}
        if self._wanted.format == "json":
            value["json"] = read_value(text, f"what {self._wanted.command[0]} printed")
        return value

    def _text(self, printed: bytes) -> str:
        program = self._wanted.command[0]
        try:
            text = printed.decode()
        except UnicodeDecodeError as problem:
            raise Failed(Problem(f"{program} printed something that is not UTF-8, at byte {problem.start}")) from None
        if printable(text) != text:
            raise Failed(Problem(f"{program} printed NUL, which no text can hold"))
        if self._hide(text) != text:
            raise Failed(Problem(f"{program} printed one of its secrets", "/secrets"))
        return text

    def _hide(self, text: str) -> str:
        for secret in filter(None, self._wanted.secrets.values()):
            text = text.replace(secret, HIDDEN)
        return text


async def read_up_to(most: int, chunks, group: Group) -> bytes:
    """What comes; a program that prints more, perhaps for ever, is ended."""
    content = b""
    async for chunk in chunks:
        content += chunk
        if len(content) > most:
            await group.end()
            break
    return content


async def read_beginning(most: int, chunks) -> bytes:
    """What comes first; the rest is dropped."""
    content = b""
    async for chunk in chunks:
        content = (content + chunk)[:most]
    return content
