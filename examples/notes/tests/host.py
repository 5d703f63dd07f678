"""A host for tests: it starts the plugin, lends it what a host lends, and looks."""

import asyncio
import contextlib
import json
import subprocess
import tempfile
from pathlib import Path

import capnp

from notes import wire

COMMAND = str(Path(__file__).resolve().parents[1] / "packer-plugin-notes")
TOKEN = "5a" * 32
RESULTS = {"imageBuilder": "build", "communicator": "connection", "provisioner": "provision", "dataSource": "query"}
environment = wire.load("environment")
hook = wire.load("hook")
ui = wire.load("ui")


class Host(wire.attach.Host.Server):
    """A host with one plugin, which works in a directory of its own."""

    def __init__(self, directory):
        self.attached, self.end = asyncio.Event(), asyncio.get_running_loop().create_future()
        self.work, self.temporary = directory / "work", directory / "tmp"
        self.work.mkdir()
        self.temporary.mkdir()
        self.ui, self.environment = Ui(), Environment(self.temporary)

    async def prepare(self, kind, config, **context):
        """What a component of this kind answers to a configuration."""
        context = {"workingDir": str(self.work), "templateDir": str(self.work)} | context
        return await getattr(self.components[kind], kind).prepare(config=json.dumps(config), context=context)

    async def prepared(self, kind, config, **context):
        """The object that a component of this kind prepares."""
        answer = await self.prepare(kind, config, **context)
        assert not [each for each in answer.diagnostics if each.severity == "error"], answer
        return getattr(answer, RESULTS[kind])

    async def runs(self, prepared, cancellation=None, **lent):
        """How the run of an object that is no connection ended."""
        lent |= {"ui": self.ui, "cancellation": cancellation or Cancellation()}
        return (await prepared.run(environment=self.environment, **lent)).outcome

    @contextlib.asynccontextmanager
    async def machine(self, **config):
        """A machine that the communicator of the plugin has opened."""
        connection = await self.prepared("communicator", config)
        outcome = (await connection.open(ui=self.ui, environment=self.environment, cancellation=Cancellation())).outcome
        assert outcome.which() == "communicator", outcome
        yield outcome.communicator
        await outcome.communicator.close()
        await connection.close()

    async def attach(self, hello, _context, **_):
        self.token, self.name = hello.token, hello.name
        self.components = {str(each.which()): each for each in hello.components}
        self.attached.set()
        setattr(_context.results.init("end"), await asyncio.shield(self.end), None)

    async def serve(self, stream):
        self.stream = stream
        await capnp.TwoPartyServer(stream, bootstrap=self).on_disconnect()


class Ui(ui.Ui.Server):
    """Keeps what it is told; while it is `mute`, it takes no messages."""

    def __init__(self):
        self.told, self.reply, self.mute = [], None, False

    async def say(self, text, **_):
        self.told.append(text)

    async def message(self, text, **_):
        if self.mute:
            raise OSError("the terminal is gone")
        self.told.append(text)

    async def progress(self, _context, **_):
        _context.results.progress = Progress()

    async def ask(self, _context, **_):
        reply = _context.results.init("reply")
        if self.reply is None:
            reply.refused = "no terminal"
        else:
            reply.answer = self.reply


class Progress(ui.Progress.Server):
    async def update(self, **_):
        pass

    async def finish(self, **_):
        pass


class Environment(environment.Environment.Server):
    """Lends a directory, and writes a ledger; with a severity that it `refuses` with, it writes nothing."""

    def __init__(self, temporary):
        self.temporary, self.ledger, self.refuses = temporary, {}, None

    async def tempDir(self, _context, **_):
        _context.results.path, _context.results.lease = tempfile.mkdtemp(dir=self.temporary), Lease()

    async def remember(self, entry, _context, **_):
        if self.refuses:
            diagnostic = _context.results.init("diagnostics", 1)[0]
            diagnostic.severity, diagnostic.summary = self.refuses, "the disk is full"
        else:
            _context.results.entry = Entry(self.ledger, entry)


