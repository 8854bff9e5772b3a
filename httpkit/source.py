"""One poll of an HTTP API: its windows, their pages, and what is new on each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b

from httpkit.client import Client
from httpkit.clocks import SYSTEM_CLOCKS, Clocks
from httpkit.details import Details, DetailSettings
from httpkit.errors import RefusedError, SettingsError, UnexpectedShapeError
from httpkit.freshness import SeenKeys, key_of
from httpkit.pagination import Paging, check_paging
from httpkit.paging_styles import URL_STYLES, PagingSettings, is_nothing, resolved
from httpkit.paths import Path, compile_answer_path, compile_path
from httpkit.preparing import Preparation, PrepareSettings
from httpkit.records import RecordSelector, RecordSettings, Selected
from httpkit.redaction import named
from httpkit.request_templates import RequestSettings, RequestTemplates
from httpkit.shaping import Shaping, ShapingSettings
from httpkit.templates import Scope
from httpkit.times import event_moment
from httpkit.values import Batch, JsonValue, OpenWindow, Page, Position, Record, Request, Response
from httpkit.windows import Windows, WindowSettings

_GONE = frozenset({400, 404, 409, 410, 412, 416, 422})


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceSettings:
    """What is read, and how; the fields outside the groups are those of the configuration.

    Attributes:
        scope: placeholders that never change, such as those of the account and of the stream.
    """

    request: RequestSettings
    paging: PagingSettings = field(default_factory=PagingSettings)
    records: RecordSettings = field(default_factory=RecordSettings)
    windows: WindowSettings = field(default_factory=WindowSettings)
    shaping: ShapingSettings = field(default_factory=ShapingSettings)
    prepare: PrepareSettings = field(default_factory=PrepareSettings)
    detail: DetailSettings = field(default_factory=DetailSettings)
    id_path: str = "id"
    deduplicate: bool = True
    timestamp_path: str = ""
    timestamp_format: str = "auto"
    resume: str = "time"
    resume_path: str = ""
    max_pages: int = 1000
    scope: Scope = field(default_factory=dict)


class Source:
    """An API that is polled for records.

    Args:
        settings: checked here.

    Raises:
        SettingsError: a setting is wrong or contradicts another one.
    """

    def __init__(self, settings: SourceSettings, client: Client, *, clocks: Clocks = SYSTEM_CLOCKS) -> None:
        check_paging(settings.paging)
        _check_tags(settings)
        self._settings = settings
        self._client = client
        self._clocks = clocks
        self._templates = RequestTemplates(settings.request, settings.scope)
        self._selector = RecordSelector(settings.records, clean=client.clean)
        self._windows = Windows(settings.windows, deduplicate=settings.deduplicate)
        self._shaping = Shaping(settings.shaping, settings.scope)
        self._preparation = Preparation(settings.prepare, settings.request, settings.scope, client)
        self._details = Details(settings.detail, settings.request, settings.scope, client, id_path=settings.id_path)
        self._key = key_of(settings.id_path if settings.deduplicate else "")
        self._time_of = _time_reader(settings)
        self._token = _token_reader(settings)
        # Whatever is wrong with the paging settings shows now, not at the first poll.
        now = clocks.now()
        self._paging(self._windows.next_window(Position(), now), now, prepared={})

    def opened(self, position: Position) -> Position:
        """The position with the window that the next poll reads.

        Remembered before the poll, it keeps the bounds of the window even when its first page cannot be read.
        """
        return replace(position, window=self._windows.next_window(position, self._clocks.now()))

    def poll(self, seen: SeenKeys, position: Position) -> Iterator[Batch]:
        """Read what is there; give the new records of each page before the next one is asked for.

        The caller delivers a batch, adds its keys to `seen` and remembers its position before it takes the next one.
        A batch can be empty.

        Raises:
            HttpkitError: a page could not be read; the batches given before stay valid.
            httpkit.stopping.Stopped: the stop event was set.
        """
        begun = self._clocks.now()
        budget = self._settings.max_pages
        goes_on = True
        while goes_on:
            now = self._clocks.now()
            window = self._windows.next_window(position, now)
            for batch in self._read_window(seen, position, window, now):
                budget -= 1
                position = batch.position
                closed = batch.complete
                goes_on = budget > 0 and (not closed or self._windows.more_to_read(position, begun))
                yield replace(batch, complete=not goes_on)
                if not goes_on:
                    return

    def events(self, record: Record) -> list[JsonValue]:
        """The events of a record, as JSON values or text.

        Raises:
            UnexpectedShapeError: the record cannot be reshaped as configured.
        """
        parts = [record.value] if record.parts is None else record.parts
        return [event for part in parts for event in self._shaping.events(part, record.path_number)]

    def _read_window(self, seen: SeenKeys, position: Position, window: OpenWindow, now: datetime) -> Iterator[Batch]:
        """The batches of a window; `complete` says that the window is closed."""
        paging = self._paging(window, now, self._preparation.values(window, now))
        # Windows overlap, so what an earlier one showed says nothing about the end of this one.
        seen.begin_poll()
        page, selected = self._first_page(paging)
        if window.cursor is not None and not paging.resumed:
            position = replace(position, token=None)
        covered = position.watermark
        pages_met: set[bytes] = set()
        while True:
            keys = [self._key(record) for record in selected.records]
            met = blake2b(b"".join(keys), digest_size=16).digest()
            repeats = bool(keys) and (met in pages_met or all(seen.shown_in_poll(key) for key in keys))
            page = replace(page, all_repeats=repeats)
            pages_met.add(met)
            more = paging.advance(page)
            position = self._after(page, position, window, paging, more=more)
            fresh = self._details.complete(self._fresh(selected, keys, seen, window))
            late = self._late(fresh, covered)
            yield Batch(
                records=fresh,
                received=len(keys),
                position=position,
                complete=not more,
                late=len(late),
                latest_delay=max(late, default=0.0),
            )
            seen.show(keys)
            if not more:
                return
            page, selected = self._read(paging.request(), chosen_by_api=True)

    def _paging(self, window: OpenWindow, now: datetime, prepared: Scope) -> Paging:
        templates = self._templates

        def request_at(placeholders: Scope, follow_up: bool) -> Request:
            return templates.request(window, now, {**prepared, **placeholders}, follow_up=follow_up)

        place, cursor = window.place, window.cursor if self._token else None
        if place is None and self._is_place(cursor):
            place, cursor = cursor, None
        return Paging(
            self._settings.paging,
            request_at,
            uses=templates.first_placeholders | templates.next_placeholders,
            bare_follow_ups=templates.has_next_templates,
            window=replace(window, place=place, cursor=cursor),
        )

    def _is_place(self, token: JsonValue) -> bool:
        """Does the token of the last poll say where the first page is? Otherwise it is one more parameter."""
        style = self._settings.paging.pagination
        return style == "cursor" or (style in URL_STYLES and isinstance(token, str) and "://" in token)

    def _first_page(self, paging: Paging) -> tuple[Page, Selected]:
        """The page at which reading begins; a place that the server no longer knows is given up."""
        try:
            return self._read(paging.request(), chosen_by_api=paging.resumed)
        except RefusedError as error:
            if not (paging.resumed and error.status in _GONE):
                raise
        except UnexpectedShapeError:
            # Some servers answer 200 with an error inside when a token has expired.
            if not paging.resumed:
                raise
        paging.restart()
        return self._read(paging.request(), chosen_by_api=False)

    def _read(self, request: Request, *, chosen_by_api: bool) -> tuple[Page, Selected]:
        response = self._answer(request, chosen_by_api=chosen_by_api)
        selected = self._selector.select(request, response)
        page = Page(request=request, response=response, content=selected.content, records=selected.records)
        return page, selected

    def _answer(self, request: Request, *, chosen_by_api: bool) -> Response:
        try:
            return self._client.send(request)
        except SettingsError as error:
            if not chosen_by_api:
                raise
            # The API chose what this request consists of, so no setting of the user's is wrong.
            raise UnexpectedShapeError(f"{named(request)}: the next page cannot be asked for: {error}") from None

    def _after(self, page: Page, position: Position, window: OpenWindow, paging: Paging, *, more: bool) -> Position:
        """What to remember once the records of a page are delivered."""
        token = self._token(page) if self._token else None
        if not is_nothing(token):
            position = replace(position, token=token)
        if not more:
            return self._windows.closed(position, window)
        opened = replace(window, place=paging.place, received=paging.received, cursor=paging.cursor)
        return replace(position, window=opened)

    def _fresh(self, selected: Selected, keys: Sequence[bytes], seen: SeenKeys, window: OpenWindow) -> list[Record]:
        fresh: list[Record] = []
        on_page: set[bytes] = set()
        for key, value, number in zip(keys, selected.records, selected.path_numbers, strict=True):
            repeated = self._settings.deduplicate and (key in seen or key in on_page)
            if repeated or self._shaping.drops(value) or self._outside(value, window):
                continue
            on_page.add(key)
            fresh.append(Record(key=key, value=value, path_number=number, remember=self._settings.deduplicate))
        return fresh

    def _outside(self, value: JsonValue, window: OpenWindow) -> bool:
        if not self._settings.windows.only_in_window or not self._time_of:
            return False
        moment = self._time_of(value)
        if moment == window.until:
            # Without de-duplication the next window, which starts here, would give it a second time.
            return not self._settings.deduplicate
        return moment is not None and not window.since <= moment <= window.until

    def _late(self, fresh: Sequence[Record], covered: datetime | None) -> list[float]:
        """Seconds by which new records are older than what an earlier window had covered."""
        if not self._time_of or covered is None:
            return []
        moments = (self._time_of(record.value) for record in fresh)
        return [(covered - moment).total_seconds() for moment in moments if moment and moment < covered]


def _check_tags(settings: SourceSettings) -> None:
    tags, paths = settings.shaping.tags, settings.records.records_path
    if len(tags) > 1 and len(tags) != len(paths):
        raise SettingsError(
            "tags", f"are {len(tags)} objects for {len(paths)} records_path; give one object, or one per path"
        )


def _time_reader(settings: SourceSettings) -> Callable[[JsonValue], datetime | None] | None:
    if not settings.timestamp_path:
        if settings.windows.only_in_window:
            raise SettingsError("timestamp_path", "is needed by only_in_window: it says where the time of a record is")
        return None
    find: Path = compile_path("timestamp_path", settings.timestamp_path)
    return lambda value: event_moment(find(value), settings.timestamp_format)


def _token_reader(settings: SourceSettings) -> Callable[[Page], JsonValue] | None:
    """Reads the token that is kept from poll to poll; None for sources that are resumed by time."""
    if settings.resume != "token":
        return None
    path = settings.resume_path or settings.paging.next_path
    if not path:
        raise SettingsError("resume_path", "is needed by resume 'token': it says where the token is")
    find = compile_answer_path("resume_path", path)
    names_page = settings.paging.pagination in URL_STYLES and path == settings.paging.next_path

    def token(page: Page) -> JsonValue:
        found = find(page.content, page.response, page.last_record)
        # The next poll begins elsewhere, where a relative URL would mean something else.
        return resolved(page, found) if names_page and isinstance(found, str) and not is_nothing(found) else found

    return token
