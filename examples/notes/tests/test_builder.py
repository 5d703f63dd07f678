"""The builder, and what it remembers."""

import asyncio
import json
import unittest

from .host import Cancellation, Entry, Hook, Ui, in_session, run, summaries


class Builder(unittest.TestCase):
    async def build(self, host, hook, config, cancellation=None, **context):
        prepared = await host.prepared("imageBuilder", {"path": "notes.txt", **config}, **context)
        return await host.runs(prepared, cancellation, hook=hook)

    def files(self, host):
        return sorted(path.name for path in host.work.iterdir())

    @in_session
    async def test_a_file_is_made_provisioned_described_and_destroyed(self, host, _):
        async def story(machine):
            ended, out, _ = await run(machine, "cat notes.txt; echo third >>notes.txt")
            self.assertEqual((ended.status, out), (0, b"first\nsecond\n"))

        hook = Hook(story)
        config = {"lines": ["first"], "commands": ["echo second >>notes.txt; echo working"], "revision": 2}
        outcome = await self.build(host, hook, config)
        self.assertEqual(outcome.which(), "artifact", outcome)
        self.assertEqual((host.work / "notes.txt").read_text(), "first\nsecond\nthird\n")
        self.assertIn("working", host.ui.told)
        self.assertEqual((hook.events, hook.data["Revision"]), (["packer_provision"], 2))
        digest = json.loads((await outcome.artifact.state("digest")).value)
        self.assertEqual(json.loads(outcome.generatedData), hook.data | {"Digest": digest})
        info = (await outcome.artifact.describe()).info
        self.assertEqual(list(info.files), [str(host.work / "notes.txt")])
        destroyed = await outcome.artifact.destroy(ui=Ui(), cancellation=Cancellation())
        self.assertEqual((destroyed.outcome.which(), self.files(host), host.environment.ledger), ("done", [], {}))

    @in_session
    async def test_a_failing_command_is_named_and_nothing_stays(self, host, _):
        outcome = await self.build(host, Hook(), {"commands": ["true", "kill -KILL $$"]})
        self.assertEqual(summaries(outcome), ["`kill -KILL $$` was ended by the signal KILL"])
        self.assertEqual(outcome.failed[0].path, "/commands/1")
        self.assertEqual((self.files(host), host.environment.ledger), ([], {}))

    @in_session
    async def test_a_command_ends_although_nobody_takes_its_output(self, host, _):
        host.ui.mute = True
        outcome = await self.build(host, Hook(), {"commands": ["seq 100000; touch ../done"]})
        self.assertEqual(summaries(outcome), ["a call that the work needs has failed"])
        self.assertEqual(self.files(host), ["done"])

    @in_session
    async def test_a_name_that_no_file_can_have_is_a_failure(self, host, _):
        outcome = await self.build(host, Hook(), {"path": "a" * 300})
        self.assertEqual(summaries(outcome), [f"{host.work}/{'a' * 300}: File name too long"])

    @in_session
    async def test_nothing_is_made_that_the_ledger_refuses_even_in_a_way_that_nobody_knows(self, host, _):
        for severity in ("error", "unset"):
            host.environment.refuses, hook = severity, Hook()
            outcome = await self.build(host, hook, {})
            told = ["the host could not remember what is going to be made", "the disk is full"]
            self.assertEqual((summaries(outcome), hook.events, self.files(host)), (told, [], []))

    @in_session
    async def test_failed_provisioning_is_cleaned_up_unless_the_user_wants_to_see_it(self, host, _):
        async def story(_machine):
            return "failed"

        for on_error, reply, stays in (("cleanup", None, 0), ("ask", None, 0), ("ask", "y", 1), ("abort", None, 2)):
            host.ui.reply, hook = reply, Hook(story)
            outcome = await self.build(host, hook, {}, onError=on_error)
            self.assertEqual(summaries(outcome), ["provisioning failed", "exit status 7"])
            self.assertEqual(hook.events, ["packer_provision", "packer_cleanup_provision"])
            self.assertEqual((len(self.files(host)), host.environment.ledger), (stays, {}), (on_error, reply))

    @in_session
    async def test_what_is_cancelled_never_stays(self, host, _):
        async def story(machine):
            await run(machine, "sleep 1000", cancellation=hook.cancellation)
            return "cancelled"

        hook, cancellation = Hook(story), Cancellation()
        running = asyncio.create_task(self.build(host, hook, {}, cancellation, onError="abort"))
        await hook.called.wait()
        cancellation.asked.set()
        self.assertEqual(((await running).which(), self.files(host)), ("cancelled", []))

    @in_session
    async def test_a_file_that_is_there_is_replaced_only_by_force(self, host, _):
        (host.work / "notes.txt").write_text("mine")
        outcome = await self.build(host, Hook(), {})
        self.assertEqual((outcome.which(), outcome.failed[0].path), ("failed", "/path"))
        self.assertEqual((host.work / "notes.txt").read_text(), "mine")
        outcome = await self.build(host, Hook(), {"lines": ["new"]}, force=True)
        self.assertEqual((outcome.which(), (host.work / "notes.txt").read_text()), ("artifact", "new\n"))

    @in_session
    async def test_a_recovery_removes_what_the_ledger_names_and_nothing_else(self, host, _):
        async def story(_machine):
            entries.extend(host.environment.ledger.values())

        entries = []
        await self.build(host, Hook(story), {})
        left = json.loads(entries[0])["directory"]
        entries.append(json.dumps({"directory": str(host.work), "target": str(host.work / "notes.txt"), "inode": None}))
        (host.work / left).mkdir()
        recovery, ledger = host.components["imageBuilder"].recovery, {}
        remembered = [{"text": text, "entry": Entry(ledger, text)} for text in entries]
        answer = await recovery.recover(
            config="{}", entries=remembered, ui=Ui(), environment=host.environment, cancellation=Cancellation()
        )
        self.assertEqual(summaries(answer.outcome), [f"{host.work} is not a directory of this builder"])
        self.assertEqual((list(ledger.values()), self.files(host)), (entries[1:], ["notes.txt"]))


if __name__ == "__main__":
    unittest.main()
