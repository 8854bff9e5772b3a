"""The state document: how a state is written down, checked, and read again also when an older version wrote it."""

from collections.abc import Callable, Mapping
from hashlib import blake2b

import msgspec

from httpkit.errors import SettingsError
from httpkit.outbox_state import OutboxState
from httpkit.values import Position

FORMAT = 2


class KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of keys as the state names it.

    Attributes:
        count: number of keys that count; what lies behind them was left by a commit that failed.
        checksum: over the keys that count.
    """

    name: str
    count: int
    checksum: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one source.

    Attributes:
        source: what is read, in words.
        next_number: grows with every commit, so of two states the one with the higher number is newer.
        tail: the newest keys, which are in no file yet, one after the other.
        owner: the start of the process that wrote it; "" when a version did that had no owners.
        outbox: what waits to be sent, for sources whose entries do not go out at once.
    """

    source: str
    position: Position = Position()
    next_number: int = 1
    key_files: tuple[KeyFile, ...] = ()
    tail: bytes = b""
    owner: str = ""
    outbox: OutboxState = OutboxState()

    @property
    def file_names(self) -> frozenset[str]:
        """The files that belong to it."""
        return frozenset({file.name for file in self.key_files} | {file.name for file in self.outbox.files})


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    """The document: the state as text, so that the checksum is over the very bytes that are read."""

    format: int
    checksum: str
    state: msgspec.Raw


def encode_state(state: State) -> bytes:
    """Write a state down in the newest format."""
    text = msgspec.json.encode(state)
    return msgspec.json.encode(_Document(format=FORMAT, checksum=_checksum(FORMAT, text), state=msgspec.Raw(text)))


def decode_state(content: bytes) -> State | None:
    """Read a document of any known format; None when it is damaged.

    Raises:
        SettingsError: a newer version wrote it, in a format that this one does not know.
    """
    try:
        document = msgspec.json.decode(content, type=_Document)
        text = bytes(document.state)
        if document.format < 1 or _checksum(document.format, text) != document.checksum:
            return None
        if document.format > FORMAT:
            raise SettingsError(
                "memory",
                f"was written by a newer version of this module (format {document.format}, and this version knows "
                f"{FORMAT}); use that version again, or delete the memory to read the source again from its start",
            )
        for number in range(document.format, FORMAT):
            text = _MIGRATIONS[number](text)
        return msgspec.json.decode(text, type=State)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _checksum(format_number: int, text: bytes) -> str:
    """Each later format keeps this rule, so that a newer document is told from a damaged one.

    The first format had its number outside of the checksum.
    """
    head = b"" if format_number == 1 else b"%d:" % format_number
    return blake2b(head + text, digest_size=16).hexdigest()


def _from_format_1(text: bytes) -> bytes:
    """It had neither a tail nor an owner, which have defaults."""
    return text


_MIGRATIONS: Mapping[int, Callable[[bytes], bytes]] = {1: _from_format_1}
"""Format -> what makes the text of a state of that format one of the next."""
