"""Tests of pynote: its configuration in this process, its session as a host sees it."""

import asyncio
import contextlib
import json
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import capnp

import pynote

COMMAND = str(Path(__file__).with_name("packer-builder-pynote"))
TOKEN = "5a" * 32
hook = capnp.load(str(pynote.SCHEMA / "hook.capnp"))
ui = capnp.load(str(pynote.SCHEMA / "ui.capnp"))
work = capnp.load(str(pynote.SCHEMA / "work.capnp"))


class Configuration(unittest.TestCase):
    def paths(self, config):
        text = config if isinstance(config, str) else json.dumps(config)
        return [problem.path for problem in pynote.read_config(text)[1]]

    def test_the_examples_of_the_schema_are_accepted(self):
        for example in pynote.CONFIG_SCHEMA["examples"]:
            self.assertEqual(self.paths(example), [])

    def test_all_problems_are_found_together(self):
        config = {"title": "", "labels": {"a/b": 1}, "Overwrite": True}
        self.assertEqual(self.paths(config), ["/Overwrite", "/target", "/title", "/labels/a~1b"])

    def test_a_target_that_is_a_directory_is_refused(self):
        for target in ("", "/", ".", "a/.."):
            self.assertEqual(self.paths({"target": target, "title": "b"}), ["/target"], target)

    def test_a_key_given_twice_is_refused(self):
        self.assertEqual(self.paths('{"target": "a", "title": "b", "target": "c"}'), ["/target"])

    def test_what_is_no_json_is_a_problem_of_the_whole(self):
        for text in ("", "nope", "null", "[]", "[NaN]", "[" * 100_000, "1" * 5000):
            self.assertEqual(self.paths(text), [""], text[:20])

    def test_texts_that_the_link_cannot_carry_are_refused(self):
        self.assertEqual(self.paths(r'{"target": "a\u0000", "title": "b\ud800"}'), ["/title", "/target"])


class Launch(unittest.TestCase):
    GOOD = {
        "PACKER_PLUGIN_ADDRESS": "unix:/nobody/listens",
        "PACKER_PLUGIN_TOKEN": TOKEN,
        "PACKER_PLUGIN_PROTOCOL": "1",
    }

    def start(self, **changes):
        return subprocess.run(
            [COMMAND], env=changes and self.GOOD | changes, capture_output=True, text=True, timeout=10
        )

    def test_started_by_hand_it_says_what_it_is(self):
        ended = self.start()
        self.assertEqual((ended.returncode, ended.stdout), (2, ""))
        self.assertIn("a host such as packwire starts it", ended.stderr)

    def test_a_variable_that_is_unusable_is_named(self):
        for name, value in (
            ("PACKER_PLUGIN_ADDRESS", "tcp:127.0.0.1:0"),
            ("PACKER_PLUGIN_TOKEN", ""),
            ("PACKER_PLUGIN_PROTOCOL", "1, 2"),
        ):
            ended = self.start(**{name: value})
            self.assertEqual(ended.returncode, 2)
            self.assertIn(name, ended.stderr)

    def test_no_common_version_is_said_in_the_words_that_hosts_read(self):
        ended = self.start(PACKER_PLUGIN_PROTOCOL="3,2")
        line = "packwire: no common protocol version; plugin speaks 1; host offers 3,2\n"
        self.assertEqual((ended.returncode, ended.stderr), (3, line))

    def test_nobody_listening_is_a_broken_link(self):
        self.assertEqual(self.start(PACKER_PLUGIN_PROTOCOL="1,2").returncode, 4)


class Host(pynote.attach.Host.Server):
    """A host that waits for one plugin and answers `attach` when told to."""

    def __init__(self, directory):
        self.attached, self.end = asyncio.Event(), asyncio.get_running_loop().create_future()
        self.directory, self.note = directory, directory / "note.json"

    def files(self):
        return [path.name for path in self.directory.iterdir() if path.name != "socket"]

    async def prepare(self, title="a note"):
        config = json.dumps({"target": "note.json", "title": title})
        answer = await self.builder.prepare(config=config, context={"workingDir": str(self.directory)})
        assert not answer.diagnostics, answer
        return answer.build

    async def run(self, hook, cancellation=None, build=None):
        build = build or await self.prepare()
        answer = await build.run(ui=Ui(), hook=hook, cancellation=cancellation or Cancellation())
        return answer.outcome, hook.events

    async def attach(self, hello, _context, **_):
        self.token, self.builder = hello.token, hello.components[0].imageBuilder
        self.attached.set()
        how, value = await asyncio.shield(self.end)
        setattr(_context.results.init("end"), how, value)

    async def serve(self, stream):
        self.stream = stream
        await capnp.TwoPartyServer(stream, bootstrap=self).on_disconnect()


class Ui(ui.Ui.Server):
    async def say(self, **_):
        pass

    async def message(self, **_):
        pass


