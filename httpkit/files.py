"""Whole files on a disk or in an object store: afterwards the old or the new content is there, never a part."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PosixPath, WindowsPath

from httpkit.folders import failures_named
from httpkit.object_folder import put_object

HALF_WRITTEN = ".new"
"""How the names of files end that are not whole yet, and of those that a crash left so."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, under a temporary name first, and make it survive a power cut.

    Raises:
        UnavailableError: the disk or the object store does not take it.
    """
    with failures_named(f"the file {path}"):
        if on_disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        replace_content(path, content)


def replace_content(path: Path, content: bytes) -> None:
    """As `write_whole`, for callers that give a failure its meaning themselves.

    Raises:
        OSError: the disk or the object store does not take it.
    """
    if not on_disk(path):
        put_object(path, content)
        return
    temporary = path.with_name(f"{path.name}{HALF_WRITTEN}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    flush_folder(path.parent)


@contextmanager
def unnamed_file(content: bytes) -> Iterator[str]:
    """The path of a file that no other process can find by a name, for libraries that read files only."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        file.seek(0)
        yield f"/dev/fd/{file.fileno()}"


def on_disk(path: Path) -> bool:
    """Is it on a disk? Object stores put a whole object or nothing, so they need no temporary name."""
    return isinstance(path, (PosixPath, WindowsPath))


def flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut, which the flush of the file alone does not (fsync(2))."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
