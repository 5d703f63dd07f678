"""Files that appear as a whole or not at all, in this process."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tarball import files, tree
from tarball.files import Draft, NamelessDraft


def each_kind(story):
    """A test in a directory with drafts that have a name, that have none, and that cannot be without."""

    def test(self):
        for make, numbers in ((Draft, "/proc/self/fd"), (NamelessDraft, "/proc/self/fd"), (NamelessDraft, "/nowhere")):
            with (
                self.subTest(make=make.__name__, numbers=numbers),
                mock.patch.object(files, "FILES_BY_NUMBER", Path(numbers)),
                tempfile.TemporaryDirectory() as directory,
            ):
                story(self, Path(directory), make)

    return test


class Drafts(unittest.TestCase):
    @each_kind
    def test_it_appears_as_a_whole_with_its_mode_and_time(self, directory, make):
        draft = make(directory / "file")
        draft.write(b"one ")
        draft.write(b"two")
        self.assertFalse((directory / "file").exists())
        draft.publish(0o4751, 1_000_000_000)
        draft.discard()
        (place,) = directory.iterdir()
        self.assertEqual((place.name, place.read_bytes()), ("file", b"one two"))
        self.assertEqual((place.stat().st_mode & 0o7777, place.stat().st_mtime), (0o4751, 1_000_000_000))

    @each_kind
    def test_what_is_there_is_replaced_if_it_may_be(self, directory, make):
        for overwrite, content in ((False, b"old"), (True, b"new")):
            (directory / "file").write_bytes(b"old")
            draft = make(directory / "file")
            draft.write(b"new")
            if overwrite:
                draft.publish(0o644)
            else:
                with self.assertRaises(FileExistsError):
                    draft.publish(0o644, overwrite=False)
            draft.discard()
            self.assertEqual([path.read_bytes() for path in directory.iterdir()], [content])

    @each_kind
    def test_a_link_is_replaced_and_not_followed(self, directory, make):
        (directory / "file").symlink_to("elsewhere")
        make(directory / "file").publish(0o644)
        self.assertEqual(os.listdir(directory), ["file"])
        self.assertTrue((directory / "file").is_file())

    @each_kind
    def test_what_cannot_take_its_place_leaves_nothing(self, directory, make):
        (directory / "file" / "in").mkdir(parents=True)
        draft = make(directory / "file")
        with self.assertRaises(OSError) as refused:
            draft.publish(0o644)
        draft.discard()
        self.assertEqual(refused.exception.filename, str(directory / "file"))
        self.assertEqual(os.listdir(directory), ["file"])

    @each_kind
    def test_what_is_discarded_was_never_there(self, directory, make):
        draft = make(directory / "file")
        draft.write(b"half")
        draft.discard()
        self.assertEqual(os.listdir(directory), [])

    def test_without_a_name_nothing_is_to_be_seen_of_it(self):
        with tempfile.TemporaryDirectory() as directory:
            draft = NamelessDraft(Path(directory) / "file")
            draft.write(b"half")
            self.assertEqual(os.listdir(directory), [])
            draft.discard()


class Copies(unittest.TestCase):
    def test_a_file_and_a_link_take_their_place_on_another_file_system(self):
        with tempfile.TemporaryDirectory() as directory:
            staged, place = Path(directory) / "staged", Path(directory) / "place"
            place.write_bytes(b"old")
            staged.write_bytes(b"new")
            os.chmod(staged, 0o751)
            os.utime(staged, (1_000_000_000, 1_000_000_000))
            tree.copy(staged, place)
            self.assertEqual((place.read_bytes(), place.stat().st_mode & 0o7777), (b"new", 0o751))
            self.assertEqual(place.stat().st_mtime, 1_000_000_000)
            staged.unlink()
            staged.symlink_to("elsewhere")
            tree.copy(staged, place)
            self.assertEqual(os.readlink(place), "elsewhere")
            self.assertEqual(sorted(os.listdir(directory)), ["place", "staged"])


if __name__ == "__main__":
    unittest.main()
