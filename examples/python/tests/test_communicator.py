"""The communicator, as a provisioner uses it."""

import asyncio
import hashlib
import random
import unittest

import capnp

from .host import Cancellation, Sink, download, in_session, run, send, summaries, upload

BYTES = random.Random(7).randbytes((1 << 20) + 3)


def with_machine(story):
    """A test that is the provisioner of a build."""

    @in_session
    async def test(self, host, _plugin):
        async def provision(machine):
            await story(self, machine)

        outcome = await host.provision(provision)
        self.assertEqual(outcome.which(), "artifact")
        self.assertEqual(host.files(), ["image.tgz"])

    return test


class Commands(unittest.TestCase):
    @with_machine
    async def test_it_says_what_it_is(self, machine):
        info = (await machine.info()).info
        self.assertEqual((info.type, list(info.features)), ("tarball-directory", ["signal", "tree"]))

    @with_machine
    async def test_output_and_errors_come_apart_with_the_exit_status(self, machine):
        exit, out, err = await run(machine, "echo out; echo err >&2; exit 3")
        self.assertEqual((exit.status, out, err), (3, b"out\n", b"err\n"))

    @with_machine
    async def test_a_signal_is_named(self, machine):
        exit, _, _ = await run(machine, "kill -KILL $$")
        self.assertEqual(exit.signal, "KILL")

    @with_machine
    async def test_any_bytes_go_in_and_come_out(self, machine):
        exit, out, _ = await run(machine, "cat", stdin=BYTES)
        self.assertEqual((exit.status, digest(out)), (0, digest(BYTES)))

    @with_machine
    async def test_input_that_nobody_reads_is_dropped(self, machine):
        exit, _, _ = await run(machine, "exit 4", stdin=BYTES)
        self.assertEqual(exit.status, 4)

    @with_machine
    async def test_an_input_may_end_before_the_command_begins(self, machine):
        made = await machine.command({"line": "cat; echo over", "stdin": True})
        self.assertEqual((await send(made.stdin, b"first ")).which(), "done")
        out = Sink()
        await made.process.run(out, Sink(), Cancellation())
        self.assertEqual(out.content, b"first over\n")

    @with_machine
    async def test_without_input_there_is_none(self, machine):
        self.assertEqual((await run(machine, "cat; echo none"))[1], b"none\n")

    @with_machine
    async def test_several_commands_run_at_once(self, machine):
        barrier = "mkfifo a b 2>/dev/null; "
        ended = await asyncio.gather(
            run(machine, barrier + "until [ -p b ]; do :; done; echo one > a; cat b"),
            run(machine, barrier + "until [ -p b ]; do :; done; cat a; echo two > b"),
        )
        self.assertEqual([out for _, out, _ in ended], [b"two\n", b"one\n"])

    @with_machine
    async def test_cancelling_ends_all_processes_of_the_command(self, machine):
        cancellation, out = Cancellation(), Sink()
        running = asyncio.create_task(run(machine, "sleep 1000 & echo $!; wait", cancellation=cancellation, stdout=out))
        await out.came.wait()
        cancellation.asked.set()
        exit, out, _ = await running
        self.assertEqual(exit.which(), "cancelled")
        self.assertFalse(is_alive(int(out)))

    @with_machine
    async def test_a_child_in_the_background_lives_on_and_does_not_hold_the_output(self, machine):
        exit, out, _ = await run(machine, "sleep 1000 & echo $!")
        self.assertEqual(exit.status, 0)
        self.assertTrue(is_alive(int(out)))

    @in_session
    async def test_nothing_lives_longer_than_the_machine(self, host, _):
        async def story(machine):
            self.background = int((await run(machine, "sleep 1000 & echo $!"))[1])

        await host.provision(story)
        self.assertFalse(is_alive(self.background))

    @with_machine
    async def test_output_that_nobody_takes_is_dropped_and_the_command_goes_on(self, machine):
        exit, _, _ = await run(machine, "yes | head -c 1000000; touch through", stdout=Sink(fails=True))
        self.assertIn("could not be delivered", summaries(exit)[0])
        self.assertEqual((await run(machine, "test -e through"))[0].status, 0)

    @with_machine
    async def test_a_command_runs_once(self, machine):
        made = await machine.command({"line": "true"})
        await made.process.run(Sink(), Sink(), Cancellation())
        out = Sink()
        exit = (await made.process.run(out, Sink(), Cancellation())).exit
        self.assertEqual((exit.which(), out.ends), ("failed", ["end"]))

    @with_machine
    async def test_what_is_not_offered_fails(self, machine):
        exit, _, _ = await run(machine, "true", pty=True)
        self.assertEqual(exit.which(), "failed")
        made = await machine.dial("localhost", 22)
        outcome = (await made.tunnel.run(Sink(), Cancellation())).outcome
        self.assertIn("dial", summaries(outcome)[0])
        self.assertEqual((await send(made.outgoing, b"x")).which(), "failed")

    @with_machine
    async def test_null_streams_are_refused(self, machine):
        made = await machine.command({"line": "true"})
        self.assertEqual((await made.process.run()).exit.which(), "failed")
        self.assertEqual((await machine.download("x")).outcome.which(), "failed")

    @with_machine
    async def test_the_variables_of_the_host_stay_there(self, machine):
        _, out, _ = await run(machine, "env | cut -d= -f1 | sort | xargs")
        self.assertEqual(out, b"HOME LANG LOGNAME PATH PWD TMPDIR USER\n")


