"""What a memory needs of the place where it keeps its files, whether that is a disk or an object store."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from httpkit.errors import UnavailableError, words_of


class OvertakenError(Exception):
    """Somebody else has changed a document since it was read or written here."""


class Folder(Protocol):
    """A folder of files, each of which belongs to one process at a time.

    Every method may fail as its place fails, which `failures_named` turns into an error of ours.
    """

    can_append: bool
    """May files grow?"""

    tail_keys: int
    """Most keys that a document holds itself, so that they need no file: what is best for time and bytes together."""

    is_shared: bool
    """Can nobody hold it, so that who starts last takes it over by writing?"""

    def take(self, *, patience: float) -> bool:
        """Hold it as a process until `release`; False when another one still does after `patience` seconds."""

    def release(self) -> None:
        """Hold it no longer."""

    def read(self, name: str) -> bytes | None:
        """The content of a document, None when there is none."""

    def replace(self, name: str, content: bytes) -> None:
        """Replace a document, which survives a power cut afterwards.

        After a failure it may have the old content, the new one, or a part.

        Raises:
            OvertakenError: it is not the one that was read or written last; nothing was changed.
        """

    def pieces(self, name: str, size: int) -> Iterator[bytes]:
        """The content of a file in pieces, all but the last of this size.

        Raises:
            FileNotFoundError: there is none.
        """

    def append(self, name: str, place: int, content: bytes) -> None:
        """Write at a place in a file and cut off what was behind it; survives a power cut afterwards."""

    def write(self, name: str, contents: Iterable[bytes]) -> None:
        """Write a new file, which survives a power cut afterwards."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a whole file, unless there is one of this name; was it written?"""

    def names(self, below: str = "") -> list[str]:
        """The files that are there, or those in a folder of it."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""


@contextmanager
def failures_named(what: str) -> Iterator[None]:
    """Turns a failure of the disk or the object store into the error that means "later".

    Args:
        what: cannot be used, such as "the memory in /data/x".

    Raises:
        UnavailableError: that happened.
    """
    try:
        yield
    except failures() as error:
        raise UnavailableError(f"{what} cannot be used: {words_of(error)}") from error


def failures() -> tuple[type[Exception], ...]:
    """The failures that can have happened: those of a library only when it is loaded, which takes long."""
    library = sys.modules.get("botocore.exceptions")
    return (OSError, library.ClientError, library.BotoCoreError) if library else (OSError,)
