"""Entries that are found but not sent yet: they wait here, oldest first, and survive a crash; nothing is sent here.

Each page with new entries becomes one file, and the state of the memory names the files. So one commit makes the keys
of a page, its position and its waiting entries durable together, and a crash at any step leaves one of two states:

===================================  =================================================================================
a crash before or while ...          leaves
===================================  =================================================================================
the file of a page is written        a file that no state names; it is removed, and the page is read again
the state that names it is written   the same, or (the write arrived) entries that wait and keys that are remembered
the size of a run is remembered      entries that wait; the run is made again, perhaps with more entries
the run is sent                      entries that wait, and the size of the run: the same entries are sent
the run is remembered as sent        the same: they are sent a second time, and the platform can recognise the repeat
===================================  =================================================================================

The size of a run is remembered before it is sent, so that a repeat holds the same entries also when more have arrived
since. An entry is never in two files, because its key is remembered in the commit that names its file.

What needs memory is one page and one run at a time, whatever number of entries waits. The state document grows by
about a hundred bytes for each page with entries that wait, so pages of a few entries would be felt at about 100,000
of them: every commit writes the list again.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec

from httpkit.documents import decode_json, encode_json
from httpkit.errors import SettingsError
from httpkit.memory import Memory
from httpkit.outbox_state import OutboxFile, OutboxState
from httpkit.values import JsonValue, Position

Packing = Callable[[Iterator[JsonValue]], int]
"""How many of the entries that wait, of which there is at least one, make up the next run."""


class NewPage(msgspec.Struct, frozen=True, kw_only=True):
    """What a page brought.

    Attributes:
        entries: to be sent, in order; they come back equal.
        keys: of all records of the page that need not be looked at again.
        position: to be remembered with them.
        ends_first_poll: is everything seen that was there at first, if this was the first poll?
    """

    entries: Sequence[JsonValue]
    keys: Sequence[bytes]
    position: Position
    ends_first_poll: bool = False


class Outbox:
    """The outbox of one source.

    Args:
        memory: keeps it; what waits is part of the memory's state.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._read: tuple[str, Sequence[JsonValue]] = ("", ())

    @property
    def state(self) -> OutboxState:
        """What is remembered."""
        return self._memory.outbox

    @property
    def place(self) -> str:
        """Where the entries of the next run are; no other run was ever there."""
        return f"{self.state.files[0].name}:{self.state.taken}" if self.state.files else ""

    def put(self, page: NewPage, now: datetime) -> None:
        """Let the new entries of a page wait, and remember the page.

        Raises:
            UnavailableError: it could not be written; nothing is remembered.
        """
        state = self.state
        if page.ends_first_poll and not state.is_watching:
            state = msgspec.structs.replace(state, is_watching=True, newest=now)
        if page.entries:
            content = encode_json(list(page.entries))
            name = self._memory.add_file(content)
            file = OutboxFile(name=name, count=len(page.entries), checksum=_checksum(content))
            state = msgspec.structs.replace(state, files=(*state.files, file), newest=now, is_overdue=False)
        self._memory.remember(page.keys, page.position, state)

    def next_run(self, packing: Packing) -> list[JsonValue]:
        """The entries of the run that goes out next, the oldest first; a run that was begun stays what it was.

        Raises:
            UnavailableError: its size could not be remembered, or its entries not be read.
            SettingsError: a file is missing or damaged.
        """
        size = self.state.run or packing(self._entries())
        self._note(run=size)
        entries = self._entries()
        return [next(entries) for _ in range(size)]

    def run_sent(self) -> None:
        """The run under way was accepted.

        Raises:
            UnavailableError: it could not be remembered; calling again is right.
        """
        files, taken = self.state.files, self.state.taken + self.state.run
        while files and taken >= files[0].count:
            taken -= files[0].count
            files = files[1:]
        if not files:
            self._read = "", ()
        self._note(files=files, taken=taken, run=0)

    def tell_overdue(self) -> None:
        """It was told that there is no new entry for too long, which is not to be told again."""
        self._note(is_overdue=True)

    def _note(self, **changes: object) -> None:
        self._memory.remember([], None, msgspec.structs.replace(self.state, **changes))

    def _entries(self) -> Iterator[JsonValue]:
        """The entries that wait, oldest first."""
        taken = self.state.taken
        for file in self.state.files:
            yield from self._content(file)[taken:]
            taken = 0

    def _content(self, file: OutboxFile) -> Sequence[JsonValue]:
        if self._read[0] == file.name:
            return self._read[1]
        content = self._memory.read_file(file.name)
        if content is None or _checksum(content) != file.checksum:
            raise SettingsError(
                "memory",
                f"the file {file.name}, which holds {file.count} entries that wait to be sent, is "
                f"{'missing' if content is None else 'damaged'}; restore it from a backup, or delete the folder "
                "it is in to read the source again from its start",
            )
        entries: Sequence[JsonValue] = decode_json(content)
        self._read = file.name, entries
        return entries


def _checksum(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
