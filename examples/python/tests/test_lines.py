"""The provisioner, on machines of the builder and by itself."""

import unittest

from tarball.lines import edited

from .host import Cancellation, Hook, in_session, run, summaries, upload


class Edits(unittest.TestCase):
    def edit(self, content, lines=(), remove=()):
        return edited(content, list(lines), list(remove))

    def test_what_is_missing_goes_to_the_end(self):
        self.assertEqual(self.edit(b"a\nb\n", ["c", "a", "c"]), b"a\nb\nc\n")
        self.assertEqual(self.edit(b"a", ["b"]), b"a\nb\n")
        self.assertEqual(self.edit(b"", ["a"]), b"a\n")

    def test_what_is_missing_goes_where_a_line_was_removed(self):
        self.assertEqual(self.edit(b"a\n#x = 1\nb\nx = 2\n", ["x = 3"], ["^#?x ="]), b"a\nx = 3\nb\n")

    def test_what_is_wanted_is_not_removed(self):
        self.assertEqual(self.edit(b"x = 1\nx = 2\n", ["x = 2"], ["^x"]), b"x = 2\n")

    def test_what_is_right_stays_byte_for_byte(self):
        for content in (b"a", b"a\n", b"\xff\r\na\r\n", b"\na\n\n"):
            self.assertEqual(self.edit(content, ["a"], ["b"]), content)

    def test_doing_it_again_changes_nothing(self):
        once = self.edit(b"\xff\r\nold\r\n", ["new", "newer"], ["old"])
        self.assertEqual(once, b"\xff\r\nnew\r\nnewer\r\n")
        self.assertEqual(self.edit(once, ["new", "newer"], ["old"]), once)


def provisioning(story):
    """A test with a machine and a function that provisions it with a configuration."""

    @in_session
    async def test(self, host, _plugin):
        async def provision(machine):
            async def lines(cancellation=None, **config):
                prepared = await host.prepared("provisioner", {"path": "file", **config})
                return await host.runs(prepared, cancellation, communicator=machine, generatedData="{}")

            await story(self, host, machine, lines)

        hook = Hook(provision)
        outcome = await host.run(hook)
        if hook.failure:
            raise hook.failure
        self.assertEqual(outcome.which(), "artifact")

    return test


async def content(machine, path="file"):
    return (await run(machine, f"cat {path}"))[1]


class Provisioning(unittest.TestCase):
    @provisioning
    async def test_a_file_is_made_once(self, host, machine, lines):
        for _ in range(2):
            self.assertEqual((await lines(lines=["one"], on_change="echo changed; pwd >> log")).which(), "done")
        self.assertEqual(await content(machine), b"one\n")
        self.assertEqual((await run(machine, "stat -c %a file; wc -l < log; ls"))[1], b"644\n1\nfile\nlog\n")
        self.assertIn("changed", host.ui.told)
        self.assertEqual(host.ui.told[-1], "file is as it should be")

    @provisioning
    async def test_permissions_and_links_stay(self, host, machine, lines):
        await upload(machine, "real", b"one\n", mode=0o600)
        await run(machine, "ln -s real file")
        await lines(lines=["two"])
        self.assertEqual(await content(machine, "real"), b"one\ntwo\n")
        self.assertEqual((await run(machine, "stat -c '%F %a' file real"))[1], b"symbolic link 777\nregular file 600\n")
        await lines(lines=["three"], mode="640")
        self.assertEqual((await run(machine, "stat -c %a real"))[1], b"640\n")

    @provisioning
    async def test_what_a_shell_would_read_is_only_a_name(self, host, machine, lines):
        path = "it's $HOME; a `file`"
        self.assertEqual((await lines(path=path, lines=["one"])).which(), "done")
        self.assertEqual(sorted((await run(machine, "ls"))[1].decode().splitlines()), [path])

    @provisioning
    async def test_failures_say_what_could_not_be_done(self, host, machine, lines):
        await run(machine, "mkdir directory")
        for config, told in (
            ({"create": False}, "there is no file file on the machine"),
            ({"path": "directory"}, "cannot be read"),
            ({"path": "nowhere/file"}, "cannot be written"),
            ({"on_change": "exit 7"}, "the command 'exit 7' ended with status 7"),
            ({"on_change": "kill -TERM $$", "lines": ["two"]}, "was ended by the signal TERM"),
            ({"confirm": True, "path": "other"}, "nobody can be asked"),
        ):
            outcome = await lines(**{"lines": ["one"]} | config)
            self.assertIn(told, summaries(outcome)[0], config)

    @provisioning
    async def test_a_file_becomes_what_it_was_when_the_command_fails(self, host, machine, lines):
        await upload(machine, "old", b"one\n", mode=0o600)
        for path in ("old", "new"):
            for _ in range(2):
                outcome = await lines(path=path, lines=["two"], mode="640", on_change="exit 7")
                self.assertEqual(outcome.which(), "failed")
        self.assertEqual((await run(machine, "ls; cat old; stat -c %a old"))[1], b"old\none\n600\n")

    @provisioning
    async def test_the_user_may_be_asked(self, host, machine, lines):
        for reply, how in (("no", "failed"), ("yes", "done")):
            host.ui.reply = reply
            self.assertEqual((await lines(lines=["one"], confirm=True)).which(), how)

    @provisioning
    async def test_a_command_ends_with_the_run(self, host, machine, lines):
        cancellation = Cancellation()

        async def soon(text):
            if text.startswith("Running"):
                cancellation.asked.set()

        host.ui.hears = soon
        outcome = await lines(cancellation, lines=["one"], on_change="sleep 1000")
        self.assertEqual((outcome.which(), (await run(machine, "ls"))[1]), ("cancelled", b""))

    @in_session
    async def test_a_machine_is_needed(self, host, _):
        prepared = await host.prepared("provisioner", {"path": "file", "lines": ["one"]})
        outcome = await host.runs(prepared)
        self.assertEqual(summaries(outcome), ["the host lent no communicator"])


if __name__ == "__main__":
    unittest.main()
