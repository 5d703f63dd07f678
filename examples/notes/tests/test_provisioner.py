"""The provisioner, on a machine that the communicator opened."""

import unittest

from .host import in_session, summaries


class Provisioner(unittest.TestCase):
    async def replace(self, host, **config):
        async with host.machine(directory=".") as machine:
            prepared = await host.prepared("provisioner", {"path": "a", "find": "draft", **config})
            return await host.runs(prepared, communicator=machine, generatedData="{}")

    @in_session
    async def test_each_of_the_texts_is_replaced_and_the_mode_stays(self, host, _):
        file = host.work / "a"
        file.write_text("a draft of a draft\n")
        file.chmod(0o640)
        self.assertEqual((await self.replace(host, replace="note")).which(), "done")
        self.assertEqual((file.read_text(), file.stat().st_mode & 0o777), ("a note of a note\n", 0o640))
        self.assertIn("a: 2 replaced", host.ui.told)

    @in_session
    async def test_what_is_missing_is_named(self, host, _):
        outcome = await self.replace(host)
        self.assertEqual((summaries(outcome), outcome.failed[0].path), (["`test -f a` ended with status 1"], "/path"))
        (host.work / "a").write_text("final")
        outcome = await self.replace(host)
        self.assertEqual((summaries(outcome), outcome.failed[0].path), (["the text is not in a"], "/find"))
        self.assertEqual((await self.replace(host, optional=True)).which(), "done")

    @in_session
    async def test_without_a_machine_it_fails(self, host, _):
        prepared = await host.prepared("provisioner", {"path": "a", "find": "draft"})
        self.assertEqual(summaries(await host.runs(prepared)), ["the host has lent no communicator"])


if __name__ == "__main__":
    unittest.main()