class Files(unittest.TestCase):
    @with_machine
    async def test_any_bytes_go_there_and_back(self, machine):
        verdict = await upload(machine, "data", BYTES, size=len(BYTES), mode=0o4751, modified=1_000_000_000)
        self.assertEqual(verdict.which(), "done")
        answer, sink = await download(machine, "data")
        self.assertEqual((digest(sink.content), sink.ends), (digest(BYTES), ["end"]))
        info = answer.file
        self.assertEqual((info.size, info.mode, info.modified), (len(BYTES), 0o4751, 1_000_000_000))

    @with_machine
    async def test_an_empty_file_is_just_an_end(self, machine):
        self.assertEqual((await upload(machine, "empty", b"")).which(), "done")
        answer, sink = await download(machine, "empty")
        self.assertEqual((answer.outcome.which(), answer.file.size, sink.content), ("done", 0, b""))

    @with_machine
    async def test_more_or_less_than_announced_fails_and_leaves_what_was(self, machine):
        await upload(machine, "data", b"old")
        for size in (2, 4):
            verdict = await upload(machine, "data", b"new", size=size)
            self.assertEqual(verdict.which(), "failed", size)
        self.assertEqual((await run(machine, "cat data; ls -A"))[1], b"olddata\n")

    @with_machine
    async def test_an_aborted_upload_leaves_nothing(self, machine):
        content = (await machine.upload("data", {})).content
        await content.write(b"half")
        await content.abort()
        self.assertEqual((await run(machine, "ls -A"))[1], b"")
        with self.assertRaises(capnp.KjException):
            await content.write(b"more")

    @with_machine
    async def test_an_upload_that_never_ends_leaves_nothing(self, machine):
        await (await machine.upload("data", {})).content.write(b"half")

    @with_machine
    async def test_what_cannot_be_written_fails_at_its_end(self, machine):
        await run(machine, "mkdir directory")
        for path in ("nowhere/data", "directory", ""):
            verdict = await upload(machine, path, b"x")
            self.assertEqual(verdict.which(), "failed", path)
        self.assertEqual((await run(machine, "find . -type f"))[1], b"")

    @with_machine
    async def test_what_cannot_be_read_fails_and_the_stream_is_aborted(self, machine):
        await run(machine, "mkfifo pipe")
        for path in ("nowhere", ".", "pipe"):
            answer, sink = await download(machine, path)
            self.assertEqual((answer.outcome.which(), sink.ends), ("failed", ["abort"]), path)

    @with_machine
    async def test_a_download_is_cancelled(self, machine):
        class Stuck(Sink):
            async def write(self, **_):
                cancellation.asked.set()
                await self.aborted.wait()

            async def abort(self, **_):
                self.aborted.set()

        cancellation, sink = Cancellation(), Stuck()
        sink.aborted = asyncio.Event()
        await upload(machine, "data", BYTES)
        answer = await machine.download("data", sink, cancellation)
        self.assertEqual(answer.outcome.which(), "cancelled")


def digest(content):
    return hashlib.sha256(content).hexdigest()


def is_alive(process):
    """Not gone, and no zombie that waits for whoever adopted it."""
    try:
        with open(f"/proc/{process}/stat") as stat:
            return ") Z" not in stat.read()
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    unittest.main()
