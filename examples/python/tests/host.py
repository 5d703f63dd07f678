"""A host for tests: it starts the plugin, lends it what a host lends, and looks."""

import asyncio
import contextlib
import json
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import capnp

from tarball.schema import DIRECTORY, attach, stream

COMMAND = str(Path(__file__).resolve().parents[1] / "packer-plugin-tarball")
TOKEN = "5a" * 32
RESULTS = {"imageBuilder": "build", "communicator": "connection", "provisioner": "provision", "dataSource": "query"}
VARIABLES = {
    "PACKER_PLUGIN_ADDRESS": "unix:/nobody/listens",
    "PACKER_PLUGIN_TOKEN": TOKEN,
    "PACKER_PLUGIN_PROTOCOL": "1",
}
environment = capnp.load(str(DIRECTORY / "environment.capnp"))
hook = capnp.load(str(DIRECTORY / "hook.capnp"))
ui = capnp.load(str(DIRECTORY / "ui.capnp"))
work = capnp.load(str(DIRECTORY / "work.capnp"))


class Host(attach.Host.Server):
    """A host that waits for one plugin and answers `attach` when told to."""

    def __init__(self, directory):
        self.attached, self.end = asyncio.Event(), asyncio.get_running_loop().create_future()
        self.directory, self.image, self.ui = directory, directory / "image.tgz", Ui()
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self.environment = Environment(directory / "lent")

    def files(self):
        """What the plugin has made and not removed, machines among it."""
        own = {"socket", "tmp", "lent"}
        return sorted(path.name for path in [*self.directory.iterdir(), *self.temporary.iterdir()] if path.name not in own)

    async def prepare(self, on_error="cleanup", **config):
        return await self.prepared("imageBuilder", {"target": "image.tgz", **config}, on_error)

    async def prepared(self, kind, config, on_error="cleanup"):
        """The object that a component of this kind prepares."""
        directory = str(self.directory)
        context = {"workingDir": directory, "templateDir": directory, "onError": on_error}
        answer = await getattr(self.components[kind], kind).prepare(config=json.dumps(config), context=context)
        assert not answer.diagnostics, answer
        return getattr(answer, RESULTS[kind])

    async def run(self, hook, cancellation=None, build=None):
        return await self.runs(build or await self.prepare(), cancellation, hook=hook)

    async def runs(self, prepared, cancellation=None, **lent):
        lent |= {"ui": self.ui, "cancellation": cancellation or Cancellation()}
        return (await prepared.run(environment=self.environment, **lent)).outcome

    async def provision(self, story, **config):
        """Runs a build whose provisioner is `story`."""
        hook = Hook(story)
        outcome = await self.run(hook, build=await self.prepare(**config))
        if hook.failure:
            raise hook.failure
        return outcome

    async def attach(self, hello, _context, **_):
        self.token = hello.token
        self.components = {str(each.which()): each for each in hello.components}
        self.attached.set()
        how, value = await asyncio.shield(self.end)
        setattr(_context.results.init("end"), how, value)

    async def serve(self, stream):
        self.stream = stream
        await capnp.TwoPartyServer(stream, bootstrap=self).on_disconnect()


class Environment(environment.Environment.Server):
    """Lends directories below its own, and writes a ledger."""

    def __init__(self, directory):
        self.directory, self.ledger = directory, {}
        directory.mkdir()

    async def tempDir(self, _context, **_):
        path = self.directory / secrets.token_hex(4)
        path.mkdir()
        _context.results.path, _context.results.lease = str(path), Lease(path)

    async def remember(self, entry, _context, **_):
        _context.results.entry = self.entry(entry)

    def entry(self, text):
        return Entry(self.ledger, text)


class Lease(environment.Lease.Server):
    def __init__(self, path):
        self.path = path

    async def close(self, **_):
        shutil.rmtree(self.path)


class Entry(environment.LedgerEntry.Server):
    def __init__(self, ledger, text):
        self.ledger = ledger
        ledger[self] = text

    async def update(self, entry, **_):
        self.ledger[self] = entry

    async def settle(self, **_):
        self.ledger.pop(self, None)


