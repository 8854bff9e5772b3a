"""Where the records of a page begin and end, guessed from the page before it; whether it is so, who asks has to prove.

To find where a record ends takes as long as to read what is wanted of it. But APIs write each page as they wrote the
last one: `"items":[{"id":…},{"id":…}],"next":…`. So what stood before, between and after the records is searched for.
That takes a third of the time, since the search for the end of a record begins where the shortest one would end.
"""

import re
from collections.abc import Sequence

from msgspec import Raw, Struct

_FIRST_FIELD = re.compile(rb'\{"[^"\\]+":"?')
"""The beginning of a record, to the value of its first field."""

_GAP = re.compile(rb" {0,8}, {0,8}")
_NEXT_FIELD = re.compile(rb' *\][\]} ]*(?:, *"[^"\\]+" *:|\Z)')
"""What follows the last record, to the value of the next field or to the end of the page."""

_LONGEST = 64
"""Bytes of what stands around records: what is longer would be searched for too slowly."""

_FARTHEST = 64 * 1024
"""The last record ends so near to the end of its page, in bytes."""

_WORTH_IT = 512
"""Bytes that a record has on average; shorter ones are found as fast without guessing."""

_SLACK = 1 / 16
"""A record may be shorter than all before it by this share of their length."""

_LONGEST_REST = 64


class Guess(Struct, frozen=True, kw_only=True):
    """A page in pieces.

    Attributes:
        before: all before the first record.
        records: each perhaps a record; only commas and spaces stand between them.
        after: all after the last one.
    """

    before: bytes
    records: Sequence[bytes]
    after: bytes


class _Seam(Struct, frozen=True, kw_only=True):
    """What stands around the records of a page.

    Attributes:
        opening: before the first one.
        gap: between two of them.
        closing: after the last one.
        first_field: with which each of them begins.
    """

    opening: bytes
    gap: bytes
    closing: bytes
    first_field: bytes


class Seams:
    """The seams of one source.

    The oftener a guess was wrong, the more pages pass without one, until one is right.

    Args:
        name: of the list of records; "" when the page is the list.
    """

    def __init__(self, name: str) -> None:
        self._opening = re.compile(rb'"%s" *: *\[ *\Z' % re.escape(name.encode()) if name else rb"\A *\[ *\Z")
        self._seam: _Seam | None = None
        self._shortest = 0
        self._rest = self._next_rest = 0

    def guess(self, body: bytes) -> Guess | None:
        """The page in pieces; None when it does not look like those before."""
        seam = self._seam
        if seam is None or (place := body.find(seam.opening + seam.first_field)) < 0:
            return None
        first = start = place + len(seam.opening)
        records, find, between = list[bytes](), body.find, b"}" + seam.gap + seam.first_field
        least, step = int(self._shortest * (1 - _SLACK)), 1 + len(seam.gap)
        while (end := find(between, start + least)) >= 0:
            records.append(body[start : end + 1])
            start = end + step
        # Backwards, each byte may be compared with all of what is searched for.
        if (end := body.rfind(b"}" + seam.closing, max(start, len(body) - _FARTHEST))) < 0:
            return None
        records.append(body[start : end + 1])
        return Guess(before=body[:first], records=records, after=body[end + 1 :])

    def was_right(self) -> None:
        """The last guess was proved."""
        self._next_rest = 0

    def was_wrong(self) -> None:
        """The last guess could not be proved."""
        self._seam = None
        self._rest = self._next_rest
        self._next_rest = min(2 * self._next_rest + 1, _LONGEST_REST)

    def learn(self, body: bytes, records: Sequence[Raw]) -> None:
        """Look at a page whose records are known, for the next guess."""
        if self._rest:
            self._rest -= 1
            return
        length = sum(map(len, records))
        if len(records) > 1 and length >= _WORTH_IT * len(records):
            self._seam = self._found(body, records, length)
            shortest = min(map(len, records))
            self._shortest = min(self._shortest or shortest, shortest)

    def _found(self, body: bytes, records: Sequence[Raw], length: int) -> _Seam | None:
        """The seam of a page whose records have so many bytes together; None when it has none that is of use.

        A record may stand in the page a second time, so what is found may be wrong.
        """
        first, second, last = bytes(records[0]), bytes(records[1]), bytes(records[-1])
        begins, place = _FIRST_FIELD.match(first), body.find(first)
        after_first = place + len(first)
        gap = _GAP.match(body, after_first)
        if not (begins and gap and body.startswith(second, gap.end())):
            return None
        end = place + length + len(gap[0]) * (len(records) - 1)
        opening, closing = self._opening.search(body[max(0, place - _LONGEST) : place]), _NEXT_FIELD.match(body, end)
        if not (opening and closing and body.endswith(last, 0, end)):
            return None
        if max(map(len, (opening[0], gap[0], closing[0], begins[0]))) > _LONGEST:
            return None
        # The first value may be a text in some records only.
        is_common = second.startswith(begins[0]) and last.startswith(begins[0])
        names = begins[0] if is_common else begins[0].rstrip(b'"')
        return _Seam(opening=opening[0], gap=gap[0], closing=closing[0], first_field=names)
