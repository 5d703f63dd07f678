"""packer-builder-pynote: a Packwire plugin in one file of Python.

It offers one builder, `pynote`, whose artifact is a note: a JSON file that says
what was built, when, and with which labels. It needs no machine, so that what is
left is what every plugin has: launch, attach, prepare, run, cancellation, exit.
Copy it and replace `Note`, `Draft` and the schemas with your own.

Written from SPEC.md and schema/packwire alone; names in brackets, such as
[launch.bad-address], are the ids of its rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import json
import os
import re
import secrets
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import capnp

NAME, VERSION = "pynote", "0.1.0"
PROTOCOLS = (1,)  # every protocol version that this plugin speaks
LEFT, NOT_LAUNCHED, REFUSED, BROKEN = 0, 2, 3, 4  # exit statuses

# pycapnp compiles schemas when it loads them. Load each from one place only: it
# ends the whole process, without an exception, when an import cannot be found
# or when one file id is met in two places.
SCHEMA = Path(__file__).resolve().parents[2] / "schema" / "packwire"
if not (SCHEMA / "attach.capnp").is_file():
    sys.exit(f"packer-builder-pynote: no schema at {SCHEMA}")
attach = capnp.load(str(SCHEMA / "attach.capnp"))
builder = capnp.load(str(SCHEMA / "builder.capnp"))
artifact = capnp.load(str(SCHEMA / "artifact.capnp"))


def main() -> int:
    try:
        launch = Launch.take_from(os.environ)
    except NotLaunched as problem:
        log(str(problem))
        return problem.status
    return asyncio.run(capnp.run(session(launch)))


def log(text: str, level: str = "") -> None:
    """Standard error is the log; standard output is for nobody.

    Unbuffered, because a line that is left over when the host is gone would
    change the exit status. Python ignores SIGPIPE already.
    """
    line = f"[{level}] {text}\n" if level else f"{text}\n"
    with contextlib.suppress(OSError):
        os.write(2, line.encode(errors="replace"))


# Launch: three variables say where the host is and what it speaks.


class NotLaunched(Exception):
    """The plugin ends before it dials."""

    def __init__(self, text: str, status: int = NOT_LAUNCHED):
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Launch:
    address: bytes
    token: str
    protocol: int

    @classmethod
    def take_from(cls, environment) -> Launch:
        """Reads the variables and removes them, so that no child inherits them."""
        names = ("PACKER_PLUGIN_ADDRESS", "PACKER_PLUGIN_TOKEN", "PACKER_PLUGIN_PROTOCOL")
        values = [environment.pop(name, None) for name in names]
        if values == [None] * len(names):  # [launch.not-a-host]
            raise NotLaunched(
                f"packer-builder-{NAME} {VERSION} is a Packwire plugin: it does nothing by itself, "
                "a host such as packwire starts it"
            )
        # Paths are bytes, and Python decodes the environment: this is the way back.
        address, token, offer = (os.fsencode(value or "") for value in values)
        usable = (is_address(address), is_token(token), is_offer(offer))
        wrong = [name for name, ok in zip(names, usable) if not ok]
        if wrong:  # [launch.bad-address] [version.bad-offer]
            raise NotLaunched(f"unusable: {', '.join(wrong)} (missing, or not of the form that SPEC.md gives)")
        return cls(address, token.decode(), choose(offer.decode()))


def is_number(text: bytes) -> bool:
    return re.fullmatch(rb"[1-9][0-9]{0,4}", text) is not None and int(text) <= 65535


def is_address(text: bytes) -> bool:
    scheme, _, rest = text.partition(b":")
    if scheme == b"unix":
        return len(rest) > 1 and rest.startswith(b"/")
    return scheme == b"tcp" and rest.startswith(b"127.0.0.1:") and is_number(rest[len(b"127.0.0.1:") :])


def is_token(text: bytes) -> bool:
    try:
        return bool(text.decode())  # opaque: only its being text matters to us
    except UnicodeDecodeError:
        return False


def is_offer(text: bytes) -> bool:
    return all(is_number(version) for version in text.split(b","))


def choose(offer: str) -> int:
    """The highest version that both sides speak, compared as numbers. [version.newer-host]"""
    common = set(PROTOCOLS) & {int(version) for version in offer.split(",")}
    if not common:  # [version.refusal-is-final]: the host reads this line
        spoken = ",".join(map(str, sorted(PROTOCOLS)))
        raise NotLaunched(f"packwire: no common protocol version; plugin speaks {spoken}; host offers {offer}", REFUSED)
    return max(common)


# The session: one call of `attach`, unanswered for as long as the host needs us.


async def session(launch: Launch) -> int:
    loop = asyncio.get_running_loop()
    terminated = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, terminated.set)
    # A handler, not SIG_IGN: children would inherit the latter. Ctrl-C reaches a
    # plugin started by hand together with its host, which then cancels in order.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        stream = await dial(launch.address)
    except OSError as problem:  # [launch.refused-address]: a host listens first, so no second try
        log(f"cannot reach the host: {problem}", "ERROR")
        return BROKEN

    runs = Runs()
    client = capnp.TwoPartyClient(stream)  # the link lives as long as this does
    attached = asyncio.create_task(join(client.bootstrap().cast_as(attach.Host), launch, runs))
    termination = asyncio.create_task(terminated.wait())
    await asyncio.wait({attached, termination}, return_when=asyncio.FIRST_COMPLETED)

    await runs.stop()  # the link may be gone, the clean-up is not
    termination.cancel()
    if attached.done():
        return attached.result()
    attached.cancel()
    log("ended by SIGTERM", "INFO")
    return BROKEN


async def dial(address: bytes):
    scheme, _, rest = address.partition(b":")
    if scheme == b"unix":
        return await capnp.AsyncIoStream.create_unix_connection(rest)
    host, _, port = rest.decode().partition(":")
    return await capnp.AsyncIoStream.create_connection(host, int(port))


async def join(host, launch: Launch, runs: Runs) -> int:
    """Attaches, waits for the end, and says with which status to exit."""
    hello = attach.Hello.new_message(
        token=launch.token,
        protocolVersion=launch.protocol,
        name=NAME,
        version=VERSION,
        sdk=f"pycapnp {capnp.__version__}",
        components=[
            {
                "name": NAME,
                "summary": "Writes a note about the build as a JSON file",
                "documentation": DOCUMENTATION,
                "configSchema": json.dumps(CONFIG_SCHEMA),
                "outputSchema": json.dumps(OUTPUT_SCHEMA),
                "imageBuilder": NoteBuilder(runs),
            }
        ],
    )
    try:
        end = (await host.attach(hello)).end
        how = str(end.which())  # raises for a member that our schema does not know
    except capnp.KjException as problem:
        log(f"the link to the host ended: {what_failed(problem)}", "INFO")
        return BROKEN
    if how == "leave":
        return LEFT
    if how == "refused":
        log(f"the host refused this plugin: {end.refused}", "ERROR")
        return REFUSED
    log(f"the host answered attach with {how!r}", "ERROR")
    return BROKEN


class Runs:
    """The runs that are open, so that the session can end them before it ends."""

    def __init__(self):
        self._open: set[asyncio.Task] = set()

    async def do(self, work):
        """Awaits `work` as a task of its own: a lost link cancels the method that
        serves the call, at any await, and the work still has to clean up."""
        task = asyncio.create_task(work)
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        return await asyncio.shield(task)

    async def stop(self) -> None:
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)


async def in_thread(function, *args):
    """File work belongs off the loop, which has calls to answer.

    A thread cannot be interrupted: when the caller is cancelled, this waits until
    the thread is through, so that cleaning up afterwards sees all it made.
    """
    work = asyncio.create_task(asyncio.to_thread(function, *args))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        raise


# Problems are data: diagnostics for the person who wrote the template.


@dataclass(frozen=True)
class Problem:
    summary: str
    path: str = ""  # JSON Pointer into the configuration
    detail: str = ""
    severity: str = "error"

    def write(self, diagnostic) -> None:
        diagnostic.severity = self.severity
        diagnostic.summary = one_line(self.summary)
        diagnostic.detail = self.detail
        diagnostic.path = self.path


class Failed(Exception):
    """The run ends with the outcome `failed`."""

    def __init__(self, *problems: Problem):
        super().__init__(problems[0].summary)
        self.problems = problems


class Cancelled(Exception):
    """The run ends with the outcome `cancelled`."""


def write_problems(diagnostics, problems) -> None:
    for diagnostic, problem in zip(diagnostics, problems):
        problem.write(diagnostic)


def read_problem(diagnostic) -> Problem:
    """A diagnostic of somebody else; its path points into their configuration, not ours."""
    return Problem(diagnostic.summary, "", diagnostic.detail, str(diagnostic.severity))


def one_line(text: str) -> str:
    """Non-empty, without control characters, at most 500 bytes."""
    clean = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip() or "no reason given"
    return clean.encode(errors="replace")[:500].decode(errors="ignore")


def what_failed(exception: capnp.KjException) -> str:
    """Every library decorates exceptions: with prefixes and stacks, and Python's
    own with a traceback, where the last line is the one that tells."""
    lines = exception.description.strip().splitlines() or [""]
    telling = lines[-1] if "Traceback" in lines[0] else lines[0]
    return one_line(telling.replace("remote exception: ", ""))


# The component: `prepare` checks a configuration, and has no effect.


class NoteBuilder(builder.ImageBuilder.Server):
    def __init__(self, runs: Runs):
        self._runs = runs

    async def prepare(self, config, context, _context, **_):
        note, problems = read_config(config)
        if problems:
            write_problems(_context.results.init("diagnostics", len(problems)), problems)
            return
        place = Path(context.workingDir, note.target)
        facts = {"build": context.buildName, "run": context.runId, "host": f"{context.hostName} {context.hostVersion}"}
        _context.results.build = NoteBuild(self._runs, note, place, note.overwrite or context.force, facts)


@dataclass(frozen=True)
class Note:
    """The configuration."""

    target: str
    title: str
    text: str = ""
    labels: dict[str, str] | None = None
    overwrite: bool = False


TEXT = {"type": "string", "pattern": r"^[^\u0000]*$"}
CONFIG_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "target": {
            "type": "string",
            "pattern": r"^[^\u0000]+$",
            "description": "The file to write; relative to the directory that packwire was called in.",
        },
        "title": {
            "type": "string",
            "pattern": r"^[^\u0000-\u001f\u007f]+$",
            "maxLength": 200,
            "description": "What was built, in one line.",
        },
        "text": {**TEXT, "default": "", "description": "More about it, in any number of lines."},
        "labels": {
            "type": "object",
            "additionalProperties": TEXT,
            "default": {},
            "description": "Names and values for programs that read the note.",
        },
        "overwrite": {
            "type": "boolean",
            "default": False,
            "description": "Replace a file that is there already, as -force does for the whole build.",
        },
    },
    "required": ["target", "title"],
    "additionalProperties": False,
    "examples": [
        {"target": "note.json", "title": "Nightly base image"},
        {
            "target": "note.json",
            "title": "Base image",
            "text": "With fixes.",
            "labels": {"team": "infra"},
            "overwrite": True,
        },
    ],
}
OUTPUT_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "ID": {"type": "string", "description": "The identity of the note."},
        "NotePath": {"type": "string", "description": "The file that is written, absolute."},
    },
    "required": ["ID", "NotePath"],
}
DOCUMENTATION = """\
Writes a note about a build: a JSON file with a title, a text, labels, the time and the build's name.

