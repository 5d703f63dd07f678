"""The data source `envfile`: what a file of KEY=VALUE lines says. All of a plugin, in one file; SPEC.md shows it."""

import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path

import capnp

NAME, VERSION = "envfile", "1.0.0"
DIRECTORY = Path(__file__).resolve().parents[2] / "schema" / "packwire"
os.chdir("/")  # Cap'n Proto asks where it is to load a schema, and a directory that was deleted ends the process
attach, data_source = (capnp.load(str(DIRECTORY / f"{name}.capnp")) for name in ("attach", "data-source"))

CONFIG = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"file": {"type": "string", "pattern": "^[^\\u0000]+$", "description": "The file to read"}},
    "required": ["file"],
    "additionalProperties": False,
    "examples": [{"file": "settings.env"}],
}
OUTPUT = {"type": "object", "additionalProperties": {"type": "string"}}


def log(text):
    try:
        os.write(2, f"{text}\n".encode(errors="replace"))
    except OSError:  # the host may be gone, and that is no reason to end otherwise
        pass


# 1. Launch: three variables, checked by the grammar and removed.


def launched():
    names = ["PACKER_PLUGIN_ADDRESS", "PACKER_PLUGIN_TOKEN", "PACKER_PLUGIN_PROTOCOL"]
    values = [os.environ.pop(name, None) for name in names]
    if values == [None] * 3:
        log(f"{NAME} is a Packwire plugin: a host such as packwire starts it")
        sys.exit(2)
    address, token, offer = (value or "" for value in values)
    number = r"[1-9][0-9]{0,4}"
    usable = [
        re.fullmatch(rf"unix:/.+|tcp:127\.0\.0\.1:{number}", address, re.DOTALL) and port_of(address) < 65536,
        token,
        re.fullmatch(rf"{number}(,{number})*", offer) and all(int(each) <= 65535 for each in offer.split(",")),
    ]
    if not all(usable):
        log("unusable: " + ", ".join(name for name, good in zip(names, usable) if not good))
        sys.exit(2)
    if "1" not in offer.split(","):
        log(f"packwire: no common protocol version; plugin speaks 1; host offers {offer}")
        sys.exit(3)
    return address, token


def port_of(address):
    return int(address.rpartition(":")[2]) if address.startswith("tcp:") else 0


# 2. Attach: one call that stays unanswered for as long as the session lasts.


async def session(address, token):
    loop, terminated = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, terminated.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        if address.startswith("unix:"):
            stream = await capnp.AsyncIoStream.create_unix_connection(os.fsencode(address[5:]))
        else:
            stream = await capnp.AsyncIoStream.create_connection("127.0.0.1", port_of(address))
    except OSError as problem:
        log(f"cannot reach the host: {problem}")
        return 4
    client = capnp.TwoPartyClient(stream)
    host = client.bootstrap().cast_as(attach.Host)
    attached = asyncio.create_task(attach_to(host, token))
    await asyncio.wait({attached, asyncio.create_task(terminated.wait())}, return_when=asyncio.FIRST_COMPLETED)
    return attached.result() if attached.done() else 4


async def attach_to(host, token):
    component = {
        "name": NAME,
        "summary": "Reads a file of KEY=VALUE lines",
        "documentation": "Its value is an object: a text for each key of `file`.",
        "configSchema": json.dumps(CONFIG),
        "outputSchema": json.dumps(OUTPUT),
        "dataSource": EnvFile(),
    }
    hello = attach.Hello.new_message(
        token=token, protocolVersion=1, name=NAME, version=VERSION, components=[component]
    )
    try:
        end = (await host.attach(hello)).end
        how = str(end.which())  # raises for a member that is unknown here
    except capnp.KjException:
        return 4
    if how == "refused":
        log(f"the host refused this plugin: {end.refused}")
    return {"leave": 0, "refused": 3}.get(how, 4)


# 3. Prepare: all problems of a configuration together, and nothing else.


class EnvFile(data_source.DataSource.Server):
    async def prepare(self, config, context, _context, **_):
        found = problems(config)
        if found:
            tell(_context.results.init("diagnostics", len(found)), found)
        else:
            _context.results.query = Query(Path(context.workingDir) / json.loads(config)["file"])


def problems(text):
    """Pairs of what is wrong, and a JSON Pointer to where."""
    try:
        pairs = json.loads(text, object_pairs_hook=lambda pairs: Pairs(pairs))
    except (ValueError, RecursionError) as problem:
        return [(f"the configuration is not JSON: {problem}", "")]
    if not isinstance(pairs, Pairs):
        return [("the configuration is not an object", "")]
    keys = [key for key, _ in pairs]
    counts = Counter(keys)
    found = [(f"there is no key {json.dumps(key)}", pointer(key)) for key in counts if key != "file"]
    found += [(f"the key {json.dumps(key)} is given twice", pointer(key)) for key in counts if counts[key] > 1]
    if "file" not in keys:
        found.append(("file is missing", "/file"))
    wrong = [value for key, value in pairs if key == "file" and not is_path(value)]
    return (found + [("file must be the path of a file", "/file") for _ in wrong[:1]])[:100]


class Pairs(list):
    """A JSON object before keys that were given twice are lost."""


def is_path(value):
    """Not empty, and without NUL and halves of surrogate pairs, which no text may hold."""
    if not isinstance(value, str) or value == "" or "\0" in value:
        return False
    return value.encode(errors="ignore").decode() == value


def pointer(key):
    return "/" + key.encode(errors="replace").decode().replace("\0", "?").replace("~", "~0").replace("/", "~1")


def tell(diagnostics, found):
    for diagnostic, (summary, path) in zip(diagnostics, found):
        diagnostic.severity, diagnostic.path = "error", path
        line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", summary)
        diagnostic.summary = line.encode(errors="replace")[:500].decode(errors="ignore")


# 4. Run: once, and whatever happens is an outcome.


class Query(data_source.Query.Server):
    def __init__(self, place):
        self.place, self.ran = place, False

    async def run(self, _context, **_):
        outcome, again, self.ran = _context.results.init("outcome"), self.ran, True
        try:
            if again:
                raise ValueError("this has run already; prepare it again")
            outcome.value = json.dumps(read(self.place))
        except (OSError, ValueError) as problem:
            tell(outcome.init("failed", 1), [(f"{self.place}: {problem}", "/file")])

    async def close(self, **_):
        pass


def read(place):
    lines = [line.strip() for line in place.read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    wrong = [key for key, equals, value in pairs if not equals or "\0" in key + value]
    if wrong:
        raise ValueError(f"{json.dumps(wrong[0])} is no line of the form KEY=VALUE")
    return {key.strip(): value.strip() for key, _, value in pairs}


if __name__ == "__main__":
    sys.exit(asyncio.run(capnp.run(session(*launched()))))