class Ui(ui.Ui.Server):
    def __init__(self):
        self.told, self.shown, self.reply, self.hears = [], [], None, None

    async def say(self, text, **_):
        self.told.append(text)
        if self.hears:
            await self.hears(text)

    message = error = say

    async def progress(self, label, total, _context, **_):
        self.shown.append(Progress(total))
        _context.results.progress = self.shown[-1]

    async def ask(self, _context, **_):
        reply = _context.results.init("reply")
        if self.reply is None:
            reply.refused = "no terminal"
        else:
            reply.answer = self.reply


class Progress(ui.Progress.Server):
    def __init__(self, total):
        self.total, self.updates, self.finished = total, [], 0

    async def update(self, done, **_):
        self.updates.append(done)

    async def finish(self, **_):
        self.finished += 1


class Hook(hook.Hook.Server):
    """For provisioning it does what `story` does with the communicator and says how it ended."""

    def __init__(self, story):
        self.story, self.events, self.failure = story, [], None
        self.called = asyncio.Event()

    async def run(self, event, communicator, data, cancellation, _context, **_):
        self.events.append(event)
        self.data, self.cancellation, self.communicator = json.loads(data), cancellation, communicator
        outcome = _context.results.init("outcome")
        if event == "packer_cleanup_provision":
            outcome.done = None
            return
        self.called.set()
        try:
            how = await self.story(communicator) or "done"
        except Exception as failure:
            self.failure, how = failure, "failed"
        if how == "failed":
            reason = outcome.init("failed", 1)[0]
            reason.severity, reason.summary = "error", "exit status 7"
        else:
            setattr(outcome, how, None)


class Cancellation(work.Cancellation.Server):
    def __init__(self):
        self.asked = asyncio.Event()

    async def wait(self, **_):
        await self.asked.wait()


class Sink(stream.ByteStream.Server):
    """Takes what comes; `fails` at its first write."""

    def __init__(self, fails=False):
        self.content, self.ends, self.fails = b"", [], fails
        self.came = asyncio.Event()

    async def write(self, bytes, **_):
        assert 0 < len(bytes) <= 256 << 10 and not self.ends
        if self.fails:
            raise OSError("the disk is full")
        self.content += bytes
        self.came.set()

    async def end(self, _context, **_):
        self.ends.append("end")
        _context.results.init("outcome").done = None

    async def abort(self, **_):
        self.ends.append("abort")


def summaries(outcome):
    return [each.summary for each in outcome.failed]


async def send(to, content=b"", size=64 << 10):
    """Writes all of it without waiting, as a sender within its window may, and ends the stream."""
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    await asyncio.gather(*[answer(to.write(part)) for part in parts])
    return (await to.end()).outcome


async def answer(call):
    return await call


async def run(machine, line, stdin=None, cancellation=None, stdout=None, pty=False):
    """Runs a command: how it ended, what it printed, and what it complained about."""
    made = await machine.command({"line": line, "stdin": stdin is not None, "pty": pty})
    out, err = stdout or Sink(), Sink()
    running = asyncio.ensure_future(answer(made.process.run(out, err, cancellation or Cancellation())))
    if stdin is not None:
        verdict = await send(made.stdin, stdin)
        assert verdict.which() == "done", verdict
    exit = (await running).exit
    await made.process.close()
    assert err.ends and out.ends
    return exit, out.content, err.content


async def upload(machine, path, content, **info):
    return await send((await machine.upload(path, info)).content, content)


async def download(machine, path, sink=None):
    sink = sink or Sink()
    answer = await machine.download(path, sink, Cancellation())
    return answer, sink


@contextlib.asynccontextmanager
async def attached(host, address):
    """A plugin that has attached to the host."""
    host.attached.clear()
    variables = VARIABLES | {"PACKER_PLUGIN_ADDRESS": f"unix:{address}", "TMPDIR": str(host.temporary)}
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
            host.another = lambda: attached(host, address)
            server = await capnp.AsyncIoStream.create_unix_server(host.serve, address)
            serving = asyncio.create_task(server.serve_forever())
            try:
                async with host.another() as plugin:
                    await asyncio.wait_for(story(test, host, plugin), 30)
            finally:
                serving.cancel()

    return lambda test: asyncio.run(capnp.run(session(test)))