There is no machine: provisioners that need a communicator do not run with this builder.
The file appears when the provisioners are through, as a whole or not at all.
"""


def read_config(text: str) -> tuple[Note | None, list[Problem]]:
    """The configuration, or all of its problems together (the first 100)."""
    try:
        config = json.loads(text, object_pairs_hook=Members, parse_constant=refuse_constant)
    except RecursionError:
        return None, [Problem("the configuration is nested too deeply")]
    except ValueError as problem:
        return None, [Problem(f"the configuration is not JSON: {problem}")]
    if not isinstance(config, Members):
        return None, [Problem("the configuration is not a JSON object")]
    problems = [*texts_and_keys(config), *members(config)][:100]
    return (None, problems) if problems else (Note(**config), [])


class Members(dict):
    """A JSON object that remembers keys given twice, which Python would forget."""

    def __init__(self, pairs):
        super().__init__(pairs)
        seen: set[str] = set()
        self.twice = sorted({key for key, _ in pairs if key in seen or seen.add(key)})


def refuse_constant(name: str):
    raise ValueError(f"{name} is not a JSON number")


def pointer(*keys) -> str:
    return "".join("/" + printable(str(key)).replace("~", "~0").replace("/", "~1") for key in keys)


def printable(text: str) -> str:
    """What Cap'n Proto can carry: no NUL, no half of a surrogate pair."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def texts_and_keys(config: Members):
    """What JSON cannot say here, anywhere: keys given twice, texts that are none."""
    rest = [("", config)]  # not recursive: the nesting is the template's choice
    while rest:
        path, value = rest.pop()
        if isinstance(value, str) and printable(value) != value:
            yield Problem("a text holds NUL or half of a surrogate pair", path)
        elif isinstance(value, list):
            rest += [(path + pointer(index), item) for index, item in enumerate(value)]
        elif isinstance(value, Members):
            for key in value.twice:
                yield Problem(f"the key {json.dumps(key)} is given twice", path + pointer(key))
            for key, item in value.items():
                rest += [(path + pointer(key), key), (path + pointer(key), item)]


