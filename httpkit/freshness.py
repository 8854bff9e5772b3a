"""What is new: the identity of a record, and the keys of those delivered before; nothing here is written to disk."""

import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b

import msgspec

from httpkit.paths import compile_path
from httpkit.values import JsonValue

KEY_BYTES = 16

KeyOf = Callable[[JsonValue], bytes]


def key_of(id_path: str) -> KeyOf:
    """The function that gives the key of a record.

    Args:
        id_path: JMESPath of the identity; a record without one is identified by all it holds.

    Returns:
        A function from a record to 16 bytes; 1 and "1" are two identities.
    """
    find = compile_path("id_path", id_path) if id_path else None

    def key(record: JsonValue) -> bytes:
        identity = find(record) if find else None
        if _is_absent(identity):
            return _digest(b"record", record)
        return _digest(b"id", identity)

    return key


class SeenKeys:
    """The keys of delivered records, oldest first, and which of them the API showed in the poll under way.

    Args:
        keys: remembered from before, oldest first.
        limit: above it, keys that the API no longer shows are forgotten; those it still shows never are.
    """

    def __init__(self, keys: Iterable[bytes] = (), *, limit: int = 1_000_000) -> None:
        self._polls = 0
        self._shown = dict.fromkeys(keys, 0)
        self._limit = limit

    def __contains__(self, key: bytes) -> bool:
        return key in self._shown

    def __len__(self) -> int:
        return len(self._shown)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._shown)

    def begin_poll(self) -> None:
        """From now on no key was shown yet; a poll that reads several windows counts as several."""
        self._polls += 1

    def shown_in_poll(self, key: bytes) -> bool:
        """Was the key on an earlier page of this poll?"""
        return self._shown.get(key) == self._polls

    def show(self, keys: Iterable[bytes]) -> None:
        """Note that these keys were on a page of this poll; those not remembered yet are not added."""
        for key in keys:
            if key in self._shown:
                self._shown[key] = self._polls

    def add(self, keys: Iterable[bytes]) -> None:
        """Remember the keys of delivered records."""
        for key in keys:
            self._shown[key] = self._polls

    def forget_beyond_limit(self) -> int:
        """Forget the oldest keys that the last poll, read to its end, did not show; how many were forgotten."""
        surplus = len(self._shown) - self._limit
        if surplus <= 0:
            return 0
        gone = [key for key, poll in self._shown.items() if poll != self._polls][:surplus]
        for key in gone:
            del self._shown[key]
        return len(gone)


def _is_absent(identity: JsonValue) -> bool:
    """Does it identify nothing? A path such as `[a, b]` gives a list even when a record has neither."""
    if isinstance(identity, (list, dict)):
        return all(_is_absent(part) for part in (identity.values() if isinstance(identity, dict) else identity))
    return identity is None or identity == ""


def _digest(kind: bytes, value: JsonValue) -> bytes:
    try:
        text = msgspec.json.encode(value, order="deterministic")
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form, but an escape
        text = json.dumps(value, sort_keys=True).encode()
    return blake2b(text, digest_size=KEY_BYTES, person=kind).digest()
