"""Files that appear as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from .problems import Failed, Problem


FILES_BY_NUMBER = Path("/proc/self/fd")


class Draft:
    """A file under a name of its own, until all of it is there and it takes its place."""

    def __init__(self, place: Path):
        self.place = place
        # Beside its place, so that the move at the end is only a new name.
        self.path = place.parent / f".packwire-{secrets.token_hex(8)}.draft"
        self.size = 0
        self._file = None

    def open(self):
        """Makes it, for nobody else to read."""
        if self._file is None:
            with self._named():
                self._file = self._make()
        return self._file

    def _make(self):
        return open(self.path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))

    def write(self, content: bytes) -> None:
        self.open().write(content)
        self.size += len(content)

    def publish(self, mode: int, modified: int | None = None, overwrite: bool = True) -> None:
        """Gives it its place; without `overwrite`, only if that is free."""
        file = self.open()
        with self._named():
            file.flush()
            if modified is not None:
                os.utime(file.fileno(), (modified, modified))
            os.fchmod(file.fileno(), mode)
            self._appear(overwrite)
            file.close()

    def _appear(self, overwrite: bool) -> None:
        if overwrite:
            os.replace(self.path, self.place)
        else:
            os.link(self.path, self.place)  # fails if somebody was faster
            os.unlink(self.path)

    def discard(self) -> None:
        """Removes it, unless it was published."""
        if self._file is not None:
            self._file.close()
            self.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _named(self):
        """Whoever is told of an error knows the place, and not the draft."""
        try:
            yield
        except OSError as problem:
            raise OSError(problem.errno, problem.strerror, str(self.place)) from None


class NamelessDraft(Draft):
    """A draft that has no name while it is written, where the file system can do that: of one whose writer is
    killed nothing is left. Where it cannot, it is as any other."""

    def __init__(self, place: Path):
        super().__init__(place)
        self._is_nameless = False

    def _make(self):
        if FILES_BY_NUMBER.is_dir():
            with contextlib.suppress(OSError):  # what is wrong with the place, the other way says, too
                file = open(os.open(self.place.parent, os.O_TMPFILE | os.O_WRONLY, 0o600), "wb")
                self._is_nameless = True
                return file
        return super()._make()

    def _appear(self, overwrite: bool) -> None:
        if not self._is_nameless:
            return super()._appear(overwrite)
        try:
            self._link(self.place)
        except FileExistsError:
            if not overwrite:
                raise
            self._link(self.path)  # a new name can replace an old one, and a link cannot
            self._is_nameless = False
            super()._appear(overwrite)

    def _link(self, place: Path) -> None:
        number = self._file.fileno()
        # With a directory, which an absolute path has no use for, Python has the link followed that this path is.
        os.link(FILES_BY_NUMBER / str(number), place, src_dir_fd=number)


@dataclass(frozen=True)
class Info:
    """What is known of a file: FileInfo, with None for what is not known."""

    size: int | None = None
    mode: int | None = None
    modified: int | None = None

    UNKNOWN = {"size": -1, "mode": -1, "modified": -(2**63)}

    @classmethod
    def read(cls, info) -> Info:
        known = {name: getattr(info, name) for name, unknown in cls.UNKNOWN.items() if getattr(info, name) != unknown}
        return cls(**known)

    @classmethod
    def of(cls, status: os.stat_result) -> Info:
        return cls(status.st_size, stat.S_IMODE(status.st_mode), int(status.st_mtime))

    def write(self, info) -> None:
        for name in (name for name in self.UNKNOWN if getattr(self, name) is not None):
            setattr(info, name, getattr(self, name))


def open_regular(path: Path):
    """Opens a file to read it; a pipe that nobody writes to would keep us for ever."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Failed(Problem(f"{path} is no regular file"))
    return file


def remove(directory: Path) -> None:
    """Removes a directory, also where its owner may not write in it."""
    for at, names, _ in os.walk(directory):
        for path in (os.path.join(at, name) for name in names):
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(directory)
