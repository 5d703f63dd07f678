"""The plugin's life."""

import asyncio
import signal
import subprocess
import unittest

import capnp

from .host import COMMAND, TOKEN, Hook, in_session, run


class Session(unittest.TestCase):
    def test_started_by_hand_it_says_what_it_is(self):
        ended = subprocess.run([COMMAND], env={}, capture_output=True, text=True, timeout=30)
        self.assertEqual((ended.returncode, ended.stdout), (2, ""))
        self.assertIn("a host such as packwire starts it", ended.stderr)

    @in_session
    async def test_it_offers_four_components_and_leaves_when_it_is_told(self, host, plugin):
        self.assertEqual((host.token, host.name), (TOKEN, "packer-plugin-notes"))
        names = {kind: each.name for kind, each in host.components.items()}
        self.assertEqual(
            names,
            {
                "imageBuilder": "notes",
                "communicator": "notes-directory",
                "provisioner": "notes-replace",
                "dataSource": "notes-file",
            },
        )
        host.end.set_result("leave")
        self.assertEqual(await plugin.wait(), 0)

    @in_session
    async def test_the_end_of_a_session_ends_commands_and_removes_what_was_half_made(self, host, plugin):
        async def story(machine):
            await run(machine, "sleep 1000")

        hook = Hook(story)
        prepared = await host.prepared("imageBuilder", {"path": "a"})
        running = asyncio.create_task(host.runs(prepared, hook=hook))
        await hook.called.wait()
        plugin.send_signal(signal.SIGTERM)
        self.assertEqual((await plugin.wait(), list(host.work.iterdir())), (4, []))
        with self.assertRaises(capnp.KjException):
            await running


if __name__ == "__main__":
    unittest.main()