class Hook(hook.Hook.Server):
    """Answers `how`; `waiting` waits for its cancellation, `stuck` for ever."""

    def __init__(self, how):
        self.how, self.events, self.called = how, [], asyncio.Event()

    async def run(self, event, cancellation, _context, **_):
        self.events.append(event)
        self.called.set()
        outcome = _context.results.init("outcome")
        if event == "packer_cleanup_provision" or self.how == "done":
            outcome.done = None
        elif self.how == "failed":
            reason = outcome.init("failed", 1)[0]
            reason.severity, reason.summary = "error", "exit status 7"
        elif self.how == "waiting":
            await cancellation.wait()
            outcome.cancelled = None
        else:
            await asyncio.Event().wait()


class Cancellation(work.Cancellation.Server):
    def __init__(self):
        self.asked = asyncio.Event()

    async def wait(self, **_):
        await self.asked.wait()


def in_session(story):
    """Runs a test with a host and a plugin that has attached to it."""

    async def session(test):
        with tempfile.TemporaryDirectory() as directory:
            host, address = Host(Path(directory)), f"{directory}/socket"
            server = await capnp.AsyncIoStream.create_unix_server(host.serve, address)
            serving = asyncio.create_task(server.serve_forever())
            variables = Launch.GOOD | {"PACKER_PLUGIN_ADDRESS": f"unix:{address}"}
            plugin = await asyncio.create_subprocess_exec(COMMAND, env=variables, stderr=subprocess.DEVNULL)
            try:
                await asyncio.wait_for(host.attached.wait(), 30)
                await asyncio.wait_for(story(test, host, plugin), 30)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    plugin.kill()
                await plugin.wait()
                serving.cancel()

    return lambda test: asyncio.run(capnp.run(session(test)))


class Session(unittest.TestCase):
    @in_session
    async def test_leave_is_status_0(self, host, plugin):
        self.assertEqual(host.token, TOKEN)
        host.end.set_result(("leave", None))
        self.assertEqual(await plugin.wait(), 0)

    @in_session
    async def test_refused_is_status_3(self, host, plugin):
        host.end.set_result(("refused", "not today"))
        self.assertEqual(await plugin.wait(), 3)

    @in_session
    async def test_a_lost_link_is_status_4(self, host, plugin):
        host.stream.close()
        self.assertEqual(await plugin.wait(), 4)

    @in_session
    async def test_sigint_is_ignored_and_sigterm_is_status_4(self, host, plugin):
        plugin.send_signal(signal.SIGINT)
        await host.prepare(title="still there")
        plugin.send_signal(signal.SIGTERM)
        self.assertEqual(await plugin.wait(), 4)

    @in_session
    async def test_a_note_is_written_described_and_destroyed(self, host, _):
        outcome, events = await host.run(Hook("done"))
        info = (await outcome.artifact.describe()).info
        self.assertEqual(list(info.files), [str(host.note)])
        self.assertEqual(json.loads(host.note.read_text())["title"], "a note")
        self.assertEqual(json.loads(outcome.generatedData)["ID"], info.id)
        self.assertEqual(events, ["packer_provision"])
        for _ in range(2):
            destroyed = await outcome.artifact.destroy(ui=Ui(), cancellation=Cancellation())
            self.assertEqual(destroyed.outcome.which(), "done")
        self.assertEqual(host.files(), [])

    @in_session
    async def test_a_build_runs_once(self, host, _):
        build = await host.prepare()
        await host.run(Hook("done"), build=build)
        outcome, events = await host.run(Hook("done"), build=build)
        self.assertEqual((outcome.which(), events), ("failed", []))

    @in_session
    async def test_a_file_that_is_there_stays(self, host, _):
        host.note.write_text("mine")
        outcome, _ = await host.run(Hook("done"))
        self.assertEqual(outcome.failed[0].path, "/target")
        self.assertEqual(host.note.read_text(), "mine")

    @in_session
    async def test_failed_provisioning_leaves_nothing(self, host, _):
        outcome, events = await host.run(Hook("failed"))
        self.assertEqual([each.summary for each in outcome.failed][1], "exit status 7")
        self.assertEqual(events, ["packer_provision", "packer_cleanup_provision"])
        self.assertEqual(host.files(), [])

    @in_session
    async def test_cancelling_leaves_nothing(self, host, _):
        hook, cancellation = Hook("waiting"), Cancellation()
        run = asyncio.create_task(host.run(hook, cancellation))
        await hook.called.wait()
        self.assertEqual(len(host.files()), 1)
        cancellation.asked.set()
        outcome, _ = await run
        self.assertEqual((outcome.which(), host.files()), ("cancelled", []))

    @in_session
    async def test_the_end_of_the_session_leaves_nothing(self, host, plugin):
        hook = Hook("stuck")
        run = asyncio.create_task(host.run(hook))
        await hook.called.wait()
        plugin.send_signal(signal.SIGTERM)
        self.assertEqual((await plugin.wait(), host.files()), (4, []))
        with self.assertRaises(capnp.KjException):
            await run

    @in_session
    async def test_null_capabilities_are_refused(self, host, _):
        outcome = (await (await host.prepare()).run()).outcome
        self.assertEqual(outcome.which(), "failed")


if __name__ == "__main__":
    unittest.main()
