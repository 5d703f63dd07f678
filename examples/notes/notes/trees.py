"""Directories as they travel: archives in the pax format, checked before they touch anything."""

import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from notes.files import beside
from notes.problems import Failed, Problem, reason

BLOCK = tarfile.BLOCKSIZE
MOST_LINKS = 40  # on the way to one target, as in Linux


def pack(directory: Path, archive: IO[bytes]) -> None:
    """Writes a directory as an archive: files, directories and links, without owners."""
    if not directory.is_dir():
        raise Failed(Problem(f"{directory} is no directory"))
    try:
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
            tar.add(directory.resolve(), arcname=".", filter=portable)
    except OSError as problem:
        raise Failed(Problem(f"{directory} cannot be packed: {reason(problem)}")) from problem


def portable(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """An entry without its owner; of a device or a fifo, nothing."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry if entry.isreg() or entry.isdir() or entry.issym() or entry.islnk() else None


def unpack(archive: IO[bytes], directory: Path) -> None:
    """Unpacks an archive into a directory, or raises and leaves it as it was."""
    staging = beside(directory)
    try:
        archive.seek(0)
        with tarfile.open(fileobj=archive, mode="r:") as tar:
            entries = list(names(tar))
            if archive.seek(tar.offset) != tar.offset or archive.read(BLOCK) != bytes(BLOCK):
                raise Failed(Problem("the archive has no end"))
            check(entries, directory)
            staging.mkdir()
            for name, entry in entries:
                extract(tar, entry, staging, name)
        if directory.is_dir():
            merge(entries, staging, directory)
            set_modes(entries, directory)
        else:
            set_modes(entries, staging)
            staging.rename(directory)
    except (OSError, OverflowError, tarfile.TarError, ValueError) as problem:
        said = reason(problem) if isinstance(problem, OSError) else str(problem)
        raise Failed(Problem(f"{directory}: the archive cannot be unpacked: {said}")) from problem
    finally:
        shutil.rmtree(staging, ignore_errors=True)


Entries = list[tuple[PurePosixPath, tarfile.TarInfo]]


def names(tar: tarfile.TarFile) -> Iterator[tuple[PurePosixPath, tarfile.TarInfo]]:
    """The entries of an archive, with names that lead nowhere else."""
    for entry in tar:
        yield relative(entry.name), entry


def relative(name: str) -> PurePosixPath:
    """A name inside of the archive."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise Failed(Problem(f"the archive is refused: the name {name!r} leads outside"))
    return path


def check(entries: Entries, directory: Path) -> None:
    """Refuses what would leave the directory, or put something else in the place of a directory."""
    last, times = dict(entries), Counter(name for name, _ in entries)
    links = {name: entry.linkname for name, entry in last.items() if entry.issym()}
    for name, entry in entries:
        if not (entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()):
            raise Failed(Problem(f"the archive is refused: {name} is no file, directory or link"))
        for parent in name.parents:
            if parent in links or (parent.parts and (directory / parent).is_symlink()):
                raise Failed(Problem(f"the archive is refused: {name} is below a link"))
        if entry.issym():
            if times[name] > 1:  # what is below the one could be looked for below the other
                raise Failed(Problem(f"the archive is refused: {name} is in it twice, and a link"))
            follow(name.parent, entry.linkname, links, directory)
        if entry.islnk() and not (relative(entry.linkname) in last and last[relative(entry.linkname)].isreg()):
            raise Failed(Problem(f"the archive is refused: {name} is a link to what is not in it"))
        there = directory / name
        if not entry.isdir() and there.is_dir() and not there.is_symlink():
            raise Failed(Problem(f"the archive is refused: {name} is a directory already"))
        if entry.isdir() and os.path.lexists(there) and (there.is_symlink() or not there.is_dir()):
            raise Failed(Problem(f"the archive is refused: {name} is there already, and no directory"))


def follow(start: PurePosixPath, target: str, links: dict[PurePosixPath, str], directory: Path) -> None:
    """Refuses a link whose target, through whatever other links, is outside."""
    place = list(start.parts)
    steps = target.split("/")
    followed = 0
    if target.startswith("/"):
        raise Failed(Problem(f"the archive is refused: a link to {target!r} leads outside"))
    while steps:
        step = steps.pop(0)
        if step in ("", "."):
            continue
        if step != "..":
            place.append(step)
        elif place:
            place.pop()
        else:
            raise Failed(Problem(f"the archive is refused: a link to {target!r} leads outside"))
        here = PurePosixPath(*place)
        further = links.get(here)
        if further is None and place and (directory / here).is_symlink():
            further = os.readlink(directory / here)
        if further is not None:
            followed += 1
            if followed > MOST_LINKS:  # it leads in circles, and nowhere
                return
            if further.startswith("/"):
                raise Failed(Problem(f"the archive is refused: a link to {target!r} leads outside"))
            place.pop()
            steps = further.split("/") + steps


def extract(tar: tarfile.TarFile, entry: tarfile.TarInfo, staging: Path, name: PurePosixPath) -> None:
    """Makes one entry of an archive in a directory of its own."""
    place = staging / name
    if entry.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    if entry.issym():
        place.symlink_to(entry.linkname)
    elif entry.islnk():
        os.link(staging / relative(entry.linkname), place)
    else:
        content = tar.extractfile(entry)
        assert content is not None
        with place.open("xb") as file:
            shutil.copyfileobj(content, file)
        if file_size := place.stat().st_size - entry.size:
            raise ValueError(f"{name} is cut off by {-file_size} bytes")
        place.chmod(entry.mode & 0o1777)
        os.utime(place, (entry.mtime, entry.mtime))


def merge(entries: Entries, staging: Path, directory: Path) -> None:
    """Moves what was unpacked into a directory. What is there already and has no entry stays."""
    for name, entry in entries:
        if entry.isdir():
            (directory / name).mkdir(parents=True, exist_ok=True)
    for name, entry in entries:
        if not entry.isdir() and os.path.lexists(staging / name):
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / name, directory / name)


def set_modes(entries: Entries, directory: Path) -> None:
    """Gives directories their modes, when nothing has to be put into them any longer."""
    for name, entry in reversed(entries):
        if entry.isdir():
            (directory / name).chmod(entry.mode & 0o1777)
