"""The values that travel between the steps of a poll; they hold facts and do nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from httpkit.documents import decode_json, encode_json
from httpkit.errors import UnexpectedShapeError

JsonValue = Any
"""What a JSON document decodes to: dict, list, str, int, float, bool or None."""

Parameters = Mapping[str, JsonValue]
"""Query parameters by name: text, number, boolean, or a list of those (the parameter is repeated)."""


BodyFormat = Literal["json", "form", "raw"]


class Confidential(msgspec.Struct, frozen=True):
    """A value that holds secrets: its text, which may end in a log or under a traceback, tells its type alone."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, before credentials are added.

    Attributes:
        method: upper case.
        url: absolute; its own query string is kept and `params` are appended.
        body: a JSON value, form fields (`body_format` "form"), or bytes that are sent as they are ("raw").
        authenticate: may credentials be added, if the address belongs to their origin?
        follow_redirects: are redirects followed, under the same rules as the request itself?
        safe: does sending it twice change nothing, whatever its method?
    """

    method: str
    url: str
    params: Parameters = msgspec.field(default_factory=dict)
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: JsonValue = None
    body_format: BodyFormat = "json"
    authenticate: bool = False
    follow_redirects: bool = True
    safe: bool = False


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A complete answer: its body was read to the end and its length checked.

    Attributes:
        url: the address that answered, after redirects.
        headers: found under any case of their names; repeated ones are joined with ", ".
        body: decoded from its transfer and content encodings.
        elapsed: seconds from the first byte sent to the last byte read.
        received_at: our clock when it was complete, aware.
    """

    status: int
    reason: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    elapsed: float
    received_at: datetime

    @property
    def ok(self) -> bool:
        """Is it a success (2xx)?"""
        return 200 <= self.status < 300


class SlicedRecord(msgspec.Struct, frozen=True, gc=False):
    """A record that was cut from its page and not decoded.

    Attributes:
        text: the JSON object as the API wrote it, on one line.
        plain: may fields be added at its beginning, since it has others and none of these?
    """

    text: str
    plain: bool

    @property
    def value(self) -> JsonValue:
        """The record, decoded.

        Raises:
            UnexpectedShapeError: it has a number that is longer than any number can be.
        """
        return decoded_record(self.text.encode())


def decoded_record(text: bytes) -> JsonValue:
    """A record that was cut from its page, decoded.

    Raises:
        UnexpectedShapeError: it cannot be; it has a number that is longer than any number can be, for example.
    """
    try:
        return decode_json(text)
    except ValueError as error:
        raise UnexpectedShapeError(f"a record cannot be decoded ({error})") from None


def value_of(record: JsonValue | SlicedRecord) -> JsonValue:
    """A record as a JSON value, however it came."""
    return record.value if isinstance(record, SlicedRecord) else record


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of a paged API.

    Attributes:
        request: the request it answers.
        content: the decoded JSON document; without the records, when those were cut from it.
        records: the records selected from it, in the order of the API.
        all_repeats: was every one of its records on an earlier page of the same poll?
    """

    request: Request
    response: Response
    content: JsonValue
    records: Sequence[JsonValue | SlicedRecord]
    all_repeats: bool = False

    @property
    def last_record(self) -> JsonValue:
        """The last record of the page, None when there is none."""
        return value_of(self.records[-1]) if self.records else None


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record on its way to delivery.

    Attributes:
        key: identity, 16 bytes; equal for the same record in a later answer.
        content: the record as the API gave it, decoded or cut from its page.
        path_number: by which of the record paths it was found, from 0.
        remember: is the key kept, so that the record is not delivered again?
        parts: what is delivered instead of the value, when a further request completed it.
    """

    key: bytes
    content: JsonValue | SlicedRecord
    path_number: int = 0
    remember: bool = True
    parts: Sequence[JsonValue] | None = None

    @property
    def value(self) -> JsonValue:
        """The record as the API gave it, as a JSON value."""
        return value_of(self.content)

    @property
    def text(self) -> str:
        """The record as the API gave it, as JSON on one line, also when it cannot be decoded."""
        content = self.content
        return content.text if isinstance(content, SlicedRecord) else encode_json(content).decode()


class OpenWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time that is being read; its bounds stay fixed until its last page was delivered.

    Attributes:
        since: start of what is asked for, overlap included.
        until: end of what is asked for, or for APIs without an end bound the moment before the first page.
        place: where the next page is: a page number, an offset, a token or a URL; None is the first page.
        received: number of records received so far, repeats included.
        cursor: the token with which it was opened, for sources that are resumed by token.
        failures: polls that could not read the page at its place; further ones than two are not counted.
        rest: end of the window of which this is a part, when it was too much to be read at once.
        retried: is it a gap that is tried again?
    """

    since: datetime
    until: datetime
    place: JsonValue = None
    received: int = 0
    cursor: JsonValue = None
    failures: int = 0
    rest: datetime | None = None
    retried: bool = False


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time that could not be read; newer data is read all the same, and the gap is tried again.

    Attributes:
        reason: why, in words.
        attempts: how often it was tried again.
        not_before: when it is tried next.
        place: where its next page is, when a part of it was delivered.
        received: number of records of that part.
    """

    since: datetime
    until: datetime
    reason: str
    not_before: datetime
    attempts: int = 0
    place: JsonValue = None
    received: int = 0


class Validators(msgspec.Struct, frozen=True, kw_only=True):
    """What a server said of an answer, so that it can be asked whether there is another one by now.

    Attributes:
        etag: its ETag, "" for none.
        last_modified: its Last-Modified, "" for none.
        settings: digest of the settings with which it was read; with others it would be read differently.
    """

    etag: str
    last_modified: str
    settings: str


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a source was read.

    Attributes:
        watermark: everything before it was delivered, or is in the gaps; None before the first window was closed.
        begun: start of the first window.
        window: the window that was not read to its end.
        token: the last token of the API, for sources that are resumed by token.
        not_before: the API asked not to be asked before.
        gaps: what could not be read, oldest first.
        overlap_seconds: the overlap in force, where it had to be shorter than configured; None is the configured one.
        identities: do all records have an identity? None before that is known.
        times: do all records have a time? None before that is known.
        validators: of the last answer, for sources that can be asked whether anything has changed.
    """

    watermark: datetime | None = None
    begun: datetime | None = None
    window: OpenWindow | None = None
    token: JsonValue = None
    not_before: datetime | None = None
    gaps: tuple[Gap, ...] = ()
    overlap_seconds: float | None = None
    identities: bool | None = None
    times: bool | None = None
    validators: Validators | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The new records of one page: delivered together, and remembered only after that.

    Attributes:
        records: not delivered before, in the order of the API.
        received: number of records on the page, repeats included.
        position: what to remember together with the records.
        complete: is this the last page of the poll?
        repeats: of the records received, those delivered before.
        dropped: of the records received, those that a setting leaves out.
        late: of the new records, those older than what an earlier window had already covered.
        latest_delay: seconds by which the latest of them came late.
        newest: time of the newest record of the page; None where records have no time, or none of them is new.
        restarted: did the API no longer know the place that was remembered, so that its window was begun again?
        gap: of which it is a part, when one is tried again.
    """

    records: Sequence[Record]
    received: int
    position: Position
    complete: bool
    repeats: int = 0
    dropped: int = 0
    late: int = 0
    latest_delay: float = 0.0
    newest: datetime | None = None
    restarted: bool = False
    gap: Gap | None = None
