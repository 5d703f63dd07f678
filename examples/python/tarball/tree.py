"""Directories as archives: POSIX pax format, with names relative to the directory.

Whoever unpacks an archive checks it, and these are the rules of `Communicator.uploadTree`:
names are relative and hold no `..`, links lead nowhere outside, there are no devices,
and owners and setuid bits are ignored.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import tarfile
import tempfile
import threading
from pathlib import Path, PurePosixPath

from .files import NamelessDraft, remove
from .log import log
from .problems import Cancelled, Failed, Problem

MODE_BITS = 0o1777  # without setuid and setgid


def pack(
    directory: Path,
    archive: tarfile.TarFile,
    stop: threading.Event,
    packed=lambda size: None,
    modified: int | None = None,
) -> None:
    """Packs what is in a directory, in the order of names. Sockets, pipes and devices stay behind.

    `packed` is told the size of each file that is in the archive; `modified` is the time of all entries.
    """
    for at, names, files in os.walk(directory, onerror=raise_it):
        names.sort()  # in place: this is the order in which `walk` goes on
        for path in sorted(os.path.join(at, name) for name in [*names, *files]):
            if stop.is_set():
                raise Cancelled
            member = archive.gettarinfo(path, os.path.relpath(path, directory))
            if member is None or member.isdev():
                log(f"{path} is no file, directory or link, and is not packed", "WARN")
                continue
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            if modified is not None:
                member.mtime = modified
            if member.isreg():
                with open(path, "rb") as file:
                    archive.addfile(member, file)
                packed(member.size)
            else:
                archive.addfile(member)


def size(directory: Path) -> int:
    """How many bytes the files in a directory have, each name of a file counted once."""
    return sum(os.lstat(os.path.join(at, name)).st_size for at, _, files in os.walk(directory) for name in files)


def raise_it(problem: OSError):
    raise problem


def unpack(archive: str, into: Path, scratch: Path) -> None:
    """Unpacks an archive below a directory: all of it, or nothing when a rule is broken.

    It is unpacked below `scratch` first, where no link of anybody's can lie, and moved
    when all of it has been found good.
    """
    staging = Path(tempfile.mkdtemp(prefix="packwire-tree-", dir=scratch))
    try:
        entries = list(stage_all(archive, staging))
        for member, name in entries:
            check_place(into, member, name)
        into.mkdir(exist_ok=True)  # its parent has to be there
        for member, name in entries:
            move(staging / name, into / name, member)
        for member, name in reversed(entries):  # last: it may forbid to write in the directory
            if member.isdir():
                dress(into / name, member)
    except (tarfile.TarError, EOFError, ValueError, RecursionError) as problem:
        raise Failed(Problem(f"this is no archive that can be unpacked: {problem}")) from None
    finally:
        remove(staging)


def stage_all(archive: str, staging: Path):
    """Makes every entry in the empty directory, and yields it with its name."""
    with tarfile.open(archive, "r:") as members:
        for member in members:
            name = safe(member.name)
            if name.parts:  # the directory itself is not the archive's to change
                stage(members, member, name, staging)
                yield member, name
        members.fileobj.seek(members.offset)
        if members.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it is damaged, or its end is missing")


def stage(members: tarfile.TarFile, member: tarfile.TarInfo, name: PurePosixPath, staging: Path) -> None:
    """Makes one entry, if the rules allow it."""
    place = staging / name
    make_parents(staging, name)
    if member.isdir():
        if place.is_symlink() or not place.is_dir():
            place.mkdir(mode=0o700)
        return
    place.unlink(missing_ok=True)
    if member.isreg():
        with open(place, "xb") as file:
            shutil.copyfileobj(members.extractfile(member), file, 1 << 20)
        dress(place, member)
    elif member.issym():
        check_link(name, member.linkname)
        place.symlink_to(member.linkname)
    elif member.islnk():
        target = safe(member.linkname)
        make_parents(staging, target)
        if (staging / target).is_symlink() or not (staging / target).is_file():
            raise Failed(Problem(f"{name} is linked to {target}, which is no file of the archive"))
        os.link(staging / target, place)
    else:
        raise Failed(Problem(f"{name} is a device, a pipe or something unknown"))


def safe(text: str) -> PurePosixPath:
    """A name that stays below the directory; `./` at its beginning means nothing."""
    name = PurePosixPath(text)
    if name.is_absolute() or ".." in name.parts or "\0" in text:
        raise Failed(Problem(f"{text!r} is a name that leads outside"))
    return name


def make_parents(staging: Path, name: PurePosixPath) -> None:
    """Makes the directories above an entry. None of them may be a link of the archive."""
    for parent in [*reversed(name.parents)][1:]:
        if (staging / parent).is_symlink():
            raise Failed(Problem(f"{name} goes through the link {parent}"))
        (staging / parent).mkdir(mode=0o755, exist_ok=True)


def check_link(name: PurePosixPath, to: str) -> None:
    """A link leads upwards at its beginning only, and not above the directory."""
    parts = PurePosixPath(to).parts
    up = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    if PurePosixPath(to).is_absolute() or not to or up >= len(name.parts) or ".." in parts[up:]:
        raise Failed(Problem(f"{name} is a link that leads outside, to {to!r}"))


def check_place(into: Path, member: tarfile.TarInfo, name: PurePosixPath) -> None:
    """Whether an entry can go where it belongs: nothing is in the way, and no link that
    was there before leads it elsewhere."""
    for parent in [*reversed(name.parents)][1:]:
        if (into / parent).is_symlink():
            raise Failed(Problem(f"{into / parent} is a link, and {name} would go through it"))
    place = into / name
    is_directory = place.is_dir() and not place.is_symlink()
    if os.path.lexists(place) and is_directory != member.isdir():
        raise Failed(Problem(f"{place} is in the way"))


def move(staged: Path, place: Path, member: tarfile.TarInfo) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        place.mkdir(mode=0o755, exist_ok=True)
    elif os.path.lexists(staged):  # gone if two entries have one name
        rename(staged, place)


def rename(staged: Path, place: Path) -> None:
    """Gives it its place; not with shutil.move, which follows a link that is there."""
    try:
        os.replace(staged, place)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        copy(staged, place)


def copy(staged: Path, place: Path) -> None:
    """Gives it its place on another file system."""
    if staged.is_symlink():
        link = place.with_name(f".packwire-{secrets.token_hex(8)}.draft")
        link.symlink_to(os.readlink(staged))
        os.replace(link, place)
        return
    draft, status = NamelessDraft(place), os.stat(staged)
    try:
        with open(staged, "rb") as file:
            shutil.copyfileobj(file, draft.open(), 1 << 20)
        draft.publish(stat.S_IMODE(status.st_mode), int(status.st_mtime))
    finally:
        draft.discard()


def dress(place: Path, member: tarfile.TarInfo) -> None:
    os.chmod(place, member.mode & MODE_BITS)
    os.utime(place, (member.mtime, member.mtime))