def members(config: Members):
    """What CONFIG_SCHEMA says, with a sentence for each way to miss it."""
    known = CONFIG_SCHEMA["properties"]
    for key in (key for key in config if key not in known):
        hint = f"did you mean {key.lower()}?" if key.lower() in known else f"known keys: {', '.join(known)}"
        yield Problem(f"there is no key {json.dumps(key)}", pointer(key), hint)
    for key in CONFIG_SCHEMA["required"]:
        if key not in config:
            yield Problem(f"{key} is missing", pointer(key))
    for key in (key for key in config if key in known):
        yield from member(key, config[key], known[key])


def member(key: str, value, schema: dict):
    names = {"string": (str, "a text"), "boolean": (bool, "true or false"), "object": (dict, "an object")}
    wanted, words = names[schema["type"]]
    if not isinstance(value, wanted):
        yield Problem(f"{key} must be {words}", pointer(key))
    elif wanted is dict:
        for name, label in value.items():
            if not isinstance(label, str):
                yield Problem(f"the label {json.dumps(name)} must be a text", pointer(key, name))
    elif key == "target" and Path(value).name in ("", ".."):
        yield Problem("target names no file", pointer(key))
    elif key == "title" and (not value or len(value) > 200 or re.search(r"[\x00-\x1f\x7f]", value)):
        yield Problem("title must be one line of 1 to 200 characters", pointer(key))


