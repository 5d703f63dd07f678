"""The provisioner: sees to it that lines stand in a file, and does nothing where they do."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass

import capnp

from .config import prepare, schema, warning
from .log import log
from .problems import Cancelled, Failed, Problem, need, settle_done
from .remote import Remote
from .schema import provisioner
from .work import Once, Runs, in_thread, watching

MOST_BYTES = 4 << 20  # of a file; it is read as a whole
LINE = {"type": "string", "pattern": r"^[^\u0000\r\n]*$", "x-must-be": "a text of one line"}

SCHEMA = schema(
    {
        "path": {
            "type": "string",
            "pattern": r"^[^\u0000]+$",
            "x-must-be": "the path of a file",
            "description": "The file on the machine. A link is followed, and stays.",
        },
        "lines": {
            "type": "array",
            "items": LINE,
            "default": [],
            "description": "What has to stand in it. What is missing goes where the first line was removed, "
            "or to the end.",
        },
        "remove": {
            "type": "array",
            "items": LINE,
            "default": [],
            "description": "Regular expressions, as Python knows them: lines in which one is found go, "
            "unless `lines` has them.",
        },
        "mode": {
            "type": "string",
            "pattern": "^[0-7]{3,4}$",
            "x-must-be": "permissions in octal, such as 0644",
            "description": "The permissions of the file when it is written. "
            "Without it they stay, and a new file has 0644.",
        },
        "create": {"type": "boolean", "default": True, "description": "Make the file where it is missing."},
        "on_change": LINE
        | {"default": "", "description": "A command for the machine when the file was changed, such as a reload."},
        "confirm": {"type": "boolean", "default": False, "description": "Ask before a file is changed."},
    },
    required=["path"],
    examples=[
        {
            "path": "/etc/ssh/sshd_config",
            "lines": ["PermitRootLogin no"],
            "remove": [r"^#?\s*PermitRootLogin\b"],
            "on_change": "systemctl reload ssh",
        },
    ],
)
DOCUMENTATION = """\
Sees to it that lines stand in a file of the machine, and that others do not. A file that is right already is not
touched: it can be run again and again.

