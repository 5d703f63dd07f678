"""The builder `notes`: makes a text file in a directory of its own, which is the machine that is provisioned."""

import hashlib
import hmac
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from capnp import KjException

from notes import wire
from notes.artifact import NotesArtifact
from notes.communicator import DirectoryCommunicator, Machine
from notes.configuration import Schema
from notes.files import beside, opened
from notes.prepared import Once, Place, prepare
from notes.problems import Failed, Problem, Stopped, heard, member, not_cut_off, reason, tell
from notes.processes import signal_name
from notes.runs import Runs, Stop
from notes.threads import aside

EXACT = 2**53 - 1  # the largest integer that travels as a number
LONGEST_LINE = 16 * 1024  # bytes of output that become one message
OWN_DIRECTORY = re.compile(r"\..{1,100}\.notes-[0-9a-f]{12}")

DOCUMENTATION = """
Writes `lines` into a new file, runs `commands` with `/bin/sh` in the directory that holds it, has it provisioned there,
and moves it to `path`. Provisioners find it under its own name, in the directory where their commands start.

The artifact has the states `size`, `digest` (`sha256:…`), `revision` and, with a `seal_key`, `seal`: the HMAC-SHA256
of the file.
"""
CONFIG: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "The file to make"},
        "lines": {"type": "array", "items": {"type": "string"}, "default": [], "description": "What it says"},
        "text": {"type": "string", "deprecated": True, "description": "`lines` says the same"},
        "commands": {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "default": [],
            "description": "Commands that work on the file before it is provisioned; each has to end with the status 0",
        },
        "revision": {
            "type": "integer",
            "minimum": -EXACT,
            "maximum": EXACT,
            "default": 0,
            "description": "A number for the generated data",
        },
        "confirm": {"type": "boolean", "default": False, "description": "Whether a person is asked first"},
        "seal_key": {"type": "string", "minLength": 1, "writeOnly": True, "description": "The key of the seal"},
    },
    "required": ["path"],
    "additionalProperties": False,
    "examples": [{"path": "notes.txt", "lines": ["first", "second"]}, {"path": "notes.txt", "revision": 2}],
}
OUTPUT: Schema = {
    "type": "object",
    "properties": {
        "ID": {"type": "string", "description": "The name of the file"},
        "ConnType": {"type": "string", "description": "The kind of communicator"},
        "Path": {"type": "string", "description": "Where the file will be"},
        "Revision": {"type": "integer", "description": "The revision of the configuration"},
        "Digest": {"type": "string", "description": "`sha256:` and the digest of the file, once it is final"},
    },
    "required": ["ID", "ConnType", "Path", "Revision"],
}