class Lease(environment.Lease.Server):
    async def close(self, **_):
        pass


class Entry(environment.LedgerEntry.Server):
    def __init__(self, ledger, text):
        self.ledger = ledger
        ledger[self] = text

    async def update(self, entry, **_):
        self.ledger[self] = entry

    async def settle(self, **_):
        self.ledger.pop(self, None)


class Hook(hook.Hook.Server):
    """Does with the communicator what `story` does, and says how that ended."""

    def __init__(self, story=None):
        self.story, self.events, self.called = story, [], asyncio.Event()

    async def run(self, event, communicator, data, cancellation, _context, **_):
        self.events.append(event)
        self.data, self.cancellation = json.loads(data), cancellation
        self.called.set()
        how = "done"
        if self.story and event == "packer_provision":
            how = await self.story(communicator) or "done"
        outcome = _context.results.init("outcome")
        if how == "failed":
            reason = outcome.init("failed", 1)[0]
            reason.severity, reason.summary = "error", "exit status 7"
        else:
            setattr(outcome, how, None)


class Cancellation(wire.work.Cancellation.Server):
    def __init__(self):
        self.asked = asyncio.Event()

    async def wait(self, **_):
        await self.asked.wait()


class Sink(wire.stream.ByteStream.Server):
    """Takes what comes."""

    def __init__(self):
        self.content, self.ends = b"", []

    async def write(self, bytes, **_):
        assert not self.ends
        self.content += bytes

    async def end(self, _context, **_):
        self.ends.append("end")
        _context.results.init("outcome").done = None

    async def abort(self, **_):
        self.ends.append("abort")


def summaries(outcome):
    return [each.summary for each in outcome.failed]


async def send(stream, content):
    """Writes all of it and ends the stream."""
    for start in range(0, len(content), 64 << 10):
        await stream.write(content[start : start + (64 << 10)])
    return (await stream.end()).outcome


async def run(machine, line, stdin=None, cancellation=None):
    """Runs a command: how it ended, what it printed, and what it complained about."""
    made = await machine.command({"line": line, "stdin": stdin is not None})
    out, err = Sink(), Sink()
    ending = made.process.run(out, err, cancellation or Cancellation())
    if stdin is not None:
        assert (await send(made.stdin, stdin)).which() == "done"
    ended = (await ending).exit
    await made.process.close()
    assert (out.ends, err.ends) == (["end"], ["end"])
    return ended, out.content, err.content


async def upload(machine, path, content, **info):
    return await send((await machine.upload(path, info)).content, content)


@contextlib.asynccontextmanager
async def attached(host, address):
    """The process of the plugin, once it has attached to the host."""
    variables = {
        "PACKER_PLUGIN_ADDRESS": f"unix:{address}",
        "PACKER_PLUGIN_TOKEN": TOKEN,
        "PACKER_PLUGIN_PROTOCOL": "1",
        "TMPDIR": str(host.temporary),
    }
    plugin = await asyncio.create_subprocess_exec(COMMAND, env=variables, stderr=subprocess.DEVNULL)
    try:
        await asyncio.wait_for(host.attached.wait(), 30)
        yield plugin
    finally:
        with contextlib.suppress(ProcessLookupError):
            plugin.kill()
        await plugin.wait()


def in_session(story):
    """Runs a test with a host and a plugin that has attached to it."""

    async def session(test):
        with tempfile.TemporaryDirectory() as directory:
            host, address = Host(Path(directory)), f"{directory}/socket"
            server = await capnp.AsyncIoStream.create_unix_server(host.serve, address)
            serving = asyncio.create_task(server.serve_forever())
            try:
                async with attached(host, address) as plugin:
                    await asyncio.wait_for(story(test, host, plugin), 60)
            finally:
                serving.cancel()

    return lambda test: asyncio.run(capnp.run(session(test)))
