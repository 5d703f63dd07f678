"""The builder: `prepare` checks a configuration, and what it gives does the work once."""

from __future__ import annotations

import json
import secrets
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import capnp

from . import tree
from .archive import Archive, ArchiveArtifact
from .communicator import TYPE, Communicator
from .config import DIALECT, VARIABLES, prepare, schema
from .files import remove
from .json_text import MOST
from .log import log
from .machine import Machine, hidden, user
from .problems import Cancelled, Failed, Problem, need, read_outcome, settle, what_failed
from .recovery import TarballRecovery
from .schema import builder
from .services import Entry, progress, remember, temporary_directory
from .work import Once, Runs, in_thread, unless_stopped, watching

SCHEMA = schema(
    {
        "target": {
            "type": "string",
            "pattern": r"^[^\u0000]+\.(tar\.gz|tgz)$",
            "x-must-be": "the path of a file whose name ends in .tar.gz or .tgz",
            "description": "The .tar.gz file to make; relative to the directory that packwire was called in.",
        },
        "environment": VARIABLES | {"description": "Variables of the machine, for all commands that run on it."},
        "compression": {
            "type": "integer",
            "minimum": 0,
            "maximum": 9,
            "default": 6,
            "description": "How hard to compress: 0 not at all, 9 as small as can be.",
        },
        "modified": {
            "type": "integer",
            "minimum": 0,
            "maximum": MOST,
            "description": "The time that all of the archive has, in seconds since 1970, such as SOURCE_DATE_EPOCH. "
            "Without it each file keeps its own.",
        },
        "overwrite": {
            "type": "boolean",
            "default": False,
            "description": "Replace a file that is there already, as -force does for the whole build.",
        },
    },
    required=["target"],
    examples=[
        {"target": "image.tar.gz"},
        {"target": "image.tgz", "environment": {"STAGE": "test"}, "compression": 9, "overwrite": True},
    ],
)
OUTPUT_SCHEMA = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        "ID": {"type": "string", "description": "The name of the machine, different for each build."},
        "ConnType": {"const": TYPE},
        "User": {"type": "string", "description": "The user as whom commands run."},
        "MachineDirectory": {"type": "string", "description": "Where the machine is while it is provisioned."},
        "ArchivePath": {"type": "string", "description": "The file that was made; known after provisioning."},
        "ArchiveDigest": {"type": "string", "description": "sha256: and its digest; known after provisioning."},
        "ArchiveModified": {"type": "integer", "description": "What `modified` says, where it says anything."},
    },
    "required": ["ID", "ConnType", "User", "MachineDirectory"],
}
DOCUMENTATION = """\
Makes an empty directory, runs the provisioners in it as if it were a machine, and packs it as a `.tar.gz` file.

Commands run with `/bin/sh`. The directory is their working directory and their `HOME`; relative paths of uploads
and downloads start there. `TMPDIR` is beside it and is not packed. It is a place, not a jail: an absolute path is
this computer's, and commands have the rights of whoever runs the host.

The file appears when the provisioners are through, as a whole or not at all. With `modified` equal files, whenever they
were made, make an equal archive.
"""


def offer(runs: Runs) -> dict:
    return {
        "name": "tarball",
        "summary": "Provisions a directory as if it were a machine, and packs it as a .tar.gz file",
        "documentation": DOCUMENTATION,
        "configSchema": json.dumps(SCHEMA),
        "outputSchema": json.dumps(OUTPUT_SCHEMA),
        "recovery": TarballRecovery(runs),
        "imageBuilder": TarballBuilder(runs),
    }


@dataclass(frozen=True)
class Wanted:
    target: str
    environment: dict[str, str]
    compression: int
    modified: int | None
    overwrite: bool


@dataclass(frozen=True)
class Lent:
    """What the host lends to a run."""

    ui: object
    hook: object
    environment: object
    cancellation: object


class TarballBuilder(builder.ImageBuilder.Server):
    def __init__(self, runs: Runs):
        self._runs = runs

    async def prepare(self, config, context, _context, **_):
        if not is_known(context.onError):
            problem = Problem("the host names a value of `onError` that this plugin does not know")
            return problem.write(_context.results.init("diagnostics", 1)[0])

        def make(wanted: dict) -> TarballBuild:
            place, on_error = Path(context.workingDir), str(context.onError)
            return TarballBuild(self._runs, Wanted(**wanted), place, context.force, on_error)

        prepare(_context, config, SCHEMA, "build", make, hidden)


def is_known(enumerant) -> bool:
    """Whether the schema has it: pycapnp raises for the name of one that it does not have."""
    try:
        return bool(str(enumerant))
    except RuntimeError:
        return False