The file is replaced as a whole; nothing else is left on the machine. When the command that follows fails, the file
becomes what it was. It needs a POSIX shell there, with `readlink`.
"""


def offer(runs: Runs) -> dict:
    return {
        "name": "tarball-lines",
        "summary": "Sees to it that lines stand in a file of the machine",
        "documentation": DOCUMENTATION,
        "configSchema": json.dumps(SCHEMA),
        "provisioner": LinesProvisioner(runs),
    }


@dataclass(frozen=True)
class Wanted:
    path: str
    lines: list[str]
    remove: list[str]
    mode: str | None
    create: bool
    on_change: str
    confirm: bool


class LinesProvisioner(provisioner.Provisioner.Server):
    def __init__(self, runs: Runs):
        self._runs = runs

    async def prepare(self, config, _context, **_):
        prepare(_context, config, SCHEMA, "provision", lambda wanted: Provision(self._runs, Wanted(**wanted)), beyond)


def beyond(wanted: dict):
    if not wanted["lines"] and not wanted["remove"]:
        yield Problem("lines is missing, and there is nothing to remove", "/lines")
    for index, pattern in enumerate(wanted["remove"]):
        try:
            re.compile(pattern)
        except re.error as problem:
            yield Problem(f"item {index + 1} of remove is no regular expression: {problem}", f"/remove/{index}")
    for index, line in enumerate(wanted["lines"]):
        if line in wanted["lines"][:index]:
            yield warning(f"item {index + 1} of lines is there before; it will stand in the file once", "lines", index)


class Provision(provisioner.Provision.Server):
    """A prepared change of a file. It runs once."""

    def __init__(self, runs: Runs, wanted: Wanted):
        self._runs, self._wanted = runs, wanted
        self._once = Once()

    async def run(self, ui, communicator, cancellation, _context, **_):
        async def work() -> None:
            self._once.begin()
            need(_context, "ui", "communicator", "cancellation")
            async with watching(cancellation) as stop:
                await self._change(ui, Remote(communicator, ui, cancellation, stop))

        await settle_done(_context.results.init("outcome"), self._runs.do(work()))

    async def close(self, **_):
        pass

    async def _change(self, ui, remote: Remote) -> None:
        wanted = self._wanted
        path = await real_path(remote, wanted.path)
        if not path and not wanted.create:
            raise Failed(Problem(f"there is no file {wanted.path} on the machine", "/path"))
        old, mode = await self._read(remote, path)
        new = await in_thread(edited, old or b"", wanted.lines, wanted.remove)
        if new == old:
            await ui.message(f"{wanted.path} is as it should be")
            return
        if wanted.confirm:
            await self._confirm(ui, remote)
        await ui.say(f"Writing {wanted.path}")
        path = path or wanted.path
        await remote.write(path, new, int(wanted.mode, 8) if wanted.mode else mode)
        try:
            await self._after(ui, remote)
        except BaseException:
            await undo(remote.unstoppable(), path, old, mode)
            raise

    async def _after(self, ui, remote: Remote) -> None:
        if self._wanted.on_change:
            await ui.say(f"Running {self._wanted.on_change}")
            await remote.show(self._wanted.on_change)
        if remote.stop.done():
            raise Cancelled

    async def _read(self, remote: Remote, path: str) -> tuple[bytes | None, int]:
        if not path:
            return None, 0o644
        content, info = await remote.read(path, MOST_BYTES)
        return content, -1 if info.mode is None else info.mode

    async def _confirm(self, ui, remote: Remote) -> None:
        reply = (await ui.ask(f"Change {self._wanted.path}? Type `yes`:", False)).reply
        if remote.stop.done():  # which also takes the question back
            raise Cancelled
        if str(reply.which()) != "answer":
            raise Failed(Problem(f"nobody can be asked whether {self._wanted.path} may be changed", "/confirm"))
        if reply.answer.strip() != "yes":
            raise Failed(Problem(f"{self._wanted.path} may not be changed, the user says", "/confirm"))


async def real_path(remote: Remote, path: str) -> str:
    """Where the file is when all links are followed; empty if there is none."""
    quoted = shlex.quote(path)
    found = await remote.ask(f"if [ -e {quoted} ]; then readlink -f -- {quoted}; fi")
    return found.decode(errors="surrogateescape").removesuffix("\n")


async def undo(remote: Remote, path: str, old: bytes | None, mode: int) -> None:
    """Makes the file what it was: otherwise a next run would find it changed, and not run the command."""
    try:
        if old is None:
            await remote.ask(f"rm -f -- {shlex.quote(path)}")
        else:
            await remote.write(path, old, mode)
    except (Failed, Cancelled, capnp.KjException) as problem:
        log(f"{path} could not be made what it was: {problem}", "WARN")


def edited(content: bytes, wanted: list[str], remove: list[str]) -> bytes:
    """The content with all wanted lines, and without the others that match. All else stays, byte for byte."""
    text = content.decode(errors="surrogateescape")
    ending = "\r\n" if "\r\n" in text else "\n"
    old = text.split("\n")
    patterns = [re.compile(pattern) for pattern in remove]
    kept, place = [], None
    for line in old if old[-1] else old[:-1]:
        bare = line.removesuffix("\r")
        if bare not in wanted and any(pattern.search(bare) for pattern in patterns):
            place = len(kept) if place is None else place
        else:
            kept.append(line)
    there = {line.removesuffix("\r") for line in kept}
    missing = [line + ending[:-1] for line in dict.fromkeys(wanted) if line not in there]
    if not missing and place is None:
        return content
    at = len(kept) if place is None else place
    return "".join(f"{line}\n" for line in [*kept[:at], *missing, *kept[at:]]).encode(errors="surrogateescape")
