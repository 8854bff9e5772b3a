"""What a preview was told and what it saw, as values; nothing is sent or judged here."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct, field

from httpkit.destinations import Origin
from httpkit.errors import HttpkitError
from httpkit.exchanges import Sent
from httpkit.pagination import Ending
from httpkit.paths import Path, compile_path
from httpkit.records import Selected
from httpkit.source_settings import SourceSettings
from httpkit.times import event_moment
from httpkit.values import JsonValue, OpenWindow, Page

Place = str
"""Where in a poll something went wrong: a step of the exchanges such as `page 3`, or one of those that follow."""

RECORDS, IDENTITY, PAGING, EVENTS = "records", "identity", "paging", "events"


class Access(Struct, frozen=True, kw_only=True):
    """What findings need to know of the account.

    Attributes:
        origin: the only one that gets the credentials.
        address: the setting that says where the API is, `url` or `base_url`.
    """

    auth: str
    origin: Origin
    address: str = "url"
    verify_tls: bool = True
    requests_per_minute: float = 0.0


class Delivery(Struct, frozen=True, kw_only=True):
    """How the component delivers.

    Attributes:
        form: gives an event as it is delivered, and what is wrong with it ("" when nothing is).
        limit_bytes: largest event; 0 when there is no limit.
        receiver: who gets the events, in words.
    """

    form: Callable[[JsonValue], tuple[str, str]]
    limit_bytes: int
    receiver: str


class PageRead(Struct, frozen=True, kw_only=True):
    """A page, the keys of its records, and how many of them were on an earlier page."""

    page: Page
    selected: Selected
    keys: Sequence[bytes]
    repeated: int


class Trouble(Struct, frozen=True, kw_only=True):
    """What stopped the preview.

    Attributes:
        sent: the exchange it is about, None when nothing was sent.
    """

    place: Place
    error: HttpkitError
    sent: Sent | None = None


class ShownEvent(Struct, frozen=True, kw_only=True):
    """An event as it would be delivered; `problem` is "" when nothing is wrong with it."""

    text: str
    problem: str = ""


class Facts(Struct, kw_only=True):
    """What a preview saw.

    Attributes:
        windows: those that were read; a further one only while there were no records.
        ended_by: the rule that ended the pages of the last window.
        stopped_by: the limit that ended them, `requests` or `max_pages`.
        dropped: records that the settings skip.
        looked_at: how many records were made into events.
    """

    settings: SourceSettings
    access: Access
    delivery: Delivery
    begun: datetime
    windows: list[OpenWindow] = field(default_factory=list)
    pages: list[PageRead] = field(default_factory=list)
    sent: Sequence[Sent] = ()
    ended_by: Ending = ""
    stopped_by: str = ""
    trouble: Trouble | None = None
    detail_trouble: Trouble | None = None
    event_trouble: Trouble | None = None
    events: list[ShownEvent] = field(default_factory=list)
    dropped: int = 0
    looked_at: int = 0

    @property
    def records(self) -> list[JsonValue]:
        """All records, in the order in which they came."""
        return [record for read in self.pages for record in read.page.records]

    @property
    def time_values(self) -> list[JsonValue]:
        """What is at timestamp_path in each record; None where there is nothing."""
        find = compile_path("timestamp_path", self.settings.timestamp_path or "@")
        return [_found(find, record) for record in self.records]

    @property
    def moments(self) -> list[datetime | None]:
        """The time of each record; None where it cannot be read."""
        if not self.settings.timestamp_path:
            return []
        return [event_moment(value, self.settings.timestamp_format) for value in self.time_values]


def moment_in(record: JsonValue, find: Path, form: str) -> datetime | None:
    """The time of a record; None where it cannot be read."""
    return event_moment(_found(find, record), form)


def _found(find: Path, record: JsonValue) -> JsonValue:
    try:
        return find(record)
    except HttpkitError:
        return None
