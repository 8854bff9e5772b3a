"""Sets of keys that need about nine bytes a key instead of a hundred; what keys mean is not known here."""

from collections.abc import Iterable

_BUCKETS = 1 << 14
_HIGH_BITS = 0x3F
_STORED = slice(7, 15)
_STORED_BYTES = 8


class KeySet:
    """A set of digests.

    Of each key its last nine bytes count: 14 bits choose a bucket, 64 lie in it, one key after the other. Two of a
    million keys fall together once in 10^10 sets, and Python's own sets would need ten times the memory.

    Args:
        keys: digests of 16 bytes.
    """

    __slots__ = ("_buckets", "_count")

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        self._buckets: list[bytearray | None] = [None] * _BUCKETS
        self._count = 0
        self.add(keys)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: bytes) -> bool:
        bucket = self._buckets[(key[14] & _HIGH_BITS) << 8 | key[15]]
        return bucket is not None and _place(bucket, key[_STORED]) >= 0

    def holds(self, keys: Iterable[bytes]) -> list[bool]:
        """For each of some keys, is it there?"""
        buckets, held = self._buckets, []
        for key in keys:
            bucket = buckets[(key[14] & _HIGH_BITS) << 8 | key[15]]
            held.append(bucket is not None and _place(bucket, key[_STORED]) >= 0)
        return held

    def add(self, keys: Iterable[bytes]) -> None:
        """Add keys; those that are there already change nothing."""
        buckets, added = self._buckets, 0
        for key in keys:
            number = (key[14] & _HIGH_BITS) << 8 | key[15]
            stored = key[_STORED]
            bucket = buckets[number]
            if bucket is None:
                buckets[number] = bytearray(stored)
            elif _place(bucket, stored) < 0:
                bucket += stored
            else:
                continue
            added += 1
        self._count += added

    def discard(self, key: bytes) -> bool:
        """Remove a key; was it there?"""
        bucket = self._buckets[(key[14] & _HIGH_BITS) << 8 | key[15]]
        place = -1 if bucket is None else _place(bucket, key[_STORED])
        if bucket is None or place < 0:
            return False
        bucket[place : place + _STORED_BYTES] = bucket[-_STORED_BYTES:]
        del bucket[-_STORED_BYTES:]
        self._count -= 1
        return True

    def absorb(self, other: "KeySet") -> None:
        """Add all keys of another set."""
        for number, bucket in enumerate(other._buckets):  # noqa: SLF001  (a set of the same kind)
            mine = self._buckets[number]
            if not bucket:
                continue
            if not mine:
                self._buckets[number] = bytearray(bucket)
                self._count += len(bucket) // _STORED_BYTES
                continue
            for start in range(0, len(bucket), _STORED_BYTES):
                stored = bytes(bucket[start : start + _STORED_BYTES])
                if _place(mine, stored) < 0:
                    mine += stored
                    self._count += 1


def _place(bucket: bytearray, stored: bytes) -> int:
    """Where a key lies in a bucket, -1 when it does not; the bytes may also be found across two keys."""
    place = bucket.find(stored)
    while place > 0 and place % _STORED_BYTES:
        place = bucket.find(stored, place + 1)
    return place
