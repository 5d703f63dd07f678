"""The artifact: the machine's directory as a .tar.gz file."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import tarfile
import threading
from pathlib import Path

from . import tree
from .files import Draft
from .problems import settle_done
from .schema import artifact
from .work import in_thread


class Archive:
    """A file in the making: under a name of its own, until it is all there."""

    def __init__(self, place: Path, modified: int | None = None):
        self.place, self.modified = place, modified
        self.packed, self.size, self.digest = 0, 0, ""
        self._draft, self._published = Draft(place), False

    def check(self, overwrite: bool) -> None:
        """Fails now where it would fail in the end, after all the provisioning."""
        if self.place.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a directory")
        if self.place.exists() and not overwrite:
            raise FileExistsError(errno.EEXIST, "it exists already, and `overwrite` is not set")

    def begin(self) -> None:
        """Fails now, too, where nothing can be written."""
        self._draft.open()

    @property
    def draft(self) -> Path:
        """Where it is in the making."""
        return self._draft.path

    def pack(self, directory: Path, compression: int, stop: threading.Event) -> None:
        """Equal directories become equal files: names are sorted, owners and the time of packing left out."""
        file = self._draft.open()
        with gzip.GzipFile("", "wb", compression, file, mtime=0) as compressed:
            with tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive:
                tree.pack(directory, archive, stop, self._count, self.modified)
        file.flush()
        self.size, self.digest = file.tell(), digest_of(self._draft.path)

    def _count(self, size: int) -> None:
        self.packed += size

    def publish(self, overwrite: bool) -> None:
        self._draft.publish(0o644, overwrite=overwrite)
        self._published = True

    def discard(self) -> None:
        self._draft.discard()
        if self._published:
            self.destroy()

    def destroy(self) -> None:
        self.place.unlink(missing_ok=True)  # twice is fine


def digest_of(path: Path) -> str:
    with open(path, "rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


class ArchiveArtifact(artifact.Artifact.Server):
    """What the run made. It outlives the run, and only the host destroys it."""

    def __init__(self, archive: Archive):
        self._archive = archive

    async def describe(self, _context, **_):
        info = _context.results.init("info")
        info.builderId = "packwire.example.tarball"
        info.id = self._archive.digest
        info.description = f"Archive of {self._archive.size} bytes at {self._archive.place}"
        info.files = [str(self._archive.place)]

    async def state(self, name, **_):
        known = {"size": self._archive.size, "digest": self._archive.digest, "modified": self._archive.modified}
        value = known.get(name)
        return "" if value is None else json.dumps(value)  # empty: there is no such state

    async def destroy(self, _context, **_):
        await settle_done(_context.results.init("outcome"), in_thread(self._archive.destroy))

    async def close(self, **_):
        pass
