"""A poll that is only looked at: few requests, nothing delivered or remembered; what it means is judged elsewhere."""

from collections.abc import Iterator, Sequence

from httpkit.client import Client
from httpkit.clocks import Clocks
from httpkit.details import Details
from httpkit.errors import HttpkitError
from httpkit.exchanges import DETAIL, PREPARE, SIGN_IN, ExchangeLog, LimitReachedError
from httpkit.freshness import key_of
from httpkit.pagination import Paging
from httpkit.paths import compile_path
from httpkit.preparing import Preparation
from httpkit.preview_facts import (
    EVENTS,
    IDENTITY,
    PAGING,
    RECORDS,
    Access,
    Delivery,
    Facts,
    PageRead,
    Place,
    ShownEvent,
    Trouble,
    moment_in,
)
from httpkit.records import RecordSelector
from httpkit.request_templates import RequestTemplates
from httpkit.shaping import Shaping
from httpkit.source import Source
from httpkit.source_settings import SourceSettings
from httpkit.templates import Scope
from httpkit.values import JsonValue, OpenWindow, Page, Position, Record, Request
from httpkit.windows import Windows

MOST_REQUESTS = 8


class Preview:
    """Looks at a source.

    Args:
        log: the wire of the client.
        clocks: the time of day is asked for once.

    Raises:
        SettingsError: a setting is wrong or contradicts another one.
    """

    def __init__(
        self,
        settings: SourceSettings,
        client: Client,
        log: ExchangeLog,
        *,
        access: Access,
        delivery: Delivery,
        clocks: Clocks,
    ) -> None:
        # The source itself checks whether the settings fit together.
        Source(settings, client, clocks=clocks)
        self._settings = settings
        self._client = client
        self._log = log
        self._templates = RequestTemplates(settings.request, settings.scope)
        self._selector = RecordSelector(settings.records, clean=client.clean)
        self._windows = Windows(settings.windows, deduplicate=settings.deduplicate)
        self._shaping = Shaping(settings.shaping, settings.scope)
        self._preparation = Preparation(settings.prepare, settings.request, settings.scope, client)
        self._details = Details(settings.detail, settings.request, settings.scope, client, id_path=settings.id_path)
        self._key = key_of(settings.id_path)
        self._place: Place = ""
        self._facts = Facts(settings=settings, access=access, delivery=delivery, begun=clocks.now())

    def read(self) -> Facts:
        """Send the requests and tell what came.

        Raises:
            httpkit.stopping.Stopped: the stop event was set.
        """
        facts = self._facts
        try:
            self._read_windows()
        except LimitReachedError:
            facts.stopped_by = "requests"
        except HttpkitError as error:
            facts.trouble = self._trouble(error)
        self._make_events()
        facts.sent = tuple(self._log.sent)
        return facts

    def _read_windows(self) -> None:
        """Read windows as a poll does, until there are records to look at."""
        facts, position = self._facts, Position()
        while True:
            window = self._windows.next_window(position, facts.begun)
            facts.windows.append(window)
            self._read_window(window)
            position = self._windows.closed(position, window)
            enough = facts.records or facts.stopped_by or self._pages_left() <= 0
            if enough or not self._windows.more_to_read(position, facts.begun):
                return

    def _read_window(self, window: OpenWindow) -> None:
        facts = self._facts
        self._at(PREPARE)
        prepared = self._preparation.values(window, facts.begun)
        self._place = PAGING
        paging = self._paging(window, prepared)
        met: set[bytes] = set()
        while True:
            page = self._read_page(paging.request(), met)
            self._place = PAGING
            if not paging.advance(page):
                facts.ended_by = paging.ended_by
                return
            if len(facts.pages) >= self._settings.max_pages:
                facts.stopped_by = "max_pages"
                return
            if self._pages_left() <= 0:
                facts.stopped_by = "requests"
                return

    def _paging(self, window: OpenWindow, prepared: Scope) -> Paging:
        templates, now = self._templates, self._facts.begun

        def request_at(placeholders: Scope, follow_up: bool) -> Request:
            return templates.request(window, now, {**prepared, **placeholders}, follow_up=follow_up)

        return Paging(
            self._settings.paging,
            request_at,
            uses=templates.first_placeholders | templates.next_placeholders,
            bare_follow_ups=templates.has_next_templates,
            window=window,
        )

    def _read_page(self, request: Request, met: set[bytes]) -> Page:
        facts = self._facts
        self._at(f"page {len(facts.pages) + 1}")
        response = self._client.send(request)
        self._place = RECORDS
        selected = self._selector.select(request, response)
        self._place = IDENTITY
        keys = [self._key(record) for record in selected.records]
        repeated = sum(key in met for key in keys)
        met.update(keys)
        page = Page(
            request=request,
            response=response,
            content=selected.content,
            records=selected.records,
            all_repeats=bool(keys) and repeated == len(keys),
        )
        facts.pages.append(PageRead(page=page, selected=selected, keys=keys, repeated=repeated))
        return page

    def _pages_left(self) -> int:
        """How many more requests may be sent, without the one that is kept for a detail."""
        return self._log.left - bool(self._settings.detail.detail_url)

    def _make_events(self) -> None:
        facts = self._facts
        self._place = EVENTS
        try:
            records: Sequence[Record] = list(self._kept())
            if self._settings.detail.detail_url and records:
                records = self._completed(records[:1])
            self._place = EVENTS
            for record in records:
                parts = [record.value] if record.parts is None else record.parts
                for part in parts:
                    facts.events += self._delivered(self._shaping.events(part, record.path_number))
                facts.looked_at += 1
        except HttpkitError as error:
            facts.event_trouble = self._trouble(error)

    def _completed(self, records: Sequence[Record]) -> Sequence[Record]:
        self._at(DETAIL)
        try:
            return self._details.complete(records)
        except LimitReachedError:
            return []
        except HttpkitError as error:
            self._facts.detail_trouble = self._trouble(error)
            return []

    def _delivered(self, events: Sequence[JsonValue]) -> list[ShownEvent]:
        forms = (self._facts.delivery.form(event) for event in events)
        # Measured without secrets, so that a recording, which has none, gives the same.
        return [ShownEvent(text=self._client.clean(text), problem=problem) for text, problem in forms]

    def _kept(self) -> Iterator[Record]:
        """The records that would be delivered."""
        facts, met = self._facts, set[bytes]()
        for read in facts.pages:
            for key, value, number in zip(read.keys, read.page.records, read.selected.path_numbers, strict=True):
                if self._settings.deduplicate and key in met:
                    continue
                met.add(key)
                if self._shaping.drops(value) or self._outside(value):
                    facts.dropped += 1
                else:
                    yield Record(key=key, content=value, path_number=number)

    def _outside(self, value: JsonValue) -> bool:
        settings = self._settings
        if not settings.windows.only_in_window:
            return False
        find = compile_path("timestamp_path", settings.timestamp_path)
        moment = moment_in(value, find, settings.timestamp_format)
        first, last = self._facts.windows[0], self._facts.windows[-1]
        return moment is not None and not first.since <= moment <= last.until

    def _at(self, step: str) -> None:
        self._place = self._log.step = step

    def _trouble(self, error: HttpkitError) -> Trouble:
        sent = self._log.sent[-1] if self._log.sent else None
        # A request for a token is sent on the way to another one.
        place = SIGN_IN if sent and sent.step == SIGN_IN else self._place
        return Trouble(place=place, error=error, sent=sent)