# The run: one long call that does the work and answers an outcome.


class NoteBuild(builder.Build.Server):
    def __init__(self, runs: Runs, note: Note, place: Path, overwrite: bool, facts: dict):
        self._runs, self._note, self._place, self._overwrite, self._facts = runs, note, place, overwrite, facts
        self._started = False

    async def run(self, ui, hook, cancellation, _context, **_):
        answer = _context.results.init("outcome")
        try:
            if self._started:
                raise Failed(Problem("this build has run already; prepare it again"))
            # pycapnp passes a null capability as an object that fails when it is called.
            missing = [name for name in ("ui", "hook", "cancellation") if not _context.params._has(name)]
            if missing:
                raise Failed(Problem(f"the host lent no {', '.join(missing)}"))
            self._started = True
            answer.artifact, data = await self._runs.do(self._build(ui, hook, cancellation))
            answer.generatedData = json.dumps(data)
        except Failed as failure:
            write_problems(answer.init("failed", len(failure.problems)), failure.problems)
        except (Cancelled, asyncio.CancelledError):  # the latter when the session ends below the run
            answer.cancelled = None

    async def close(self, **_):
        pass

    async def _build(self, ui, hook, cancellation):
        watch = asyncio.create_task(asked_to_stop(cancellation))
        try:
            return await self._write(ui, hook, cancellation, watch)
        except capnp.KjException as problem:
            raise Failed(Problem(f"a call to the host failed: {what_failed(problem)}")) from None
        except OSError as problem:
            raise Failed(Problem(f"cannot write {self._place}: {problem.strerror}", "/target")) from None
        except (Failed, Cancelled):
            raise
        except Exception:  # a bug of ours: the log gets the traceback, the user does not
            log(traceback.format_exc(), "ERROR")
            raise Failed(Problem(f"this is a bug in {NAME}, its log says more")) from None
        finally:
            watch.cancel()

    async def _write(self, ui, hook, cancellation, watch):
        await ui.say(f"Writing a note to {self._place}")
        draft = Draft(self._place, self._note, self._facts)
        try:
            await in_thread(draft.write)
            # Every call is awaited. The hook and its provisioners are the host's, and were lent the
            # same cancellation: they end by themselves, and we wait for it.
            data = {"ID": draft.id, "NotePath": str(self._place)}
            what = {"ui": ui, "data": json.dumps(data), "cancellation": cancellation}  # no machine, no communicator
            stop_if(watch.done())
            provision = await hook.run(event="packer_provision", **what)
            if str(provision.outcome.which()) != "done":
                await hook.run(event="packer_cleanup_provision", **what)
                raise ended(provision.outcome)
            stop_if(watch.done())
            await ui.message(f"The note is {draft.id}")
            await in_thread(draft.publish, self._overwrite)  # last: nothing can fail after it
            return NoteArtifact(draft), data
        except BaseException:
            await in_thread(draft.discard)
            raise


