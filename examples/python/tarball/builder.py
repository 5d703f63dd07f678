"""The component: `prepare` checks a configuration, and what it gives does the work once."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import capnp

from .archive import Archive, ArchiveArtifact
from .communicator import Communicator
from .config import Config, read
from .log import log
from .machine import Machine, user
from .problems import Cancelled, Failed, Problem, need, read_outcome, settle, what_failed, write_problems
from .schema import builder
from .work import Runs, in_thread, tidy, unless_stopped, watching


class TarballBuilder(builder.ImageBuilder.Server):
    def __init__(self, runs: Runs):
        self._runs = runs

    async def prepare(self, config, context, _context, **_):
        tidy()
        wanted, problems = read(config)
        if problems:
            write_problems(_context.results.init("diagnostics", len(problems)), problems)
            return
        _context.results.build = TarballBuild(
            self._runs, wanted, Path(context.workingDir), context.force, str(context.onError)
        )


class TarballBuild(builder.Build.Server):
    """A prepared build. It runs once."""

    def __init__(self, runs: Runs, wanted: Config, directory: Path, force: bool, on_error: str):
        self._runs, self._wanted, self._on_error = runs, wanted, on_error
        self._place, self._overwrite = directory / wanted.target, wanted.overwrite or force
        self._started = False

    async def run(self, ui, hook, cancellation, _context, **_):
        async def build():
            if self._started:
                raise Failed(Problem("this build has run already; prepare it again"))
            need(_context, "ui", "hook", "cancellation")
            self._started = True
            return await self._build(ui, hook, cancellation)

        outcome = _context.results.init("outcome")
        made = await settle(outcome, self._runs.do(build()))
        if made is not None:
            archive, data = made
            outcome.artifact = ArchiveArtifact(archive)
            outcome.generatedData = json.dumps(data)

    async def close(self, **_):
        pass

    async def _build(self, ui, hook, cancellation):
        """Every call is awaited: one that nobody waited for may be handled after the outcome."""
        archive = Archive(self._place)
        try:
            async with watching(cancellation) as stop:
                await self._to_target(archive.check, self._overwrite)
                data = await self._make(ui, hook, cancellation, stop, archive)
                if stop.done():
                    raise Cancelled
                await ui.message(f"The archive is {archive.digest}")
                await self._to_target(archive.publish, self._overwrite)  # last: nothing can fail after it
                return archive, data | {"ArchivePath": str(archive.place), "ArchiveDigest": archive.digest}
        except BaseException:
            await in_thread(archive.discard)
            raise

    async def _to_target(self, function, *args) -> None:
        try:
            await in_thread(function, *args)
        except OSError as problem:
            raise Failed(Problem(f"cannot write {self._place}: {problem.strerror}", "/target")) from None

    async def _make(self, ui, hook, cancellation, stop, archive: Archive) -> dict:
        """Makes a machine, has it provisioned, packs it, and takes it away."""
        machine, stays = Machine(self._wanted.environment), False
        try:
            await ui.say("Making an empty directory as the machine")
            await in_thread(machine.make)
            data = {"ID": machine.name, "ConnType": "directory", "User": user(), "MachineDirectory": str(machine.root)}
            await self._provision(ui, hook, cancellation, machine, data)
            await machine.halt()
            await ui.say(f"Packing the machine into {self._place}")
            await unless_stopped(stop, self._pack(archive, machine))
            return data
        except Failed:
            stays = machine.is_made and await self._shall_stay(ui)
            if stays:
                await ui.error(f"The machine stays, in {machine.root}")
            raise
        finally:
            await machine.close(stays)

    async def _provision(self, ui, hook, cancellation, machine: Machine, data: dict) -> None:
        """Calls the hook, once; and for cleaning up when that did not end well."""
        lent = {"ui": ui, "data": json.dumps(data), "cancellation": cancellation}
        try:
            await call(hook, "packer_provision", machine, lent)
        except (Failed, Cancelled):
            try:
                await call(hook, "packer_cleanup_provision", machine, lent)
            except (Failed, Cancelled) as also:  # the first is what the user wants to know
                log(f"cleaning up failed, too: {also}", "WARN")
            raise

    async def _pack(self, archive: Archive, machine: Machine) -> None:
        stop = threading.Event()
        await in_thread(archive.pack, machine.root, self._wanted.compression, stop, stop=stop)

    async def _shall_stay(self, ui) -> bool:
        """What `Context.onError` says of the machine of a build that failed."""
        if self._on_error != "ask":
            return self._on_error == "abort"
        try:  # refused where there is no terminal
            reply = (await ui.ask("The build failed. Type `abort` to keep the machine:", False)).reply
            return str(reply.which()) == "answer" and reply.answer.strip() == "abort"
        except capnp.KjException:
            return False


async def call(hook, event: str, machine: Machine, lent: dict) -> None:
    """Calls the hook with a communicator of its own, which is revoked when it has answered."""
    communicator = Communicator(machine)
    try:
        answer = await hook.run(event=event, communicator=communicator, **lent)
        read_outcome(answer.outcome, "provisioning failed, so nothing is packed")
    except capnp.KjException as problem:
        raise Failed(Problem(f"the host's hook failed: {what_failed(problem)}")) from None
    finally:
        await communicator.revoke()
