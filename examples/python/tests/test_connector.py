"""The communicator as a component of its own."""

import asyncio
import os
import unittest

import capnp

from .host import Cancellation, Sink, in_session, run, summaries


class Connector(unittest.TestCase):
    async def open(self, host, directory="."):
        connection = await host.prepared("communicator", {"directory": directory, "environment": {"STAGE": "test"}})
        answer = await connection.open(ui=host.ui, environment=host.environment, cancellation=Cancellation())
        return connection, answer.outcome

    @in_session
    async def test_a_directory_is_a_machine_until_it_is_closed(self, host, _):
        connection, outcome = await self.open(host)
        machine = outcome.communicator
        self.assertEqual((await machine.info()).info.type, "tarball-directory")
        out = (await run(machine, "pwd; echo $STAGE; touch $TMPDIR/mine made"))[1]
        self.assertEqual(out.decode().splitlines(), [str(host.directory), "test"])
        self.assertEqual(host.files(), ["made"])
        await machine.close()
        with self.assertRaises(capnp.KjException):
            await machine.info()
        await connection.close()

    @in_session
    async def test_what_runs_in_the_background_ends_with_the_connection(self, host, _):
        connection, outcome = await self.open(host)
        process = (await run(outcome.communicator, "sleep 1000 >&- 2>&- & echo $!"))[1].decode().strip()
        await connection.close()
        gone = await asyncio.create_subprocess_exec("sh", "-c", f"kill -0 {process} 2>&-")
        self.assertNotEqual(await gone.wait(), 0)

    @in_session
    async def test_what_runs_in_the_background_ends_with_the_session(self, host, plugin):
        _, outcome = await self.open(host)
        process = (await run(outcome.communicator, "sleep 1000 >&- 2>&- & echo $!"))[1].decode().strip()
        host.end.set_result(("leave", None))
        self.assertEqual(await plugin.wait(), 0)
        gone = await asyncio.create_subprocess_exec("sh", "-c", f"kill -0 {process} 2>&-")
        self.assertNotEqual(await gone.wait(), 0)

    @in_session
    async def test_what_runs_ends_with_a_plugin_that_is_killed_together_with_its_host(self, host, plugin):
        _, outcome = await self.open(host)
        background = (await run(outcome.communicator, "trap '' TERM; sleep 1000 >&- 2>&- & echo $!"))[1]
        out = Sink()
        line = "trap '' TERM; echo $$; sleep 1000"
        running = asyncio.create_task(run(outcome.communicator, line, stdout=out))
        await out.came.wait()
        processes = [os.pidfd_open(int(each)) for each in (background, out.content)]
        plugin.kill()  # nobody ends its session here
        await plugin.wait()
        for process in processes:
            await asyncio.wait_for(ended(process), 20)
        with self.assertRaises(capnp.KjException):
            await running

    @in_session
    async def test_nothing_is_left_of_an_upload_when_the_plugin_is_killed(self, host, plugin):
        _, outcome = await self.open(host)
        content = (await outcome.communicator.upload("file", {"size": 8})).content
        await content.write(b"half")
        self.assertEqual(host.files(), [])
        plugin.kill()
        await plugin.wait()
        self.assertEqual(host.files(), [])

    @in_session
    async def test_a_directory_that_is_missing_is_no_machine(self, host, _):
        _, outcome = await self.open(host, "nowhere")
        self.assertEqual(summaries(outcome), [f"{host.directory}/nowhere is not a directory"])
        self.assertEqual([*host.environment.directory.iterdir()], [])

    @in_session
    async def test_it_is_opened_once(self, host, _):
        connection, _ = await self.open(host)
        answer = await connection.open(ui=host.ui, environment=host.environment, cancellation=Cancellation())
        self.assertEqual(answer.outcome.which(), "failed")


async def ended(process):
    """Waits for a process of which this is the file descriptor."""
    over, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(process, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(process)
        os.close(process)


if __name__ == "__main__":
    unittest.main()