async def asked_to_stop(cancellation) -> None:
    """Ends when the host wants the run to stop. A wait that fails means nothing."""
    try:
        await cancellation.wait()
    except capnp.KjException:
        await asyncio.Event().wait()


def stop_if(asked: bool) -> None:
    if asked:
        raise Cancelled


def ended(outcome) -> Exception:
    """How a hook that is not done ended; an unknown way raises by itself."""
    if str(outcome.which()) == "cancelled":
        return Cancelled()
    reasons = [read_problem(each) for each in outcome.failed] if str(outcome.which()) == "failed" else []
    return Failed(Problem("provisioning failed, so there is no note"), *reasons)


class Draft:
    """The note on disk: under a name of its own until all is well, then in its place."""

    def __init__(self, place: Path, note: Note, facts: dict):
        now = datetime.datetime.now(datetime.timezone.utc)
        content = {"title": note.title, "text": note.text, "labels": note.labels or {}}
        content |= {"made": now.isoformat(timespec="seconds"), **facts}
        self._content = json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
        self.place = place
        self.id = "sha256:" + hashlib.sha256(self._content).hexdigest()
        self._draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}.draft")
        self._published = False

    def write(self) -> None:
        with open(self._draft, "xb") as file:
            file.write(self._content)

    def publish(self, overwrite: bool) -> None:
        if overwrite:
            os.replace(self._draft, self.place)
        else:
            os.link(self._draft, self.place)  # fails if somebody was faster
            self._draft.unlink()
        self._published = True

    def discard(self) -> None:
        self._draft.unlink(missing_ok=True)
        if self._published:
            self.destroy()

    def destroy(self) -> None:
        self.place.unlink(missing_ok=True)


class NoteArtifact(artifact.Artifact.Server):
    """What the run made. It outlives the run, and only the host destroys it."""

    def __init__(self, draft: Draft):
        self._draft = draft

    async def describe(self, _context, **_):
        info = _context.results.init("info")
        info.builderId = "packwire.example.pynote"
        info.id = self._draft.id
        info.description = f"Note at {self._draft.place}"
        info.files = [str(self._draft.place)]

    async def state(self, **_):
        return ""  # empty: there is no such state

    async def destroy(self, _context, **_):
        outcome = _context.results.init("outcome")
        try:
            await in_thread(self._draft.destroy)  # twice is fine
            outcome.done = None
        except OSError as problem:
            reason = Problem(f"cannot remove {self._draft.place}: {problem.strerror}")
            write_problems(outcome.init("failed", 1), [reason])

    async def close(self, **_):
        pass


if __name__ == "__main__":
    sys.exit(main())
