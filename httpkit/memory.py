"""What a source remembers between polls and across restarts, and when it becomes durable.

A folder holds, for one source:

* ``state.json`` and ``state.previous.json``: the newest state and the one before, each with its checksum. They take
  turns: the older one is overwritten, so that a valid one is there at any moment. A state names the key files that
  belong to it and holds the newest keys itself; writing it is the commit of everything before.
* ``keys-<number>-<owner>``: keys of delivered records, 16 bytes each; what a state names of them never changes.
* ``outbox-<number>-<owner>``: entries that wait to be sent, for sources that have an outbox; they never change.
* ``quarantine/<key>-<digest>.json``: events that cannot be delivered, each with its reason.
* ``lock``: held by the process that reads the source.

After a crash at any point the old or the new state is found. A folder with state files of which none is valid is an
error, since starting from nothing would deliver everything again or, worse, skip what was missed.
"""

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from httpkit.disk_folder import DiskFolder
from httpkit.errors import SettingsError
from httpkit.files import HALF_WRITTEN, on_disk
from httpkit.folders import Folder, OvertakenError, failures, failures_named
from httpkit.freshness import SeenKeys
from httpkit.key_files import DamagedError, KeyFiles
from httpkit.key_sets import KEY_BYTES
from httpkit.object_folder import ObjectFolder
from httpkit.outbox_state import OutboxState
from httpkit.quarantine import FOLDER as QUARANTINE
from httpkit.quarantine import Quarantine
from httpkit.state_document import KeyFile, State, decode_state, encode_state
from httpkit.stopping import Stopped
from httpkit.values import Position

_DOCUMENTS = ("state.json", "state.previous.json")
_TAKE_OVERS = 5
"""Tries to take over from a process that goes on writing."""

_PIECE_BYTES = 1024 * 1024
_FORGOTTEN_SHARE = 0.25
"""The files are written again once they hold more forgotten keys than this share of the others."""


