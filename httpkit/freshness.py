"""What is new: the identity of a record, and the keys of those delivered before; nothing here is written to disk."""

import json
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from hashlib import blake2b
from itertools import compress
from operator import not_

import msgspec

from httpkit.key_sets import KEY_BYTES, KeySet
from httpkit.paths import compile_path
from httpkit.values import JsonValue, SlicedRecord, value_of

_SCALARS = frozenset({str, int})

KeyOf = Callable[[JsonValue], bytes]

_OF_IDENTITY = blake2b(digest_size=KEY_BYTES, person=b"id")
_OF_RECORD = blake2b(digest_size=KEY_BYTES, person=b"record")
_encode = msgspec.json.Encoder(order="deterministic").encode


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
        return key_of_record(record) if is_absent(identity) else key_of_identity(identity)

    return key


def key_of_identity(identity: JsonValue) -> bytes:
    """The key of the record with an identity."""
    return _digest(_OF_IDENTITY, identity)


def keys_of_identities(identities: Sequence[JsonValue]) -> list[bytes]:
    """The keys of the records with these identities."""
    fresh, encode, keys = _OF_IDENTITY.copy, _encode, list[bytes]()
    try:
        for identity in identities:
            digest = fresh()
            digest.update(encode(identity))
            keys.append(digest.digest())
    except UnicodeEncodeError:
        return [key_of_identity(identity) for identity in identities]
    return keys


def key_of_record(record: JsonValue | SlicedRecord) -> bytes:
    """The key of a record that has no identity but what it holds."""
    return _digest(_OF_RECORD, value_of(record))


def is_absent(identity: JsonValue) -> bool:
    """Does it identify nothing? A path such as `[a, b]` gives a list even when a record has neither."""
    if isinstance(identity, (list, dict)):
        return all(is_absent(part) for part in (identity.values() if isinstance(identity, dict) else identity))
    return identity is None or identity == ""


def are_present(identities: Sequence[JsonValue]) -> list[bool]:
    """Not `is_absent`, for each of many."""
    if _SCALARS.issuperset(map(type, identities)) and "" not in identities:
        return [True] * len(identities)
    return [not is_absent(identity) for identity in identities]


class SeenKeys:
    """The keys of delivered records, and which of them the API showed in the window under way.

    A key is *given* while its record is on its way, and confirmed by `add` once that was delivered. What was given and
    never confirmed is new again at the next poll. Keys are *live* as long as the last window that was read to its end
    showed them; live keys are never forgotten.

    Args:
        keys: remembered from before; the window that is read first may be one that they belong to.
        limit: number of keys that are kept although the API no longer shows them; half of it is forgotten at once.
    """

    def __init__(self, keys: Iterable[bytes] = (), *, limit: int = 1_000_000) -> None:
        self.limit = limit
        self.repeats = 0
        # Shown: on this reading of the window, on earlier ones, in the window before; then by age.
        self._now, self._earlier, self._latest = KeySet(), KeySet(keys), KeySet()
        self._older, self._oldest = KeySet(), KeySet()
        self._given: set[bytes] = set()
        # Those of pages, which most often are confirmed page by page, as they were given.
        self._given_pages: deque[list[bytes]] = deque()
        self._window: Hashable = None
        self._forgotten = 0

    def __contains__(self, key: bytes) -> bool:
        return key not in self._all_given() and self._holds(key)

    def __len__(self) -> int:
        return sum(map(len, self._sets())) - len(self._all_given())

    def begin_poll(self) -> None:
        """Records that were given and never confirmed are new again."""
        for key in self._all_given():
            any(keys.discard(key) for keys in self._sets())
        self._given.clear()

    def begin(self, window: Hashable = None) -> None:
        """From now on no key was shown yet.

        Args:
            window: what is read; another one than before means that the one before was read to its end. Reading the
                same one again, or going on with it, leaves its keys live; so does None, for what is read beside the
                windows.
        """
        shown, self._now = self._now, KeySet()
        if window is None or window == self._window or self._window is None:
            self._earlier.absorb(shown)
            self._window = self._window if window is None else window
            return
        self._retire(self._latest)
        self._earlier.absorb(shown)
        self._latest, self._earlier = self._earlier, KeySet()
        self._window, self.repeats = window, 0

    def all_shown(self, keys: Sequence[bytes]) -> bool:
        """Were all of these keys on earlier pages of this window?"""
        # Most often the first one tells.
        return all(key in self._now for key in keys)

    def show(self, keys: Sequence[bytes]) -> list[bool]:
        """The API shows the records of a page: for each, was it delivered before, or is it on its way?"""
        self._meet(keys)
        return self._now.holds(keys)

    def show_and_give(self, keys: Sequence[bytes]) -> list[bool]:
        """As `show`, and those that are new are on their way; of a key that comes twice only the first is new."""
        self._meet(keys)
        known = self._now.take(keys)
        if new := list(compress(keys, map(not_, known)) if any(known) else keys):
            self._given_pages.append(new)
        return known

    def give(self, keys: Collection[bytes]) -> None:
        """The records of these keys, which are new and different, are on their way."""
        self._now.add_new(list(keys))
        self._given.update(keys)

    def add(self, keys: Iterable[bytes]) -> None:
        """Confirm the keys of delivered records; those that were not given are remembered as well."""
        keys = list(keys)
        if self._given_pages and self._given_pages[0] == keys:
            self._given_pages.popleft()
            return
        others = set(keys) - self._all_given() if keys else ()
        self._given.difference_update(keys)
        self._now.add([key for key in others if not self._holds(key)])

    def forget_beyond_limit(self) -> int:
        """How many keys were forgotten since the last call; they were those that the API has not shown for longest."""
        forgotten, self._forgotten = self._forgotten, 0
        return forgotten

    def _all_given(self) -> set[bytes]:
        while self._given_pages:
            self._given.update(self._given_pages.popleft())
        return self._given

    def _sets(self) -> tuple[KeySet, ...]:
        return (self._now, self._earlier, self._latest, self._older, self._oldest)

    def _holds(self, key: bytes) -> bool:
        return any(key in keys for keys in self._sets())

    def _meet(self, keys: Sequence[bytes]) -> None:
        """Those of these keys that are remembered are shown now."""
        for remembered in (self._earlier, self._latest, self._older, self._oldest):
            held = remembered.holds(keys) if len(remembered) else ()
            if any(held):
                moved = [key for key, one in zip(keys, held, strict=True) if one and remembered.discard(key)]
                self._now.add(moved)
                if remembered is not self._earlier:
                    self.repeats += len(moved)

    def _retire(self, keys: KeySet) -> None:
        """The API shows these keys no longer."""
        self._older.absorb(keys)
        if len(self._older) > self.limit // 2:
            self._forgotten += len(self._oldest)
            self._oldest, self._older = self._older, KeySet()
        if len(self._oldest) > self.limit:
            self._forgotten += len(self._oldest)
            self._oldest = KeySet()


def _digest(kind: "blake2b", value: JsonValue) -> bytes:
    try:
        text = _encode(value)
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form, but an escape
        text = json.dumps(value, sort_keys=True).encode()
    digest = kind.copy()
    digest.update(text)
    return digest.digest()
