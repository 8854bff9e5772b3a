"""A folder on a disk, as a memory uses it."""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from httpkit.files import flush_folder, replace_content
from httpkit.folders import OvertakenError
from httpkit.locks import ProcessLock

_Version = tuple[int, int, int]
_UNKNOWN = (0, 0, 0)


class DiskFolder:
    """A folder on a disk, which is made if it is missing.

    A document is overwritten where it is: with one flush instead of the two, and the two changes of names, that a
    replacement takes, and after a failure the memory has another document.
    """

    can_append = True
    tail_keys = 2048
    is_shared = False

    def __init__(self, path: Path, *, stop: threading.Event) -> None:
        self._path = path
        self._stop = stop
        self._lock = ProcessLock(path / "lock")
        self._is_made = False
        # None is a document that is not there; one whose last writing failed has no entry.
        self._versions: dict[str, _Version | None] = {}

    def take(self, *, patience: float) -> bool:
        """Hold it as a process until `release`; False when another one still does after `patience` seconds."""
        self._make()
        return self._lock.take(patience=patience, stop=self._stop)

    def release(self) -> None:
        """Hold it no longer."""
        self._lock.release()

    def read(self, name: str) -> bytes | None:
        """The content of a document, None when there is none."""
        try:
            with (self._path / name).open("rb") as file:
                self._versions[name] = _version(os.fstat(file.fileno()))
                return file.read()
        except FileNotFoundError:
            self._versions[name] = None
            return None

    def replace(self, name: str, content: bytes) -> None:
        """Replace a document, which survives a power cut afterwards.

        Raises:
            OvertakenError: it is not the one that was read or written last; nothing was changed.
        """
        self._make()
        path = f"{self._path}/{name}"
        try:
            # Not a file of Python's, which makes twice as many calls of the system.
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            has_failed, is_safe = self._begin_writing(name, None), False
        else:
            try:
                found = os.fstat(file)
                has_failed = self._begin_writing(name, _version(found))
                # Until another document is there for certain, a part of this one would be a damaged memory.
                is_safe = any(version is not None for version in self._versions.values())
                if is_safe:
                    version = _overwritten(file, content, found.st_size)
            finally:
                os.close(file)
        if not is_safe:
            replace_content(self._path / name, content)
            version = _version((self._path / name).stat())
        elif has_failed:  # perhaps while its name was made durable
            flush_folder(self._path)
        self._versions[name] = version

    def _begin_writing(self, name: str, found: _Version | None) -> bool:
        """Check that a document is as it was left, and forget how; has the writing before failed?"""
        if name in self._versions and self._versions[name] != found:
            raise OvertakenError(name)
        return self._versions.pop(name, _UNKNOWN) is _UNKNOWN

    def pieces(self, name: str, size: int) -> Iterator[bytes]:
        """The content of a file in pieces, all but the last of this size.

        Raises:
            FileNotFoundError: there is none.
        """
        with (self._path / name).open("rb") as file:
            while piece := file.read(size):
                yield piece

    def append(self, name: str, place: int, content: bytes) -> None:
        """Write at a place in a file and cut off what was behind it; survives a power cut afterwards."""
        with (self._path / name).open("r+b") as file:
            file.seek(place)
            try:
                file.write(content)
                file.truncate()
                os.fsync(file.fileno())
            except OSError:
                # A full disk gets back what this took.
                with suppress(OSError):
                    os.ftruncate(file.fileno(), place)
                raise

    def write(self, name: str, contents: Iterable[bytes]) -> None:
        """Write a new file, which survives a power cut afterwards."""
        self._make()
        path = self._path / name
        try:
            with path.open("wb") as file:
                for content in contents:
                    file.write(content)
                file.flush()
                os.fsync(file.fileno())
            flush_folder(self._path)
        except OSError:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise

    def create(self, name: str, content: bytes) -> bool:
        """Write a whole file, unless there is one of this name; was it written?"""
        path = self._path / name
        if path.exists():
            return False
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            flush_folder(path.parent.parent)
        replace_content(path, content)
        return True

    def names(self, below: str = "") -> list[str]:
        """The files that are there, or those in a folder of it."""
        folder = self._path / below
        return [path.name for path in folder.iterdir()] if folder.is_dir() else []

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self._path / name).unlink(missing_ok=True)

    def _make(self) -> None:
        if not self._is_made:
            self._path.mkdir(parents=True, exist_ok=True)
            flush_folder(self._path.parent)
            self._is_made = True


def _overwritten(file: int, content: bytes, size: int) -> _Version:
    """Write over a document of so many bytes, durably; what it is afterwards."""
    written = 0
    while written < len(content):
        written += os.write(file, content[written:])
    if size > len(content):
        os.ftruncate(file, len(content))
    os.fsync(file)
    return _version(os.fstat(file))


def _version(status: os.stat_result) -> _Version:
    return status.st_ino, status.st_size, status.st_mtime_ns
