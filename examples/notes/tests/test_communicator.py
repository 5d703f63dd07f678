"""The communicator."""

import io
import tarfile
import unittest

from .host import Cancellation, Sink, in_session, run, send, upload


class Communicator(unittest.TestCase):
    @in_session
    async def test_commands_run_in_the_directory_with_their_input_and_output(self, host, _):
        async with host.machine(directory=".") as machine:
            ended, out, err = await run(machine, "pwd; cat; echo no >&2; exit 3", stdin=b"x" * 300_000)
            self.assertEqual((ended.status, err), (3, b"no\n"))
            self.assertEqual(out, f"{host.work}\n".encode() + b"x" * 300_000)
            self.assertEqual((await run(machine, "kill -TERM $$"))[0].signal, "TERM")

    @in_session
    async def test_without_a_directory_the_host_lends_one(self, host, _):
        async with host.machine() as machine:
            _, out, _ = await run(machine, "pwd")
            self.assertTrue(out.startswith(f"{host.temporary}/".encode()), out)

    @in_session
    async def test_a_cancelled_command_ends_with_what_it_has_started(self, host, _):
        cancellation = Cancellation()
        cancellation.asked.set()
        async with host.machine(directory=".") as machine:
            ended, _, _ = await run(machine, "trap '' TERM; sleep 1000 & wait", cancellation=cancellation)
            self.assertEqual(ended.which(), "cancelled")

    @in_session
    async def test_a_command_ends_although_somebody_goes_on_to_write_in_its_name(self, host, _):
        line = "setsid sh -c 'while test -d .; do echo x; sleep 0.1; done' & echo one"
        async with host.machine(directory=".") as machine:
            ended, out, _ = await run(machine, f"mkdir here; cd here; {line}")
            self.assertEqual((ended.status, out[:4]), (0, b"one\n"))
            (host.work / "here").rmdir()

    @in_session
    async def test_an_upload_replaces_its_target_as_a_whole_or_not_at_all(self, host, _):
        target = host.work / "a"
        async with host.machine(directory=".") as machine:
            self.assertEqual((await upload(machine, "a", b"one", mode=0o640, size=3)).which(), "done")
            self.assertEqual((target.read_bytes(), target.stat().st_mode & 0o777), (b"one", 0o640))
            self.assertEqual((await upload(machine, "a", b"two", size=4)).which(), "failed")
            open_upload = (await machine.upload("a", {})).content
            await open_upload.write(b"three")
            await open_upload.abort()
            self.assertEqual((await upload(machine, "nowhere/a", b"")).which(), "failed")
        self.assertEqual(([path.name for path in host.work.iterdir()], target.read_bytes()), (["a"], b"one"))

    @in_session
    async def test_downloads_end_their_stream_or_abort_it(self, host, _):
        (host.work / "a").write_bytes(b"content")
        async with host.machine(directory=".") as machine:
            for path, how, content, end in (("a", "done", b"content", "end"), ("b", "failed", b"", "abort")):
                sink = Sink()
                answer = await machine.download(path, sink, Cancellation())
                self.assertEqual((answer.outcome.which(), sink.content, sink.ends), (how, content, [end]))

    @in_session
    async def test_a_directory_comes_back_as_it_was_sent(self, host, _):
        (host.work / "a").mkdir(mode=0o750)
        (host.work / "a/link").symlink_to("b")
        (host.work / "a/b").write_text("text")
        async with host.machine(directory=".") as machine:
            sink = Sink()
            answer = await machine.downloadTree("a", sink, Cancellation())
            self.assertEqual(answer.outcome.which(), "done")
            self.assertEqual((await self.unpack(machine, "copy", sink.content)).which(), "done")
        copy = host.work / "copy"
        self.assertEqual((copy.stat().st_mode & 0o777, (copy / "link").readlink().name), (0o750, "b"))
        self.assertEqual((copy / "b").read_text(), "text")

    @in_session
    async def test_an_archive_that_leads_outside_changes_nothing(self, host, _):
        file, link, directory = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE
        async with host.machine(directory=".") as machine:
            for entries in (
                [("../out", file, "")],
                [("/out", file, "")],
                [("a", link, "..")],
                [("a", link, "b/../../.."), ("b", link, "c/d")],
                [("a", link, "b"), ("a/out", file, "")],
                [("a", tarfile.FIFOTYPE, "")],
                [("a", directory, ""), ("b", tarfile.LNKTYPE, "../a")],
                # Where the first `a` is looked through, the second `b` leads to the parent of the directory.
                [
                    ("a", link, "."),
                    ("b", link, "a/a/.."),
                    ("b/o", file, ""),
                    ("a", directory, ""),
                    ("b", directory, ""),
                ],
            ):
                outcome = await self.unpack(machine, "into", archive(entries))
                self.assertEqual(outcome.which(), "failed", entries)
        self.assertEqual(list(host.work.iterdir()), [])

    @in_session
    async def test_a_time_that_no_file_can_have_is_refused(self, host, _):
        async with host.machine(directory=".") as machine:
            outcome = await self.unpack(machine, "into", archive([("a", tarfile.REGTYPE, "")], modified=1e300))
            self.assertEqual(outcome.which(), "failed")
        self.assertEqual(list(host.work.iterdir()), [])

    @in_session
    async def test_a_tunnel_that_there_is_not_aborts_its_stream(self, host, _):
        async with host.machine(directory=".") as machine:
            dialed, sink = await machine.dial("localhost", 80), Sink()
            answer = await dialed.tunnel.run(sink, Cancellation())
            self.assertEqual((answer.outcome.which(), sink.ends), ("failed", ["abort"]))

    async def unpack(self, machine, path, content):
        return await send((await machine.uploadTree(path)).archive, content)


def archive(entries, modified=0):
    """An archive of entries, each a name, a type, and what it leads to."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, target in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.mode, entry.mtime = kind, target, 0o755, modified
            tar.addfile(entry)
    return content.getvalue()


if __name__ == "__main__":
    unittest.main()
