"""What a killed build leaves, and what the ledger makes of it."""

import asyncio
import json
import unittest

from .host import Cancellation, Hook, Ui, in_session, run, summaries


class Remembered(unittest.TestCase):
    async def recover(self, host, *texts):
        entries = [{"text": text, "entry": host.environment.entry(text)} for text in texts]
        recovery = host.components["imageBuilder"].recovery
        lent = {"ui": Ui(), "environment": host.environment, "cancellation": Cancellation()}
        return (await recovery.recover(config="{}", context={}, entries=entries, **lent)).outcome

    @in_session
    async def test_all_that_is_made_is_in_the_ledger_before(self, host, _):
        def is_known():
            (text,) = host.environment.ledger.values()
            return {path.rsplit("/")[-1] for path in json.loads(text).values()}

        async def story(machine):
            self.assertEqual(is_known(), set(host.files()))

        await host.provision(story)
        self.assertEqual(host.environment.ledger, {}, "settled")

    @in_session
    async def test_a_machine_that_stays_is_settled(self, host, _):
        async def story(_machine):
            return "failed"

        await host.run(Hook(story), build=await host.prepare("abort"))
        self.assertEqual((len(host.files()), host.environment.ledger), (1, {}))

    @in_session
    async def test_what_a_killed_process_left_is_removed(self, host, plugin):
        async def story(machine):  # nothing runs there then: a host ends it together with the plugin
            await run(machine, "mkdir -p locked/x; touch locked/x/y; chmod 500 locked")
            made.set()
            await asyncio.Event().wait()

        made = asyncio.Event()
        running = asyncio.create_task(host.run(Hook(story)))
        await made.wait()
        left = list(host.environment.ledger.values())
        plugin.kill()
        await asyncio.wait({running})
        self.assertTrue(running.exception())
        self.assertEqual(len(host.files()), 2)
        for _ in range(2):  # the second time it is gone
            async with host.another():
                self.assertEqual((await self.recover(host, *left)).which(), "done")
            self.assertEqual(host.files(), [])

    @in_session
    async def test_an_archive_of_which_nobody_was_told_is_removed_and_no_other(self, host, _):
        async def story(_machine):
            pass

        outcome = await host.provision(story)
        digest = (await outcome.artifact.describe()).info.id
        nothing = {"machine": "/nowhere/machine", "draft": "/nowhere/draft"}
        for claimed, left in (("sha256:other", ["image.tgz"]), (digest, [])):
            text = json.dumps(nothing | {"target": str(host.image), "digest": claimed})
            self.assertEqual((await self.recover(host, text)).which(), "done")
            self.assertEqual(host.files(), left)

    @in_session
    async def test_somebody_else_s_entry_is_left_alone(self, host, _):
        nothing = json.dumps({"machine": "/nowhere/machine", "draft": "/nowhere/draft"})
        strange = ["", "null", "{}", "nonsense"]
        outcome = await self.recover(host, strange[0], nothing, *strange[1:])
        self.assertEqual(summaries(outcome), ["an entry of the ledger is not one of this builder's"] * 4)
        self.assertEqual(sorted(host.environment.ledger.values()), sorted(strange))


if __name__ == "__main__":
    unittest.main()
