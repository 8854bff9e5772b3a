"""What a source remembers between polls and across restarts; the only file that writes to disk or an object store.

A folder holds, for one source:

* ``state.json``: one document with its checksum; it names the key files that belong to it, so writing it is the
  commit of everything before.
* ``state.previous.json``: the generation before, used when the newest is damaged.
* ``keys-<number>``: keys of delivered records, 16 bytes each, never changed once written.
* ``quarantine/<key>.json``: events that cannot be delivered, each with its reason.

After a crash at any point the old or the new state is found. A folder with state files of which none is valid is an
error, since starting from nothing would deliver everything again or, worse, skip what was missed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec

from httpkit.documents import encode_json
from httpkit.errors import SettingsError, UnavailableError
from httpkit.files import on_disk, replace_content
from httpkit.freshness import KEY_BYTES, SeenKeys
from httpkit.values import Position

_FORMAT = 1
_STATE, _PREVIOUS = "state.json", "state.previous.json"


class _KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of keys as the state document names it."""

    name: str
    count: int
    checksum: str


class _State(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the state document."""

    source: str
    position: Position = Position()
    next_number: int = 1
    key_files: tuple[_KeyFile, ...] = ()


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    """The state document: the state as text, so that the checksum is over the very bytes that are read."""

    format: int
    checksum: str
    state: msgspec.Raw


@dataclass(frozen=True, kw_only=True, slots=True)
class _Generation:
    """A valid state document with the keys it names."""

    state: _State
    keys: Sequence[bytes]


class Memory:
    """The memory of one source.

    Args:
        folder: on a disk or in an object store (an `S3Path`); made if it is missing.
        source: what is read, in words; a person who opens the state document finds it there.
        key_limit: largest number of keys kept of records that the API no longer shows.

    Raises:
        SettingsError: there are state files, and none of them is valid.
        UnavailableError: the folder cannot be read.
    """

    def __init__(self, folder: Path, *, source: str, key_limit: int = 1_000_000) -> None:
        self._folder = folder
        with _failures_named(folder):
            newest, previous = self._load(_STATE), self._load(_PREVIOUS)
        generation = newest or previous
        if generation is None and self._has_state_files():
            raise SettingsError(
                "memory",
                f"the state files in {folder} are damaged; restore them from a backup, "
                "or delete the folder to read the source again from its start",
            )
        generation = generation or _Generation(state=_State(source=source), keys=())
        self._state = generation.state
        self._newest_is_valid = newest is not None
        self._previous_names = _names(previous.state) if previous else frozenset()
        self.seen = SeenKeys(generation.keys, limit=key_limit)
        with _failures_named(folder):
            self._remove_all_but(_names(self._state) | self._previous_names)

    @property
    def source(self) -> str:
        """What is read, in words."""
        return self._state.source

    @property
    def position(self) -> Position:
        """How far the source was read."""
        return self._state.position

    def remember(self, keys: Sequence[bytes], position: Position | None = None) -> None:
        """Make keys, and a position, durable together; returns when a crash can no longer lose them.

        Args:
            position: None leaves it as it is.

        Raises:
            UnavailableError: they could not be written; nothing is remembered.
        """
        position = position or self._state.position
        if not keys and position == self._state.position:
            return
        with _failures_named(self._folder):
            kept, content = self._merging_tail(keys) if keys else (self._state.key_files, b"")
            self._commit(kept, content, position)
        self.seen.add(keys)

    def close_poll(self) -> None:
        """After a poll that was read to its end: forget keys beyond the limit that the API no longer shows."""
        if not self.seen.forget_beyond_limit():
            return
        with _failures_named(self._folder):
            names = [file.name for file in self._state.key_files]
            keys = b"".join((self._folder / name).read_bytes() for name in names)
            parts = (keys[start : start + KEY_BYTES] for start in range(0, len(keys), KEY_BYTES))
            self._commit((), b"".join(part for part in parts if part in self.seen), self._state.position)

    def quarantine(self, key: bytes, event: str, reason: str) -> None:
        """Keep an event that cannot be delivered, so that a person can look at it.

        Raises:
            UnavailableError: it could not be written.
        """
        with _failures_named(self._folder):
            folder = self._folder / "quarantine"
            folder.mkdir(parents=True, exist_ok=True)
            replace_content(folder / f"{key.hex()}.json", encode_json({"reason": reason, "event": event}))

    def _merging_tail(self, keys: Sequence[bytes]) -> tuple[tuple[_KeyFile, ...], bytes]:
        """The key files that stay, and the content of the new one.

        Files at the end that are less than twice as large as what follows are merged into the new one: each file that
        stays is at least twice as large as the next one, so that their number, and the number of times a key is
        rewritten, stay logarithmic.
        """
        kept, content = list(self._state.key_files), b"".join(keys)
        while kept and kept[-1].count * KEY_BYTES < 2 * len(content):
            content = (self._folder / kept.pop().name).read_bytes() + content
        return tuple(kept), content

    def _commit(self, kept: tuple[_KeyFile, ...], content: bytes, position: Position) -> None:
        number = self._state.next_number
        # Never used again, even when this commit fails: what a failed one has written may still count after a restart.
        self._state = msgspec.structs.replace(self._state, next_number=number + 1)
        new = _KeyFile(name=f"keys-{number:08d}", count=len(content) // KEY_BYTES, checksum=_checksum(content))
        key_files = (*kept, new) if content else kept
        state = msgspec.structs.replace(self._state, key_files=key_files, position=position)
        self._folder.mkdir(parents=True, exist_ok=True)
        if content:
            replace_content(self._folder / new.name, content)
        if self._newest_is_valid:
            _keep_previous(self._folder)
        replace_content(self._folder / _STATE, _document(state))
        unneeded = self._previous_names - _names(state) - _names(self._state)
        self._previous_names, self._state, self._newest_is_valid = _names(self._state), state, True
        for name in unneeded:
            # The commit is done, so it must not fail any more; what stays is removed at the next start.
            with suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)

    def _load(self, name: str) -> _Generation | None:
        """A generation, None when its document or one of its key files is missing or damaged."""
        path = self._folder / name
        if not path.is_file():
            return None
        try:
            document = msgspec.json.decode(path.read_bytes(), type=_Document)
            if document.format != _FORMAT or _checksum(bytes(document.state)) != document.checksum:
                return None
            state = msgspec.json.decode(document.state, type=_State)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        keys: list[bytes] = []
        for file in state.key_files:
            content = self._content_of(file)
            if content is None:
                return None
            keys += (content[start : start + KEY_BYTES] for start in range(0, len(content), KEY_BYTES))
        return _Generation(state=state, keys=keys)

    def _content_of(self, file: _KeyFile) -> bytes | None:
        path = self._folder / file.name
        content = path.read_bytes() if path.is_file() else b""
        return content if _checksum(content) == file.checksum else None

    def _has_state_files(self) -> bool:
        return any((self._folder / name).is_file() for name in (_STATE, _PREVIOUS))

    def _remove_all_but(self, names: frozenset[str]) -> None:
        """Remove key files that a crash left without a state document naming them."""
        if not self._folder.is_dir():
            return
        for path in list(self._folder.iterdir()):
            if path.name.startswith("keys-") and path.name not in names:
                path.unlink(missing_ok=True)


@contextmanager
def _failures_named(folder: Path) -> Iterator[None]:
    """Turns a failure of the disk into the error that means "later"."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"the memory in {folder} cannot be used: {error.strerror or error}") from error


def _names(state: _State) -> frozenset[str]:
    return frozenset(file.name for file in state.key_files)


def _document(state: _State) -> bytes:
    text = msgspec.json.encode(state)
    return msgspec.json.encode(_Document(format=_FORMAT, checksum=_checksum(text), state=msgspec.Raw(text)))


def _checksum(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _keep_previous(folder: Path) -> None:
    state = folder / _STATE
    if not state.is_file():
        return
    if on_disk(folder):
        state.replace(folder / _PREVIOUS)
    else:
        (folder / _PREVIOUS).write_bytes(state.read_bytes())
