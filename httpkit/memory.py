"""What a source remembers between polls and across restarts, and when it becomes durable.

A folder holds, for one source:

* ``state.json`` and ``state.previous.json``: the newest state and the one before, each with its checksum. They take
  turns: the older one is overwritten, so that a valid one is there at any moment. A state names the key files that
  belong to it and holds the newest keys itself; writing it is the commit of everything before.
* ``keys-<number>-<owner>``: keys of delivered records, 16 bytes each; what a state names of them never changes.
* ``outbox-<number>-<owner>``: entries that wait to be sent, for sources that have an outbox; they never change.
* ``quarantine/<key>.json``: events that cannot be delivered, each with its reason.

After a crash at any point the old or the new state is found. A folder with state files of which none is valid is an
error, since starting from nothing would deliver everything again or, worse, skip what was missed.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from httpkit.disk_folder import DiskFolder
from httpkit.documents import encode_json
from httpkit.errors import SettingsError
from httpkit.files import replace_content
from httpkit.folders import OvertakenError, failures, failures_named
from httpkit.freshness import KEY_BYTES, SeenKeys
from httpkit.key_files import DamagedError, KeyFiles
from httpkit.outbox_state import OutboxState
from httpkit.state_document import KeyFile, State, decode_state, encode_state
from httpkit.values import Position

_DOCUMENTS = ("state.json", "state.previous.json")
_PIECE_BYTES = 1024 * 1024
_FORGOTTEN_SHARE = 0.25
"""The files are written again once they hold more forgotten keys than this share of the others."""


class Memory:
    """The memory of one source.

    Args:
        folder: on a disk or in an object store (an `S3Path`); made if it is missing.
        source: what is read, in words; a person who opens the state document finds it there.
        key_limit: largest number of keys kept of records that the API no longer shows.

    Raises:
        SettingsError: there are state files, and none of them is valid, or a newer version wrote them.
        UnavailableError: the folder cannot be read.
    """

    def __init__(self, folder: Path, *, source: str, key_limit: int = 1_000_000) -> None:
        self._path = folder
        self._folder = DiskFolder(folder)
        self._owner = secrets.token_hex(4)
        self._key_files = KeyFiles(self._folder, owner=self._owner)
        self._state, self._document = State(source=source), _DOCUMENTS[1]
        self._previous: State | None = None
        self._number = 0
        self._forgotten = 0
        with failures_named(f"the memory in {folder}"):
            self.seen = self._load(key_limit)
            self._remove_leftovers()

    @property
    def source(self) -> str:
        """What is read, in words."""
        return self._state.source

    @property
    def position(self) -> Position:
        """How far the source was read."""
        return self._state.position

    @property
    def outbox(self) -> OutboxState:
        """What waits to be sent."""
        return self._state.outbox

    def remember(
        self, keys: Sequence[bytes], position: Position | None = None, outbox: OutboxState | None = None
    ) -> None:
        """Make keys, and a position, durable together; returns when a crash can no longer lose them.

        Args:
            position: None leaves it as it is.
            outbox: as `position`; becomes durable together with them.

        Raises:
            UnavailableError: they could not be written; nothing is remembered.
            SettingsError: another process has changed the memory.
        """
        position = position or self._state.position
        outbox = outbox or self._state.outbox
        if not keys and (position, outbox) == (self._state.position, self._state.outbox):
            return
        with self._changing() as number:
            files, tail = self._state.key_files, b"".join((self._state.tail, *keys))
            if len(tail) > self._folder.tail_keys * KEY_BYTES:
                files, tail = self._key_files.add(files, tail, number), b""
            self._commit(number, files, tail, position, outbox)
        self.seen.add(keys)

    def add_file(self, content: bytes) -> str:
        """Write a file of the outbox, which counts once an outbox that names it is remembered; its name.

        Raises:
            UnavailableError: it could not be written.
        """
        with self._changing() as number:
            name = f"outbox-{number:08d}-{self._owner}"
            self._folder.write(name, [content])
        return name

    def read_file(self, name: str) -> bytes | None:
        """The content of a file of the outbox, None when there is none.

        Raises:
            UnavailableError: it could not be read.
        """
        with failures_named(f"the memory in {self._path}"):
            try:
                return b"".join(self._folder.pieces(name, _PIECE_BYTES))
            except FileNotFoundError:
                return None

    def close_poll(self) -> None:
        """After a poll that was read to its end: forget keys beyond the limit that the API no longer shows."""
        self._forgotten += self.seen.forget_beyond_limit()
        if self._forgotten <= _FORGOTTEN_SHARE * len(self.seen):
            return
        with self._changing() as number:
            files = self._key_files.rewrite(self._state, self.seen.__contains__, number)
            self._commit(number, files, b"", self._state.position)
        self._forgotten = 0

    def quarantine(self, key: bytes, event: str, reason: str) -> None:
        """Keep an event that cannot be delivered, so that a person can look at it.

        Raises:
            UnavailableError: it could not be written.
        """
        with failures_named(f"the memory in {self._path}"):
            folder = self._path / "quarantine"
            folder.mkdir(parents=True, exist_ok=True)
            replace_content(folder / f"{key.hex()}.json", encode_json({"reason": reason, "event": event}))

    def _load(self, key_limit: int) -> SeenKeys:
        """Find the newest valid state and read its keys."""
        contents = {name: content for name in _DOCUMENTS if (content := self._folder.read(name)) is not None}
        states = {name: state for name, content in contents.items() if (state := decode_state(content))}
        self._number = max((state.next_number for state in states.values()), default=1) - 1
        for name in sorted(states, key=lambda name: states[name].next_number, reverse=True):
            state = states.pop(name)
            try:
                seen = SeenKeys(self._key_files.keys(state), limit=key_limit)
            except DamagedError:
                continue
            self._document, self._state = name, state
            self._previous = next(iter(states.values()), None)
            self._key_files.settle(state.key_files)
            return seen
        if contents:
            raise SettingsError(
                "memory",
                f"the state files in {self._path} are damaged; restore them from a backup, "
                "or delete the folder to read the source again from its start",
            )
        return SeenKeys(limit=key_limit)

    @contextmanager
    def _changing(self) -> Iterator[int]:
        """A change of the memory; gives its number, which is never used again, even when the change fails.

        What a failed one has written may still count after a restart.
        """
        self._number += 1
        try:
            with failures_named(f"the memory in {self._path}"):
                yield self._number
        except DamagedError as error:
            raise SettingsError("memory", f"the file {error} in {self._path} is damaged; start again") from error
        except OvertakenError as error:
            raise SettingsError(
                "memory", f"another process reads the same source and has changed {self._path}; stop one of them"
            ) from error

    def _commit(
        self,
        number: int,
        files: tuple[KeyFile, ...],
        tail: bytes,
        position: Position,
        outbox: OutboxState | None = None,
    ) -> None:
        state = msgspec.structs.replace(
            self._state,
            next_number=number + 1,
            key_files=files,
            tail=tail,
            position=position,
            owner=self._owner,
            outbox=outbox or self._state.outbox,
        )
        older = next(name for name in _DOCUMENTS if name != self._document)
        self._folder.replace(older, encode_state(state))
        self._key_files.settle(files)
        before, self._previous, self._state, self._document = self._previous, self._state, state, older
        if before:
            self._remove(before.file_names - state.file_names - self._previous.file_names)

    def _remove(self, names: Iterable[str]) -> None:
        """Remove files that no state names; what cannot be removed harms nobody, and is tried at the next start."""
        for name in names:
            with suppress(*failures()):
                self._folder.remove(name)

    def _remove_leftovers(self) -> None:
        """Remove what a crash, or a failure, left without a state that names it."""
        needed = self._state.file_names | (self._previous.file_names if self._previous else frozenset())
        self._remove(
            name
            for name in self._folder.names()
            if name.endswith(".new") or (name.startswith(("keys-", "outbox-")) and name not in needed)
        )