class NotesBuilder(wire.builder.ImageBuilder.Server):
    """The component."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs

    async def prepare_context(self, context: Any) -> None:
        def build(wanted: dict[str, Any], place: Place) -> Build:
            return Build(self.runs, wanted, place)

        prepare(context, CONFIG, "build", build)


class Build(Once, wire.builder.Build.Server):
    """One file to be made."""

    def __init__(self, runs: Runs, wanted: dict[str, Any], place: Place) -> None:
        super().__init__(runs)
        self.wanted, self.place = wanted, place
        self.target = place.directory / wanted["path"]

    async def run_context(self, context: Any) -> None:
        params = context.params
        ui, hook, environment = params.ui, params.hook, params.environment

        async def work(stop: Stop) -> NotesArtifact:
            return await Work(self, ui, hook, environment, stop).done()

        artifact = await self.once(context, ("ui", "hook", "environment", "cancellation"), work)
        if artifact:
            outcome = context.results.outcome
            outcome.artifact = artifact
            outcome.generatedData = json.dumps(self.data() | {"Digest": artifact.states["digest"]})

    def data(self) -> dict[str, Any]:
        """What provisioners may know of the machine."""
        return {
            "ID": self.target.name,
            "ConnType": "notes",
            "Path": str(self.target),
            "Revision": int(self.wanted["revision"]),
        }

    def text(self) -> str:
        """What the file says before it is provisioned."""
        return self.wanted.get("text", "") + "".join(f"{line}\n" for line in self.wanted["lines"])


class Work:
    """The run of a build."""

    def __init__(self, build: Build, ui: Any, hook: Any, environment: Any, stop: Stop) -> None:
        self.build, self.ui, self.hook, self.environment, self.stop = build, ui, hook, environment, stop
        self.directory = beside(build.target)
        self.draft = self.directory / build.target.name
        self.machine = Machine("notes", self.directory, build.runs)
        self.inode: tuple[int, int] | None = None  # of the file, when it is where it belongs

    async def done(self) -> NotesArtifact:
        """Makes the file; whatever happens, the machine is gone afterwards, unless the user wants it to stay."""
        self.stop.check()
        self.check_target()
        await self.ui.say(f"Making {self.build.target}, revision {int(self.build.wanted['revision'])}")
        if self.build.wanted["confirm"]:
            await self.confirm()
        self.stop.check()
        entry = await self.remember()
        try:
            await self.make()
            await self.provision()
            artifact = await self.finish(entry)
            await aside(remove, self.directory)
        except Exception as problem:
            await self.undo(entry, problem)
            raise
        await entry.settle()
        return artifact

    def check_target(self) -> None:
        """Refuses to replace what nobody allowed to replace."""
        target = self.build.target
        if os.path.lexists(target) and not self.build.place.force:
            raise Failed(Problem(f"{target} exists already", "/path", "It is replaced only where the host is forced."))
        if target.is_dir():
            raise Failed(Problem(f"{target} is a directory", "/path"))
        if not target.parent.is_dir():
            raise Failed(Problem(f"there is no directory {target.parent}", "/path"))

    async def confirm(self) -> None:
        """Asks a person."""
        reply = (await self.ui.ask(f"Make {self.build.target}? [y/N]", False)).reply
        self.stop.check()
        how = member(reply)
        if how == "refused":
            raise Failed(Problem("nobody could be asked", "/confirm", reply.refused))
        if how != "answer" or reply.answer.strip().lower() not in ("y", "yes"):
            raise Failed(Problem("the file is not wanted", "/confirm"))

    async def remember(self) -> Any:
        """Notes in the ledger what is going to be made."""
        answer = await self.environment.remember(self.entry())
        self.stop.check()
        if problems := heard(answer.diagnostics):
            raise Failed(Problem("the host could not remember what is going to be made"), *problems)
        return answer.entry

    def entry(self) -> str:
        """What the ledger says, for `NotesRecovery`."""
        return json.dumps({"directory": str(self.directory), "target": str(self.build.target), "inode": self.inode})

    async def make(self) -> None:
        """Writes the file, and runs the commands of the configuration."""
        try:
            self.directory.mkdir()
            self.draft.write_bytes(self.build.text().encode())
        except OSError as problem:
            raise Failed(Problem(f"{self.draft} cannot be made: {reason(problem)}", "/path")) from problem
        for index, line in enumerate(self.build.wanted["commands"]):
            self.stop.check()
            outputs = Lines(self.ui), Lines(self.ui)
            status = await self.machine.execute(line, outputs[0].take, outputs[1].take, self.stop)
            for output in outputs:
                await output.rest()
            if status != 0:
                ended = (
                    f"ended with status {status}" if status > 0 else f"was ended by the signal {signal_name(status)}"
                )
                raise Failed(Problem(f"`{line}` {ended}", f"/commands/{index}"))

    async def provision(self) -> None:
        """Has the host provision the machine, and clean up where that failed."""
        self.stop.check()
        try:
            answer = await self.event("packer_provision")
            not_cut_off(answer.outcome, "provisioning")
            self.stop.check()
        except (Failed, Stopped, KjException):
            await attempt(self.event("packer_cleanup_provision"))
            raise

    async def event(self, name: str) -> Any:
        """Calls the hook, with all but an environment, which a builder has none of to give."""
        return await self.hook.run(
            event=name,
            ui=self.ui,
            communicator=DirectoryCommunicator(self.machine),
            data=json.dumps(self.build.data(), ensure_ascii=False),
            cancellation=self.stop,
        )

    async def finish(self, entry: Any) -> NotesArtifact:
        """Moves the file to where it belongs, and describes it."""
        await self.machine.close()
        try:
            states = await aside(self.measure)
            answer = await entry.update(self.entry())
            if problems := heard(answer.diagnostics):
                raise Failed(Problem("the host could not remember the file"), *problems)
            self.stop.check()
            if self.build.place.force:
                os.replace(self.draft, self.build.target)
            else:
                os.link(self.draft, self.build.target)
        except OSError as problem:
            said = reason(problem)
            raise Failed(Problem(f"{self.build.target} cannot be made: {said}", "/path")) from problem
        await self.ui.message(f"{self.build.target}: {states['size']} bytes, {states['digest']}")
        self.stop.check()
        return NotesArtifact(self.build.target, states)

    def measure(self) -> dict[str, Any]:
        """What can be told of the file when it is final."""
        if self.draft.is_symlink():
            raise Failed(Problem(f"{self.draft} has become a link"))
        number, status = opened(self.draft)
        self.inode = (status.st_dev, status.st_ino)
        states: dict[str, Any] = {"size": status.st_size, "revision": int(self.build.wanted["revision"])}
        with open(number, "rb") as file:
            states["digest"] = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
            if "seal_key" in self.build.wanted:
                file.seek(0)
                key = self.build.wanted["seal_key"].encode()
                states["seal"] = hashlib.file_digest(file, lambda: hmac.new(key, digestmod="sha256")).hexdigest()
        return states

    async def undo(self, entry: Any, problem: Exception) -> None:
        """Takes the machine away, or leaves it to the user."""
        await self.machine.close()
        if await self.stays(problem):
            await attempt(self.ui.say(f"Leaving {self.directory}"))
        else:
            await aside(clear, self.directory, self.build.target, self.inode)
        await attempt(entry.settle())

    async def stays(self, problem: Exception) -> bool:
        """Whether the user wants to see what failed. What was cancelled never stays."""
        if isinstance(problem, Stopped) or self.stop.wanted:
            return False
        if self.build.place.on_error != "ask":
            return self.build.place.on_error == "abort"
        answer = await attempt(self.ui.ask(f"Keep {self.directory}? [y/N]", False))
        return answer is not None and member(answer.reply) == "answer" and answer.reply.answer.strip().lower() == "y"


class Lines:
    """The output of a command, as messages of whole lines, many at once where many come at once."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._rest = b""

    async def take(self, content: bytes) -> None:
        lines, end, self._rest = (self._rest + content).rpartition(b"\n")
        if end:
            await self._message(lines)
        if len(self._rest) > LONGEST_LINE:
            await self.rest()

    async def rest(self) -> None:
        """What is not followed by the end of a line."""
        if self._rest:
            rest, self._rest = self._rest, b""
            await self._message(rest)

    async def _message(self, lines: bytes) -> None:
        await self._ui.message(lines.decode(errors="replace").replace("\0", "\ufffd"))