class TarballBuild(builder.Build.Server):
    """A prepared build. It runs once."""

    def __init__(self, runs: Runs, wanted: Wanted, directory: Path, force: bool, on_error: str):
        self._runs, self._wanted, self._on_error = runs, wanted, on_error
        self._target, self._overwrite = directory / wanted.target, wanted.overwrite or force
        self._once = Once()

    async def run(self, ui, hook, environment, cancellation, _context, **_):
        async def build():
            self._once.begin()
            need(_context, "ui", "hook", "environment", "cancellation")
            return await self._build(Lent(ui, hook, environment, cancellation))

        outcome = _context.results.init("outcome")
        made = await settle(outcome, self._runs.do(build()))
        if made is not None:
            archive, data = made
            outcome.artifact = ArchiveArtifact(archive)
            outcome.generatedData = json.dumps(data)

    async def close(self, **_):
        pass

    async def _build(self, lent: Lent) -> tuple[Archive, dict]:
        """Every call is awaited: one that nobody waited for may be handled after the outcome."""
        archive, place = Archive(self._target, self._wanted.modified), Place()
        await self._to_target(archive.check, self._overwrite)
        # Before anything is made, so that a recovery finds all that a crash can leave.
        entry = await remember(lent.environment, machine=str(place.path), draft=str(archive.draft))
        try:
            data = await self._make(lent, place, archive, entry)
            await entry.settle()
            return archive, data
        except BaseException:
            await in_thread(archive.discard)
            if place.is_settled:
                await entry.settle()
            raise

    async def _make(self, lent: Lent, place: Place, archive: Archive, entry: Entry) -> dict:
        """Fills the archive, and publishes it last: nothing can fail after that."""
        async with watching(lent.cancellation) as stop:
            await self._to_target(archive.begin)
            data = await self._fill(lent, stop, place, archive)
            if stop.done():
                raise Cancelled
            await lent.ui.message(f"The archive is {archive.digest}")
            await entry.add(target=str(archive.place), digest=archive.digest)
            await self._to_target(archive.publish, self._overwrite)
            return data | {"ArchivePath": str(archive.place), "ArchiveDigest": archive.digest}

    async def _to_target(self, function, *args) -> None:
        try:
            await in_thread(function, *args)
        except OSError as problem:
            raise Failed(Problem(f"cannot write {self._target}: {problem.strerror}", "/target")) from None

    async def _fill(self, lent: Lent, stop, place: Place, archive: Archive) -> dict:
        """Makes a machine, has it provisioned, packs it, and takes it away."""
        async with await temporary_directory(lent.environment) as temporary:
            machine = Machine(place.root, temporary, self._wanted.environment)
            try:
                await lent.ui.say("Making an empty directory as the machine")
                await in_thread(place.make)
                data = self._data(place)
                await self._provision(lent, machine, data)
                await machine.halt()
                await lent.ui.say(f"Packing the machine into {self._target}")
                await self._pack(lent.ui, stop, archive, machine)
                return data
            except Failed:
                place.stays = place.path.exists() and await self._shall_stay(lent.ui)
                if place.stays:
                    await lent.ui.error(f"The machine stays, in {machine.root}")
                raise
            finally:
                await machine.halt()
                await in_thread(place.remove)

    def _data(self, place: Place) -> dict:
        """What provisioners are told."""
        data = {"ID": place.path.name, "ConnType": TYPE, "User": user(), "MachineDirectory": str(place.root)}
        modified = self._wanted.modified
        return data if modified is None else data | {"ArchiveModified": modified}

    async def _provision(self, lent: Lent, machine: Machine, data: dict) -> None:
        """Calls the hook, once; and for cleaning up when that did not end well."""
        try:
            await self._call(lent, "packer_provision", machine, data)
        except (Failed, Cancelled):
            try:
                await self._call(lent, "packer_cleanup_provision", machine, data)
            except (Failed, Cancelled) as also:  # the first is what the user wants to know
                log(f"cleaning up failed, too: {also}", "WARN")
            raise

    async def _call(self, lent: Lent, event: str, machine: Machine, data: dict) -> None:
        """Calls the hook with a communicator of its own, which is revoked when it has answered."""
        communicator = Communicator(machine)
        try:
            answer = await lent.hook.run(
                event=event,
                ui=lent.ui,
                communicator=communicator,
                data=json.dumps(data),
                cancellation=lent.cancellation,
            )
            read_outcome(answer.outcome, "provisioning failed, so nothing is packed")
        except capnp.KjException as problem:
            raise Failed(Problem(f"the host's hook failed: {what_failed(problem)}")) from None
        finally:
            await communicator.revoke()

    async def _pack(self, ui, stopped, archive: Archive, machine: Machine) -> None:
        stop = threading.Event()
        packing = (archive.pack, machine.root, self._wanted.compression, stop)
        total = await in_thread(tree.size, machine.root)
        async with progress(ui, "Packing", total, lambda: archive.packed):
            await unless_stopped(stopped, in_thread(*packing, stop=stop))

    async def _shall_stay(self, ui) -> bool:
        """What `Context.onError` says of the machine of a build that failed."""
        if self._on_error != "ask":
            return self._on_error == "abort"
        try:  # refused where there is no terminal
            reply = (await ui.ask("The build failed. Type `abort` to keep the machine:", False)).reply
            return str(reply.which()) == "answer" and reply.answer.strip() == "abort"
        except capnp.KjException:
            return False


class Place:
    """Where the machine is. Not in a directory of the host's, which could not stay when the
    user wants to look at a machine that failed."""

    def __init__(self):
        self.path = Path(tempfile.gettempdir()) / f"packwire-tarball-{secrets.token_hex(8)}"
        self.stays = False

    @property
    def root(self) -> Path:
        return self.path / "root"

    @property
    def is_settled(self) -> bool:
        return self.stays or not self.path.exists()

    def make(self) -> None:
        self.path.mkdir(mode=0o700)  # only we can enter it
        self.root.mkdir(mode=0o755)

    def remove(self) -> None:
        if not self.stays:
            remove(self.path)