class Memory:
    """The memory of one source.

    Args:
        folder: on a disk or in an object store (an `S3Path`); made if it is missing.
        source: what is read, in words; a person who opens the state document finds it there.
        key_limit: largest number of keys kept of records that the API no longer shows.
        clean: masks the secrets in what is put into quarantine.
        stop: once it is set, nothing waits any more for the other process, the disk or the store.
        patience: seconds that another process, which may be about to end, is waited for.

    Raises:
        SettingsError: there are state files, and none of them is valid, or a newer version wrote them; or another
            process reads the same source.
        UnavailableError: the folder cannot be used.
        Stopped: `stop` was set while the other process was waited for.
    """

    def __init__(
        self,
        folder: Path,
        *,
        source: str,
        key_limit: int = 1_000_000,
        clean: Callable[[str], str] = str,
        stop: threading.Event | None = None,
        patience: float = 10.0,
    ) -> None:
        self._path = folder
        self._owner = secrets.token_hex(4)
        self._state, self._document = State(source=source), _DOCUMENTS[1]
        self._previous: State | None = None
        self._number = 0
        # Files that were written for states which are not committed, with the digest of what is in them for certain.
        self._unnamed: dict[str, bytes] = {}
        self._forgotten = 0
        self._is_overtaken = False
        self._stop = stop or threading.Event()
        with self._errors_named():
            self._folder: Folder = (DiskFolder if on_disk(folder) else ObjectFolder)(folder, stop=self._stop)
            if not self._folder.take(patience=patience):
                raise OvertakenError(folder)
            self._quarantine = Quarantine(self._folder, source=source, clean=clean)
            self._key_files = KeyFiles(self._folder, owner=self._owner)
            try:
                self.seen = self._open(key_limit)
            except BaseException:
                self.close()
                raise

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
                self._unnamed[self._key_files.name_of(number)] = b""
                files, tail = self._key_files.add(files, tail, number), b""
            self._commit(number, files, tail, position, outbox)
        self.seen.add(keys)

    def add_file(self, content: bytes) -> str:
        """Write a file of the outbox, which counts once an outbox that names it is remembered; its name.

        The same content once more, since it could not be remembered, is the same file.

        Raises:
            UnavailableError: it could not be written.
        """
        digest = blake2b(content).digest()
        for name, known in self._unnamed.items():
            if known == digest:
                return name
        with self._changing() as number:
            name = f"outbox-{number:08d}-{self._owner}"
            self._unnamed[name] = b""
            self._folder.write(name, [content])
            self._unnamed[name] = digest
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
        """After a poll that was read to its end: forget keys beyond the limit that the API no longer shows.

        Raises:
            UnavailableError: the rest could not be written; the files stay as they are.
            Stopped: `stop` was set meanwhile; the files stay as they are.
        """
        self._forgotten += self.seen.forget_beyond_limit()
        if self._forgotten <= _FORGOTTEN_SHARE * len(self.seen):
            return
        with self._changing() as number:
            self._unnamed[self._key_files.name_of(number)] = b""
            files = self._key_files.rewrite(self._state, self._keeps, number)
            self._commit(number, files, b"", self._state.position)
        self._forgotten = 0

    def _keeps(self, key: bytes) -> bool:
        """Is a key still needed? Asked for millions of them, which must not hold up a stop."""
        if self._stop.is_set():
            raise Stopped
        return key in self.seen

    def quarantine(self, key: bytes, event: str, reason: str) -> None:
        """Keep the beginning of an event that cannot be delivered, so that a person can look at it.

        Raises:
            UnavailableError: it could not be written.
        """
        with self._errors_named():
            self._quarantine.put(key, event, reason)

    @property
    def quarantined(self) -> int:
        """How many events are in quarantine; counted once, at the first question.

        Raises:
            UnavailableError: they could not be counted.
        """
        with self._errors_named():
            return len(self._quarantine)

    def close(self) -> None:
        """Let another process read the source, while this one goes on with something else."""
        self._folder.release()

    def _open(self, key_limit: int) -> SeenKeys:
        """Load the memory, and where it cannot be held, take it over from whoever had it."""
        for _ in range(_TAKE_OVERS if self._folder.is_shared else 1):
            seen = self._load(key_limit)
            try:
                if self._folder.is_shared:
                    self._number += 1
                    self._commit(self._number, self._state.key_files, self._state.tail, self._state.position)
            except OvertakenError:
                continue
            self._remove_leftovers()
            return seen
        raise OvertakenError(self._path)

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
        with self._errors_named():
            if self._is_overtaken:
                raise OvertakenError(self._path)
            yield self._number

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            with failures_named(f"the memory in {self._path}"):
                yield
        except DamagedError as error:
            raise SettingsError("memory", f"the file {error} in {self._path} is damaged; start again") from error
        except OvertakenError as error:
            self._is_overtaken = True
            raise SettingsError(
                "memory", f"another process reads the same source (it uses {self._path}, too); stop one of them"
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
        # A commit that failed has written to the same document, if to any, so that nothing names its files now.
        left, self._unnamed = frozenset(self._unnamed), {}
        left |= before.file_names if before else frozenset()
        self._remove(left - state.file_names - self._previous.file_names)

    def _remove(self, names: Iterable[str]) -> None:
        """Remove files that no state names; what cannot be removed harms nobody, and is tried at the next start."""
        for name in names:
            with suppress(*failures()):
                self._folder.remove(name)

    def _remove_leftovers(self) -> None:
        """Remove what a crash, or a failure, left without a state that names it."""
        needed = self._state.file_names | (self._previous.file_names if self._previous else frozenset())
        names = self._folder.names()
        self._remove(name for name in names if name.startswith(("keys-", "outbox-")) and name not in needed)
        self._remove(name for name in names if name.endswith(HALF_WRITTEN))
        if not self._folder.is_shared:  # an object store never has half of a file
            below = self._folder.names(QUARANTINE)
            self._remove(f"{QUARANTINE}/{name}" for name in below if name.endswith(HALF_WRITTEN))
