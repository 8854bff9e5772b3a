"""Where the records of a page begin and end, guessed from the page before it; whether it is so, who asks has to prove.

To find where a record ends takes as long as to read what is wanted of it. But APIs write each page as they wrote the
last one: `"items":[{"id":…},{"id":…}],"next":…`. So what stood before, between and after the records is searched for,
which is several times faster, since no search begins before a record can be over.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Raw

_FIRST_FIELD = re.compile(rb'\{"[^"\\]+":"?')
"""The beginning of a record, to the value of its first field."""

_GAP = re.compile(rb" *, *")
_NEXT_FIELD = re.compile(rb' *\][\]} ]*(?:, *"[^"\\]+" *:|\Z)')
"""What follows the last record, to the value of the next field or to the end of the page."""

_MOST_FAILURES = 3
_SLACK = 1 / 32
"""A record may be shorter than all before it by this share of their length."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """A page in pieces.

    Attributes:
        before: all before the first record.
        records: each perhaps a record; only commas and spaces stand between them.
        after: all after the last one.
    """

    before: bytes
    records: Sequence[bytes]
    after: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seam:
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
    """The seams of one source. After several wrong guesses in a row there are no more of them.

    Args:
        name: of the list of records; "" when the page is the list.
    """

    def __init__(self, name: str) -> None:
        self._opening = re.compile(rb'"%s" *: *\[ *\Z' % re.escape(name.encode()) if name else rb"\A *\[ *\Z")
        self._seam: _Seam | None = None
        self._shortest = 0
        self._failures = 0

    def guess(self, body: bytes) -> Guess | None:
        """The page in pieces; None when it does not look like those before."""
        seam = self._seam
        if seam is None or (place := body.find(seam.opening + seam.first_field)) < 0:
            return None
        first = start = place + len(seam.opening)
        records, find, between = list[bytes](), body.find, b"}" + seam.gap + seam.first_field
        least, step = int(self._shortest * (1 - _SLACK)) - 1, 1 + len(seam.gap)
        while (end := find(between, start + least)) >= 0:
            records.append(body[start : end + 1])
            start = end + step
        if (end := body.rfind(b"}" + seam.closing, start)) < 0:
            return None
        records.append(body[start : end + 1])
        return Guess(before=body[:first], records=records, after=body[end + 1 :])

    def was_right(self) -> None:
        """The last guess was proved."""
        self._failures = 0

    def was_wrong(self) -> None:
        """The last guess could not be proved."""
        self._seam = None
        self._failures += 1

    def learn(self, body: bytes, records: Sequence[Raw]) -> None:
        """Look at a page whose records are known, for the next guess."""
        if self._failures < _MOST_FAILURES and len(records) > 1:
            self._seam = self._found(body, [bytes(records[0]), bytes(records[1]), bytes(records[-1])])
            lengths = min(map(len, records))
            self._shortest = min(self._shortest or lengths, lengths)

    def _found(self, body: bytes, some: Sequence[bytes]) -> _Seam | None:
        """The seam of a page, of which the first two and the last record are given; None when it has none.

        A record may stand in the page a second time, so what is found may be wrong.
        """
        first, second, last = some
        begins = _FIRST_FIELD.match(first)
        place, end = body.find(first), body.rfind(last) + len(last)
        after_first = place + len(first)
        opening = self._opening.search(body[:place])
        gap = _GAP.fullmatch(body[after_first : body.find(second, after_first)])
        closing = _NEXT_FIELD.match(body, end)
        if not (begins and opening and gap and closing):
            return None
        # The first value may be a text in some records only.
        names = begins[0] if all(one.startswith(begins[0]) for one in some) else begins[0].rstrip(b'"')
        return _Seam(opening=opening[0], gap=gap[0], closing=closing[0], first_field=names)
