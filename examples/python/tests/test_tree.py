"""Directories as archives, from a host's side of the link."""

import io
import tarfile
import unittest

from .host import Cancellation, Sink, run, send
from .test_communicator import with_machine


def archive(*members, **content):
    """A tar archive of members, as (name, changes), and of files with their content."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as into:
        for name, changes in members:
            member = tarfile.TarInfo(name)
            for key, value in changes.items():
                setattr(member, key, value)
            into.addfile(member, io.BytesIO(b"x" * member.size))
        for name, text in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            into.addfile(member, io.BytesIO(text))
    return written.getvalue()


def link(to):
    return {"type": tarfile.SYMTYPE, "linkname": to}


def hard(to):
    return {"type": tarfile.LNKTYPE, "linkname": to}


DIRECTORY = {"type": tarfile.DIRTYPE, "mode": 0o755}


async def upload(machine, path, content):
    return await send((await machine.uploadTree(path)).archive, content)


async def listed(machine, path="."):
    return (await run(machine, f"cd {path} && find . -mindepth 1 -printf '%P %y %m %l\\n' | sort"))[1].decode().splitlines()


class Trees(unittest.TestCase):
    @with_machine
    async def test_a_tree_goes_there_and_back(self, machine):
        members = [
            ("empty", DIRECTORY | {"mode": 0o500}),
            ("ä b", DIRECTORY),
            ("ä b/program", {"size": 300_000, "mode": 0o6751, "uid": 4711, "mtime": 1_000_000_000}),
            ("ä b/same", hard("ä b/program")),
            ("ä b/up", link("../empty")),
            ("down", link("ä b/program")),
        ]
        sent = archive(*members)
        self.assertEqual((await upload(machine, "there", sent)).which(), "done")
        expected = [
            "down l 777 ä b/program",
            "empty d 500 ",
            "ä b d 755 ",
            "ä b/program f 751 ",
            "ä b/same f 751 ",
            "ä b/up l 777 ../empty",
        ]
        self.assertEqual(await listed(machine, "there"), expected)
        sink = Sink()
        answer = await machine.downloadTree("there", sink, Cancellation())
        self.assertEqual((answer.outcome.which(), sink.ends), ("done", ["end"]))
        back = {each.name: each for each in tarfile.open(fileobj=io.BytesIO(sink.content))}
        self.assertEqual(set(back), {name for name, _ in members})
        program = back["ä b/program"]
        self.assertEqual((program.size, program.mode, program.mtime, program.uid), (300_000, 0o751, 1_000_000_000, 0))
        self.assertEqual((await upload(machine, "again", sink.content)).which(), "done")
        self.assertEqual(await listed(machine, "again"), expected)

    @with_machine
    async def test_a_tree_is_laid_over_what_is_there(self, machine):
        await run(machine, "mkdir -p there/a && echo old > there/a/x && touch there/a/y")
        verdict = await upload(machine, "there", archive(("./", DIRECTORY), ("./a", DIRECTORY), ("./a/x", {"size": 1})))
        self.assertEqual(verdict.which(), "done")
        self.assertEqual((await run(machine, "cat there/a/x; ls there/a"))[1], b"xx\ny\n")

    @with_machine
    async def test_what_leads_outside_is_refused_and_nothing_is_unpacked(self, machine):
        hostile = {
            "absolute": [("/tmp/x", {})],
            "above": [("../x", {})],
            "through": [("a/../../x", {})],
            "absolute link": [("l", link("/etc"))],
            "link above": [("a/l", link("../../x"))],
            "link to above": [("l", link(".."))],
            "winding link": [("d", DIRECTORY), ("d/s", link("..")), ("l", link("d/s/../x"))],
            "name through a link": [("d", DIRECTORY), ("l", link("d")), ("l/x", {})],
            "hard link above": [("l", hard("../x"))],
            "hard link through a link": [("d", DIRECTORY), ("l", link("d")), ("d/x", {}), ("h", hard("l/x"))],
            "hard link to nothing": [("l", hard("x"))],
            "device": [("d", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})],
            "pipe": [("p", {"type": tarfile.FIFOTYPE})],
        }
        for what, members in hostile.items():
            verdict = await upload(machine, "there", archive(("good", {}), *members))
            self.assertEqual(verdict.which(), "failed", what)
        self.assertEqual(await listed(machine), [])

    @with_machine
    async def test_a_link_of_the_machine_leads_nothing_elsewhere(self, machine):
        await run(machine, "mkdir there elsewhere && ln -s ../elsewhere there/l && touch there/file")
        for members in ([("l/x", {})], [("l", DIRECTORY)], [("file", DIRECTORY)]):
            verdict = await upload(machine, "there", archive(*members))
            self.assertEqual(verdict.which(), "failed", members)
        self.assertEqual((await run(machine, "ls elsewhere"))[1], b"")
        self.assertEqual((await upload(machine, "there", archive(("l", {"size": 1})))).which(), "done")
        self.assertEqual((await run(machine, "cat there/l"))[1], b"x")

    @with_machine
    async def test_what_is_no_archive_is_refused(self, machine):
        good = archive(a=b"content", b=b"content")
        for content in (b"", b"nonsense" * 1000, good[:512], good[:1536], good[:1024] + b"damaged" + good[1031:]):
            verdict = await upload(machine, "there", content)
            self.assertEqual(verdict.which(), "failed", content[:40])
        self.assertEqual(await listed(machine), [])

    @with_machine
    async def test_an_aborted_tree_leaves_nothing(self, machine):
        into = (await machine.uploadTree("there")).archive
        await into.write(archive(a=b"content"))
        await into.abort()
        self.assertEqual(await listed(machine), [])
        self.assertEqual((await run(machine, "ls -A $TMPDIR"))[1], b"")

    @with_machine
    async def test_what_is_no_directory_cannot_be_brought(self, machine):
        await run(machine, "touch file")
        for path in ("nowhere", "file", ""):
            sink = Sink()
            answer = await machine.downloadTree(path, sink, Cancellation())
            self.assertEqual((answer.outcome.which(), sink.ends), ("failed", ["abort"]), path)


if __name__ == "__main__":
    unittest.main()
