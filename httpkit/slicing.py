"""Records cut out of a JSON page as they stand there; what is only passed on is never decoded.

Of each record identity and time are read, and whether it has one of the fields that are added to every event. Of the
rest of the page only what a path names is decoded, which is where the next page and the totals are.
"""

import re
import secrets
from codecs import utf_8_decode
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from types import NoneType
from typing import Annotated, Any

import msgspec

from httpkit.columns import SlicedRecords, UnreadRecords
from httpkit.paths import OF_LAST_RECORD, is_plain_name
from httpkit.seams import Seams
from httpkit.values import JsonValue

_OF_AN_ANSWER = re.compile(r"header:|json\(\s*header:")
_Never = Annotated[int, msgspec.Meta(gt=1, lt=0)]
"""A type that no JSON value has."""
_UNNAMEABLE = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
"""What msgspec does not take in the name of a field."""

_CHECKED_AT_ONCE = 256 * 1024
_NOT_SO = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""A page is not as expected."""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A page in pieces.

    Attributes:
        content: what the paths of an answer find, with an empty list in the place of the records.
        records: in the order of the page.
        guessed: is it perhaps another page? Reading its records proves that it is not.
    """

    content: JsonValue
    records: UnreadRecords
    guessed: bool = False


class Slices(msgspec.Struct, frozen=True, kw_only=True):
    """A page in pieces of which is read what has to be known; otherwise as `Cut`."""

    content: JsonValue
    records: SlicedRecords


class Slicer:
    """Cuts pages of one source.

    Args:
        records_path: plain names with dots between, "" for a page that is the list itself.
        id_path: as `records_path`, in a record; "" for none.
        timestamp_path: as `id_path`.
        added: names of the fields that are added to every event.
        in_answer: paths that are read in each answer, which `can_slice` has seen.
    """

    def __init__(
        self,
        *,
        records_path: str,
        id_path: str,
        timestamp_path: str,
        added: Collection[str],
        in_answer: Sequence[str],
    ) -> None:
        self._way = _names(records_path)
        self._id, self._time = _names(id_path), _names(timestamp_path)
        self._adds = bool(added)
        read = {way[0]: Any for way in (self._id, self._time) if way}
        others = [_names(path) for path in in_answer if path and is_plain_name(path)]
        head, self._attributes = _struct_of("Head", read, absent=None)
        plain_head, _ = _struct_of("PlainHead", {**read, **dict.fromkeys(added, _Never)}, absent=None)
        self._head_of = msgspec.json.Decoder(head).decode
        self._plain_head_of = msgspec.json.Decoder(plain_head).decode
        self._page, self._heads = _page_part(self._way, others, msgspec.Raw), _page_part(self._way, [], head)
        self._page_of = msgspec.json.Decoder(self._page.type).decode
        self._heads_of = msgspec.json.Decoder(self._heads.type).decode
        self._plain_heads_of = msgspec.json.Decoder(_page_part(self._way, [], plain_head).type).decode
        self._seams = Seams(self._way[-1] if self._way else "")
        # What no page holds, since nobody can know it.
        self._stand_in = b'"%s"' % secrets.token_hex().encode()
        # A field that is read cannot be refused as well.
        self._may_be_plain = read.keys().isdisjoint(added)

    def cut(self, body: bytes) -> Cut | None:
        """The page in pieces; None when it has to be decoded, because it is not as expected or not on one line."""
        body = body.rstrip(b"\r\n")
        if b"\n" in body or b"\r" in body:
            return None
        return self._guessed(body) or self._cut(body)

    def cut_again(self, guessed: Cut) -> Cut | None:
        """As `cut`, for a page that was guessed wrongly."""
        self._seams.was_wrong()
        return self._cut(guessed.records.body)

    def read(self, cut: Cut) -> Slices | None:
        """Read in the records of a page what has to be known of each; None when the page has to be decoded.

        The content is the same, unless the page was guessed, and is another one.
        """
        if cut.guessed:
            if proved := self._proved(cut):
                return proved
            exact = self.cut_again(cut)
            return self.read(exact) if exact else None
        try:
            # A second look at the same bytes costs a quarter of building all that is in them.
            looked_at = self._looked_at(cut.records.body)
            return Slices(content=cut.content, records=self._read(cut.records.body, _bytes(cut.records), *looked_at))
        except _NOT_SO:
            return None

    def _cut(self, body: bytes) -> Cut | None:
        try:
            records, content = self._page.taken(self._page_of(body))
        except _NOT_SO:
            return None
        self._seams.learn(body, records)
        return Cut(content=content, records=UnreadRecords(body, records))

    def _guessed(self, body: bytes) -> Cut | None:
        """The page in pieces, at places that are guessed, so that one look at its bytes does.

        What is around them is a page with a text that no page has in the place of the records, and nothing else there.
        So if each piece by itself is an object, the page is this one with the pieces in that place, and they are its
        records. (Of a list that stands twice only the one that counts is looked at.)
        """
        guess = self._seams.guess(body)
        if guess is None:
            return None
        try:
            stands_in, content = self._page.taken(self._page_of(guess.before + self._stand_in + guess.after))
            self._looked_at_each([guess.records[0], guess.records[-1]])
        except _NOT_SO:
            stands_in, content = [], None
        if list(map(bytes, stands_in)) != [self._stand_in]:
            self._seams.was_wrong()
            return None
        return Cut(content=content, records=UnreadRecords(body, guess.records), guessed=True)

    def _proved(self, guessed: Cut) -> Slices | None:
        """A guessed page, if each of its pieces is an object."""
        pieces = _bytes(guessed.records)
        try:
            records = self._read(guessed.records.body, pieces, *self._looked_at_each(pieces))
        except _NOT_SO:
            return None
        self._seams.was_right()
        return Slices(content=guessed.content, records=records)

    def _read(self, body: bytes, slices: Sequence[bytes], heads: Sequence[Any], plain: bool) -> SlicedRecords:
        """The records of a page from what was decoded of each.

        Args:
            plain: has none of them one of the fields that are added?
        """
        identities, times = self._column(heads, self._id), self._column(heads, self._time)
        if plain and self._adds and NoneType in map(type, identities) and NoneType in map(type, times):
            plain = all(b'"' in one for one in slices)
        # Strings that are not decoded are not checked for being UTF-8 either, but here.
        _check_utf8(body)
        return SlicedRecords(slices, identities=identities, times=times, plain=plain)

    def _looked_at(self, body: bytes) -> tuple[Sequence[Any], bool]:
        """What is read in each record, and whether none has one of the fields that are added."""
        if self._may_be_plain:
            with suppress(msgspec.ValidationError):
                return self._heads.taken(self._plain_heads_of(body))[0], True
        return self._heads.taken(self._heads_of(body))[0], False

    def _looked_at_each(self, pieces: Sequence[bytes]) -> tuple[Sequence[Any], bool]:
        """As `_looked_at`, from the records by themselves."""
        if self._may_be_plain:
            with suppress(msgspec.ValidationError):
                return list(map(self._plain_head_of, pieces)), True
        return list(map(self._head_of, pieces)), False

    def _column(self, heads: Sequence[Any], way: Sequence[str]) -> Sequence[JsonValue]:
        """What a path finds in each record."""
        if not way:
            return [None] * len(heads)
        column = list(map(attrgetter(self._attributes[way[0]]), heads))
        for name in way[1:]:
            column = [value.get(name) if isinstance(value, dict) else None for value in column]
        return column


