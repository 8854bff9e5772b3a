"""Sets of keys that need about eight bytes a key instead of a hundred; what keys mean is not known here."""

import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from struct import Struct

_BUCKETS = 1 << 14
_SPARE_BITS = 2
_CHOOSES, _STORED = slice(6, 8), slice(10, 16)
_STORED_BYTES = 6
_AT_ONCE = 4096
_KNOWN_LAYOUTS = 16
_SEVERAL = 2
_NOWHERE = frozenset({-1})

KEY_BYTES = 16


class KeySet:
    """A set of digests.

    Of each key 14 bits choose a bucket, and its last 48 bits lie in it, one key after the other. Two of a million keys
    fall together once in 10^7 sets, and Python's own sets would need ten times the memory.

    Args:
        keys: digests of 16 bytes.
    """

    __slots__ = ("_buckets", "_count")

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        # Bytes, although they are copied for each new key: what grows in place is given more than it needs. There are
        # none before the first key, since most sets stay empty.
        self._buckets: list[bytes] = []
        self._count = 0
        rest = iter(keys)
        while some := list(islice(rest, _AT_ONCE)):
            self.add(some)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: bytes) -> bool:
        return bool(self._buckets) and _place(self._buckets[_number(key)], key[_STORED]) >= 0

    def holds(self, keys: Sequence[bytes]) -> list[bool]:
        """For each of some keys, is it there?"""
        numbers, stored = _spread(keys)
        if not self._perhaps(numbers, stored):
            return [False] * len(keys)
        buckets = self._buckets
        return [_place(buckets[number], one) >= 0 for number, one in zip(numbers, stored, strict=True)]

    def add(self, keys: Sequence[bytes]) -> None:
        """Add keys; those that are there already change nothing."""
        self.take(keys)

    def take(self, keys: Sequence[bytes]) -> list[bool]:
        """Add keys; for each, was it there, or earlier among them?"""
        self._make_buckets()
        numbers, stored = _spread(keys)
        # Most often all are new.
        if len(set(keys)) == len(keys) and not self._perhaps(numbers, stored):
            self._append(numbers, stored)
            return [False] * len(keys)
        buckets, held = self._buckets, list[bool]()
        for number, one in zip(numbers, stored, strict=True):
            bucket = buckets[number]
            is_new = _place(bucket, one) < 0
            if is_new:
                buckets[number] = bucket + one
            held.append(not is_new)
        self._count += held.count(False)
        return held

    def add_new(self, keys: Sequence[bytes]) -> None:
        """Add keys that are known not to be there, each of them once."""
        self._make_buckets()
        self._append(*_spread(keys))

    def _perhaps(self, numbers: Sequence[int], stored: Sequence[bytes]) -> bool:
        """May one of several keys be there? Without a call of ours for each, which would double the time."""
        if not self._count:
            return False
        if len(numbers) < _SEVERAL:
            return True
        return not _NOWHERE.issuperset(map(bytes.find, itemgetter(*numbers)(self._buckets), stored))

    def _make_buckets(self) -> None:
        if not self._buckets:
            self._buckets = [b""] * _BUCKETS

    def _append(self, numbers: Sequence[int], stored: Sequence[bytes]) -> None:
        buckets = self._buckets
        for number, one in zip(numbers, stored, strict=True):
            buckets[number] += one
        self._count += len(stored)

    def discard(self, key: bytes) -> bool:
        """Remove a key; was it there?"""
        if not self._count:
            return False
        number = _number(key)
        bucket = self._buckets[number]
        place = _place(bucket, key[_STORED])
        if place < 0:
            return False
        self._buckets[number] = bucket[:place] + bucket[place + _STORED_BYTES :]
        self._count -= 1
        return True

    def absorb(self, other: "KeySet") -> None:
        """Add all keys of another set."""
        if not self:
            self._buckets, self._count = other._buckets.copy(), other._count  # noqa: SLF001  (a set of the same kind)
            return
        for number, theirs in enumerate(other._buckets):  # noqa: SLF001
            if theirs:
                mine = self._buckets[number]
                stored = (theirs[start : start + _STORED_BYTES] for start in range(0, len(theirs), _STORED_BYTES))
                new = b"".join([one for one in stored if _place(mine, one) < 0]) if mine else theirs
                self._buckets[number] = mine + new
                self._count += len(new) // _STORED_BYTES


def _number(key: bytes) -> int:
    """Of the bucket of a key."""
    return int.from_bytes(key[_CHOOSES], sys.byteorder) >> _SPARE_BITS


def _spread(keys: Sequence[bytes]) -> tuple[Sequence[int], Sequence[bytes]]:
    """For each key the number of its bucket, and what lies in it."""
    if not keys:
        return (), ()
    together = b"".join(keys)
    choosing = memoryview(together).cast("H")[_CHOOSES.start // 2 :: KEY_BYTES // 2].tolist()
    # A layout needs twice as much memory as its keys, so those of large pages are not kept.
    stored = _layout(len(keys)).unpack(together) if len(keys) <= _AT_ONCE else [key[_STORED] for key in keys]
    return [one >> _SPARE_BITS for one in choosing], stored


@lru_cache(_KNOWN_LAYOUTS)
def _layout(count: int) -> Struct:
    """Where in so many keys, one after the other, that lies which is stored."""
    return Struct(f"{_STORED.start}x{_STORED_BYTES}s{KEY_BYTES - _STORED.stop}x" * count)


def _place(bucket: bytes, stored: bytes) -> int:
    """Where a key lies in a bucket, -1 when it does not; the bytes may also be found across two keys."""
    place = bucket.find(stored)
    while place > 0 and place % _STORED_BYTES:
        place = bucket.find(stored, place + 1)
    return place
