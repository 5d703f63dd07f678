"""The provisioner `notes-replace`: replaces a text in a file of the machine."""

import shlex
from typing import Any

from notes import wire
from notes.configuration import Schema
from notes.files import PIECE
from notes.prepared import Once, Place, prepare
from notes.problems import Failed, Problem, member, not_cut_off, one_line
from notes.runs import Runs, Stop
from notes.streams import Received, Sender

LARGEST = 16 * 1024 * 1024  # bytes of a file that is edited, which this holds in memory
KEPT = 4096  # bytes of what a command says that are shown where it fails
DOCUMENTATION = """
Replaces each `find` in the file at `path` by `replace`. It is an error that the file is missing, or larger than 16 MiB,
and that `find` is not in it, unless `optional` is true. The file keeps its mode.
"""
CONFIG: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "The file on the machine"},
        "find": {"type": "string", "minLength": 1, "description": "The text that is replaced"},
        "replace": {"type": "string", "default": "", "description": "What takes its place"},
        "optional": {"type": "boolean", "default": False, "description": "Whether the text may be missing"},
    },
    "required": ["path", "find"],
    "additionalProperties": False,
    "examples": [{"path": "notes.txt", "find": "draft", "replace": "final"}],
}


class NotesReplace(wire.provisioner.Provisioner.Server):
    """The component."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs

    async def prepare_context(self, context: Any) -> None:
        def provision(wanted: dict[str, Any], _place: Place) -> Provision:
            return Provision(self.runs, wanted)

        prepare(context, CONFIG, "provision", provision)


class Provision(Once, wire.provisioner.Provision.Server):
    """One edit."""

    def __init__(self, runs: Runs, wanted: dict[str, Any]) -> None:
        super().__init__(runs)
        self.path: str = wanted["path"]
        self.find: bytes = wanted["find"].encode()
        self.replace: bytes = wanted["replace"].encode()
        self.optional: bool = wanted["optional"]

    async def run_context(self, context: Any) -> None:
        ui, communicator = context.params.ui, context.params.communicator

        async def work(stop: Stop) -> bool:
            await self.edit(ui, communicator, stop)
            return True

        if await self.once(context, ("ui", "communicator", "cancellation"), work):
            context.results.outcome.done = None

    async def edit(self, ui: Any, communicator: Any, stop: Stop) -> None:
        """Fetches the file, and sends it back where that changed it."""
        await ui.say(f"Editing {self.path}")
        stop.check()
        await expect(communicator, f"test -f {shlex.quote(self.path)}", stop)
        stop.check()
        received = Received(LARGEST)
        answer = await communicator.download(self.path, received, stop)
        not_cut_off(answer.outcome, f"the download of {self.path}")
        stop.check()
        content = received.content()
        count = content.count(self.find)
        if count == 0 and not self.optional:
            raise Failed(Problem(f"the text is not in {self.path}", "/find"))
        if count:
            changed = content.replace(self.find, self.replace)
            shown = (await ui.progress(one_line(self.path), len(changed))).progress
            try:
                await upload(communicator, self.path, changed, answer.file.mode, shown, stop)
            finally:
                await shown.finish()
        await ui.message(f"{self.path}: {count} replaced")


async def expect(communicator: Any, line: str, stop: Stop) -> None:
    """Runs a command on the machine, and raises unless it ends with the status 0."""
    process = (await communicator.command({"line": line, "pty": False, "stdin": False})).process
    said = Received(KEPT), Received(KEPT)
    ended = (await process.run(*said, stop)).exit
    await process.close()
    how = member(ended)
    evidence = b"".join(each.start() for each in said).decode(errors="replace")
    if how == "status" and ended.status == 0:
        return
    if how == "cancelled":
        stop.check()
    if how == "failed":
        not_cut_off(ended, f"`{line}`")
    what = {
        "status": lambda: f"ended with status {ended.status}",
        "signal": lambda: f"was ended by the signal {ended.signal}",
        "lost": lambda: f"was lost: {ended.lost}",
        "cancelled": lambda: "was cancelled",
    }.get(how, lambda: "ended in a way that this plugin does not know")()
    raise Failed(Problem(f"`{line}` {what}", "/path", evidence))


async def upload(communicator: Any, path: str, content: bytes, mode: int, shown: Any, stop: Stop) -> None:
    """Replaces a file of the machine."""
    sender = Sender((await communicator.upload(path, {"size": len(content), "mode": mode})).content)
    try:
        for start in range(0, len(content), PIECE):
            stop.check()
            await sender.write(content[start : start + PIECE])
            await shown.update(min(start + PIECE, len(content)))
        await sender.end(f"the upload of {path}")
    except Exception:
        await sender.abort()
        raise
