"""What is remembered of the entries of a source that are found but not sent yet; the entries are in files."""

from datetime import datetime

import msgspec


class OutboxFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of entries, which never changes.

    Attributes:
        count: number of entries in it.
        checksum: over its content.
    """

    name: str
    count: int
    checksum: str


class OutboxState(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of an outbox.

    Attributes:
        files: of the entries that wait, oldest first.
        taken: number of entries of the first file that were sent.
        run: number of entries that the run under way has; 0 when none is under way.
        is_watching: was everything seen that was there when the source was read for the first time?
        newest: when the newest entry was found, or the source was read for the first time.
        is_overdue: was it told that there is no new entry for too long?
    """

    files: tuple[OutboxFile, ...] = ()
    taken: int = 0
    run: int = 0
    is_watching: bool = False
    newest: datetime | None = None
    is_overdue: bool = False

    @property
    def waiting(self) -> int:
        """Number of entries that wait."""
        return sum(file.count for file in self.files) - self.taken
