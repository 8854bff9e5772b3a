"""Many records as columns: a page has thousands, and an object for each would cost more than what is done with it."""

from collections.abc import Sequence
from itertools import compress
from typing import overload

import msgspec

from httpkit.values import JsonValue, Record, SlicedRecord, decoded_record


class UnreadRecords(Sequence[JsonValue]):
    """The records that were cut from a page, before anything in them was read; each is decoded when it is asked for.

    Attributes:
        body: the page.
        slices: the JSON values as the API wrote them.
    """

    __slots__ = ("body", "slices")

    def __init__(self, body: bytes, slices: Sequence[msgspec.Raw | bytes]) -> None:
        self.body, self.slices = body, slices

    def __len__(self) -> int:
        return len(self.slices)

    @overload
    def __getitem__(self, place: int) -> JsonValue: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[JsonValue]: ...

    def __getitem__(self, place: int | slice) -> JsonValue:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        return decoded_record(bytes(self.slices[place]))


class SlicedRecords(Sequence[SlicedRecord]):
    """The records that were cut from a page; its text becomes that of events when it is asked for.

    Attributes:
        slices: the JSON objects as the API wrote them, each on one line, and in UTF-8.
        identities: what the path of the identity finds in each.
        times: what the path of the time finds in each.
        plain: may fields be added at the beginning of each, since it has others and none of these?
    """

    __slots__ = ("identities", "plain", "slices", "times")

    def __init__(
        self,
        slices: Sequence[bytes],
        *,
        identities: Sequence[JsonValue],
        times: Sequence[JsonValue],
        plain: bool,
    ) -> None:
        self.slices, self.identities, self.times, self.plain = slices, identities, times, plain

    def __len__(self) -> int:
        return len(self.slices)

    @overload
    def __getitem__(self, place: int) -> SlicedRecord: ...

    @overload
    def __getitem__(self, place: slice) -> "SlicedRecords": ...

    def __getitem__(self, place: int | slice) -> "SlicedRecord | SlicedRecords":
        if isinstance(place, slice):
            return SlicedRecords(
                self.slices[place], identities=self.identities[place], times=self.times[place], plain=self.plain
            )
        return SlicedRecord(self.slices[place].decode(), self.plain)

    def events(self, beginning: str, longest: int) -> Sequence[str] | None:
        """The events of plain records; None when one of them is longer than it may be.

        Args:
            beginning: stands in the place of the opening brace of each; with it the fields that are added.
            longest: in characters.
        """
        first = beginning.encode()
        # As long as a text is in the cache, each of these steps takes half of what it takes later.
        events = [event for one in self.slices if len(event := one.replace(b"{", first, 1).decode()) <= longest]
        return events if len(events) == len(self.slices) else None

    def only(self, chosen: Sequence[bool]) -> "SlicedRecords":
        """Some of them, in the same order."""
        return SlicedRecords(
            list(compress(self.slices, chosen)),
            identities=list(compress(self.identities, chosen)),
            times=list(compress(self.times, chosen)),
            plain=self.plain,
        )


class Records(Sequence[Record]):
    """Records on their way to delivery, none of them with parts.

    Attributes:
        keys: the identity of each.
        contents: each as the API gave it.
        path_numbers: for each, by which of the record paths it was found.
        remember: are the keys kept, so that the records are not delivered again?
    """

    __slots__ = ("contents", "keys", "path_numbers", "remember")

    def __init__(
        self,
        keys: Sequence[bytes],
        contents: Sequence[JsonValue | SlicedRecord],
        path_numbers: Sequence[int],
        *,
        remember: bool = True,
    ) -> None:
        self.keys, self.contents, self.path_numbers, self.remember = keys, contents, path_numbers, remember

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...

    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        return Record(self.keys[place], self.contents[place], self.path_numbers[place], self.remember)

    def only(self, chosen: Sequence[bool]) -> "Records":
        """Some of them, in the same order."""
        contents = self.contents
        return Records(
            list(compress(self.keys, chosen)),
            contents.only(chosen) if isinstance(contents, SlicedRecords) else list(compress(contents, chosen)),
            list(compress(self.path_numbers, chosen)),
            remember=self.remember,
        )
