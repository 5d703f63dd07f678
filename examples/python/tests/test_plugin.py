"""The plugin's life as a host sees it: launch, attach, build, exit."""

import asyncio
import gzip
import json
import signal
import subprocess
import tarfile
import unittest

import capnp

from .host import COMMAND, TOKEN, VARIABLES, Cancellation, Hook, Ui, in_session, run, summaries, upload


class Launch(unittest.TestCase):
    def start(self, **changes):
        return subprocess.run(
            [COMMAND], env=changes and VARIABLES | changes, capture_output=True, text=True, timeout=10
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
        await host.prepare()
        plugin.send_signal(signal.SIGTERM)
        self.assertEqual(await plugin.wait(), 4)


async def nothing(_machine):
    pass


async def failing(_machine):
    return "failed"


class Build(unittest.TestCase):
    @in_session
    async def test_the_machine_is_packed_described_and_destroyed(self, host, _):
        async def story(machine):
            await upload(machine, "motd", b"hello", mode=0o600)
            await run(machine, "mkdir -p a/b && ln -s ../motd a/link && ln motd other && touch $TMPDIR/unpacked")

        hook = Hook(story)
        outcome = await host.run(hook)
        self.assertEqual(hook.events, ["packer_provision"])
        info = (await outcome.artifact.describe()).info
        self.assertEqual(list(info.files), [str(host.image)])
        self.assertEqual(host.files(), ["image.tgz"], "the machine is gone")
        with tarfile.open(host.image) as archive:
            members = {each.name: each for each in archive}
            self.assertEqual(set(members), {"motd", "other", "a", "a/b", "a/link"})
            self.assertEqual(archive.extractfile("motd").read(), b"hello")
        self.assertEqual((members["motd"].mode, members["motd"].uid, members["a/link"].linkname), (0o600, 0, "../motd"))
        self.assertEqual(json.loads((await outcome.artifact.state("digest")).value), info.id)
        self.assertEqual((await outcome.artifact.state("colour")).value, "")
        for _ in range(2):
            destroyed = await outcome.artifact.destroy(ui=Ui(), cancellation=Cancellation())
            self.assertEqual(destroyed.outcome.which(), "done")
        self.assertEqual(host.files(), [])

    @in_session
    async def test_generated_data_is_told_to_provisioners_and_completed_in_the_outcome(self, host, _):
        hook = Hook(nothing)
        outcome = await host.run(hook)
        data = {"ArchivePath": str(host.image), "ArchiveDigest": (await outcome.artifact.describe()).info.id}
        self.assertEqual(json.loads(outcome.generatedData), hook.data | data)
        self.assertEqual(hook.data["ConnType"], "tarball-directory")

    @in_session
    async def test_equal_machines_make_equal_files(self, host, _):
        async def story(machine):
            await run(machine, "mkdir b a; echo x > a/x; touch -d @1 b a a/x")

        digests = set()
        for _ in range(2):
            outcome = await host.provision(story, overwrite=True, compression=1)
            digests.add((await outcome.artifact.describe()).info.id)
        self.assertEqual(len(digests), 1)
        self.assertGreater(len(gzip.decompress(host.image.read_bytes())), 0)

    @in_session
    async def test_one_time_for_all_makes_equal_files_of_machines_that_were_made_at_different_times(self, host, _):
        async def story(machine):
            await run(machine, f"mkdir a; ln -s a b; echo x > a/x; touch -d @{next(times)} a a/x")

        times, digests, latest = iter((1, 2_000_000_000)), set(), 2**53 - 1
        for _ in range(2):
            outcome = await host.provision(story, overwrite=True, modified=latest)
            self.assertEqual(json.loads(outcome.generatedData)["ArchiveModified"], latest)
            self.assertEqual((await outcome.artifact.state("modified")).value, str(latest))
            digests.add((await outcome.artifact.describe()).info.id)
        self.assertEqual(len(digests), 1)
        with tarfile.open(host.image) as archive:
            self.assertEqual({each.mtime for each in archive}, {latest})

    @in_session
    async def test_packing_is_shown(self, host, _):
        async def story(machine):
            await upload(machine, "a", b"x" * 5000)

        await host.provision(story)
        (shown,) = host.ui.shown
        self.assertEqual((shown.total, shown.updates[-1], shown.finished), (5000, 5000, 1))

    @in_session
    async def test_a_build_runs_once(self, host, _):
        build, hook = await host.prepare(), Hook(nothing)
        await host.run(hook, build=build)
        outcome = await host.run(hook, build=build)
        self.assertEqual((outcome.which(), hook.events), ("failed", ["packer_provision"]))

    @in_session
    async def test_a_file_that_is_there_stays_and_nothing_is_provisioned(self, host, _):
        host.image.write_text("mine")
        hook = Hook(nothing)
        outcome = await host.run(hook)
        self.assertEqual((outcome.failed[0].path, hook.events), ("/target", []))
        self.assertEqual(host.image.read_text(), "mine")

    @in_session
    async def test_failed_provisioning_leaves_nothing(self, host, _):
        hook = Hook(failing)
        outcome = await host.run(hook)
        self.assertEqual(summaries(outcome)[1], "exit status 7")
        self.assertEqual(hook.events, ["packer_provision", "packer_cleanup_provision"])
        self.assertEqual(host.files(), [])

    @in_session
    async def test_the_machine_stays_if_the_user_wants_it(self, host, _):
        for on_error, reply, stays in (("abort", None, 1), ("ask", "abort", 2), ("ask", "cleanup", 2), ("ask", None, 2)):
            host.ui.reply = reply
            outcome = await host.run(Hook(failing), build=await host.prepare(on_error))
            self.assertEqual(outcome.which(), "failed")
            self.assertEqual(len(host.files()), stays, (on_error, reply))
        told = [text.split("/")[-2] for text in host.ui.told if text.startswith("The machine stays")]
        self.assertEqual(sorted(told), host.files())

    @in_session
    async def test_cancelling_leaves_nothing(self, host, _):
        cancellation = Cancellation()

        async def story(machine):
            await run(machine, "mkdir -p locked/x; chmod 500 locked; trap '' TERM; sleep 1000", cancellation=hook.cancellation)
            return "cancelled"

        hook = Hook(story)
        running = asyncio.create_task(host.run(hook, cancellation))
        await hook.called.wait()
        self.assertEqual(len(host.files()), 2)
        cancellation.asked.set()
        outcome = await running
        self.assertEqual((outcome.which(), host.files()), ("cancelled", []))

    @in_session
    async def test_a_run_that_is_cancelled_from_the_beginning_ends(self, host, _):
        cancellation = Cancellation()
        cancellation.asked.set()
        outcome = await host.run(Hook(nothing), cancellation)
        self.assertIn(outcome.which(), ("cancelled", "artifact"))

    @in_session
    async def test_the_end_of_the_session_leaves_nothing(self, host, plugin):
        async def story(machine):
            await run(machine, "sleep 1000")

        hook = Hook(story)
        running = asyncio.create_task(host.run(hook))
        await hook.called.wait()
        plugin.send_signal(signal.SIGTERM)
        self.assertEqual((await plugin.wait(), host.files()), (4, []))
        with self.assertRaises(capnp.KjException):
            await running

    @in_session
    async def test_null_capabilities_are_refused(self, host, _):
        outcome = (await (await host.prepare()).run()).outcome
        self.assertIn("the host lent no ui, hook, environment, cancellation", summaries(outcome))

    @in_session
    async def test_the_communicator_is_revoked_when_provisioning_is_over(self, host, _):
        hook = Hook(nothing)
        await host.run(hook)
        with self.assertRaises(capnp.KjException) as refused:
            await hook.communicator.info()
        self.assertIn("revoked", refused.exception.description)
        self.assertNotIn("Traceback", refused.exception.description)


if __name__ == "__main__":
    unittest.main()