def can_slice(
    *, record_paths: Sequence[str], in_record: Sequence[str], in_answer: Sequence[str], added: Collection[str]
) -> bool:
    """Do these paths leave the records as they are, and can they be searched for the fields that are added?

    Args:
        record_paths: where the records are.
        in_record: paths that are read in each record; "" is none.
        in_answer: paths that are read in each answer; "" is none.
        added: names of the fields that are added to every event.
    """
    if len(record_paths) > 1 or any(map(_UNNAMEABLE.search, added)):
        return False
    where = record_paths[0] if record_paths else ""
    plain = all(not path or is_plain_name(path) for path in (where, *in_record))
    return plain and all(not path or _leaves_records(path, where) for path in in_answer)


def _leaves_records(path: str, where: str) -> bool:
    """Is the path of an answer not one through the records?"""
    if _OF_AN_ANSWER.match(path) or path.startswith(OF_LAST_RECORD):
        return True
    overlaps = f"{where}.".startswith(f"{path}.") or f"{path}.".startswith(f"{where}.")
    return bool(where) and is_plain_name(path) and not overlaps


def _bytes(records: UnreadRecords) -> Sequence[bytes]:
    return list(map(bytes, records.slices))


def _check_utf8(body: bytes) -> None:
    """Raise a UnicodeDecodeError for what is not UTF-8; in pieces, since a text may need four times the memory."""
    if body.isascii():
        return
    rest = memoryview(body)
    while rest:
        _, length = utf_8_decode(rest[:_CHECKED_AT_ONCE], "strict", len(rest) <= _CHECKED_AT_ONCE)
        rest = rest[length:]


def _names(path: str) -> list[str]:
    return path.split(".") if path else []


class _PagePart(msgspec.Struct, frozen=True, kw_only=True):
    """How one level of a page is decoded.

    Attributes:
        type: what msgspec decodes.
        taken: from what was decoded the records, and the content without them.
    """

    type: Any
    taken: Callable[[Any], tuple[Sequence[Any], JsonValue]]


def _page_part(way: Sequence[str], others: Sequence[Sequence[str]], record: type) -> _PagePart:
    """The level of a page at which the records are reached by `way`; of the rest only `others` is decoded.

    Args:
        record: what each record is decoded to.
    """
    if not way:
        # A type that is known at run time only.
        return _PagePart(type=list[record], taken=lambda records: (records, []))  # type: ignore[valid-type]
    inner = _page_part(way[1:], [other[1:] for other in others if other[0] == way[0]], record)
    kept = {other[0]: Any for other in others if other[0] != way[0]}
    struct, attributes = _struct_of("Page", kept, absent=msgspec.UNSET)
    records = [("records", inner.type)]
    page = msgspec.defstruct(
        "PageWithRecords", records, bases=(struct,), rename={"records": way[0]}, kw_only=True, gc=False
    )

    def taken(decoded: Any) -> tuple[Sequence[Any], JsonValue]:
        found, content = inner.taken(decoded.records)
        beside = {name: getattr(decoded, attribute) for name, attribute in attributes.items()}
        return found, {way[0]: content, **{name: one for name, one in beside.items() if one is not msgspec.UNSET}}

    return _PagePart(type=page, taken=taken)


def _struct_of(
    title: str, fields: Mapping[str, Any], *, absent: object
) -> tuple[type[msgspec.Struct], dict[str, str]]:
    """A struct of some fields, and the names of its attributes by those in JSON.

    Args:
        absent: stands for a field that is not there.
    """
    attributes = {name: f"field{number}" for number, name in enumerate(fields)}
    described = [(attributes[name], kind, absent) for name, kind in fields.items()]
    renamed = {attribute: name for name, attribute in attributes.items()}
    return msgspec.defstruct(title, described, rename=renamed, kw_only=True, gc=False), attributes
