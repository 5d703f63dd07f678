"""Files as they travel: replaced as a whole, or not at all."""

import os
import secrets
import stat
from pathlib import Path

from notes.problems import Failed, Problem, reason

PIECE = 256 * 1024  # bytes that are written into a stream at once


def beside(path: Path) -> Path:
    """A new name in the same directory, for what is half made."""
    return path.parent / f".{path.name[:100]}.notes-{secrets.token_hex(6)}"


class Draft:
    """The file that is to take the place of another one."""

    def __init__(self, path: Path, size: int, mode: int, modified: int | None) -> None:
        self.path, self._size, self._mode, self._modified = path, size, mode, modified
        self._draft = beside(path)
        self._written = 0
        self._problem: Failed | None = None
        try:
            self._file: int | None = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except (OSError, ValueError) as problem:
            self._file = None
            self._fail(problem)

    def write(self, content: bytes) -> None:
        """Adds bytes. A failure is told at the end."""
        self._written += len(content)
        if self._file is None or self._problem or 0 <= self._size < self._written:
            return
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as problem:
            self._fail(problem)

    def finish(self) -> None:
        """Puts the file in its place, or raises and leaves nothing."""
        try:
            if self._problem:
                raise self._problem
            if self._size not in (-1, self._written):
                raise Failed(Problem(f"{self.path}: {self._written} bytes came instead of {self._size}"))
            assert self._file is not None
            if self._mode != -1:
                os.fchmod(self._file, self._mode & 0o7777)
            if self._modified is not None:
                os.utime(self._file, (self._modified, self._modified))
            os.replace(self._draft, self.path)
        except (OSError, OverflowError) as problem:
            self._fail(problem)
            assert self._problem is not None
            raise self._problem from problem
        finally:
            self.discard()

    def discard(self) -> None:
        """Removes what is left of the draft; may be called at any time, and again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._draft.unlink(missing_ok=True)

    def _fail(self, problem: Exception) -> None:
        said = reason(problem) if isinstance(problem, OSError) else str(problem)
        self._problem = Failed(Problem(f"{self.path} cannot be written: {said}"))


def opened(path: Path) -> tuple[int, os.stat_result]:
    """Opens a regular file for reading. Others could keep a reader waiting for ever."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        os.close(file)
        raise OSError(None, "it is no regular file")
    return file, status