class NotesRecovery(wire.recovery.Recovery.Server):
    """Removes what builds left that were ended in their midst."""

    async def recover_context(self, context: Any) -> None:
        entries = list(context.params.entries)
        outcome = context.results.init("outcome")
        problems = [problem for each in entries if (problem := await recovered(each))]
        if problems:
            tell(outcome, "failed", problems)
        else:
            outcome.done = None


async def recovered(remembered: Any) -> Problem | None:
    """Removes what an entry of the ledger speaks of, and settles it; or says why that is not possible."""
    try:
        entry = json.loads(remembered.text)
        directory, target = Path(entry["directory"]), Path(entry["target"])
        inode = entry["inode"] and tuple(entry["inode"])
    except (ValueError, TypeError, KeyError):
        return Problem("an entry of the ledger is not understood")
    if not OWN_DIRECTORY.fullmatch(directory.name):
        return Problem(f"{directory} is not a directory of this builder")
    try:
        await aside(clear, directory, target, inode)
    except Failed as problem:
        return problem.problems[0]
    await remembered.entry.settle()
    return None


def clear(directory: Path, target: Path, inode: tuple[int, int] | None) -> None:
    """Removes the directory of a machine and, where it is the one that was made there, the file."""
    try:
        status = target.lstat()
        if (status.st_dev, status.st_ino) == inode:
            target.unlink()
    except FileNotFoundError:
        pass
    except OSError as problem:
        raise Failed(Problem(f"{target} is left: {reason(problem)}")) from problem
    remove(directory)


def remove(directory: Path) -> None:
    """Removes a directory, which may be gone already."""
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        pass
    except OSError as problem:
        raise Failed(Problem(f"{directory} is left: {reason(problem)}")) from problem


async def attempt(call: Any) -> Any:
    """The answer of a call that may fail, since other work has failed already."""
    try:
        return await call
    except KjException:
        return None
