"""One poll of an HTTP API: its windows, their pages, and what is new on each."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from httpkit.answers import answer_of
from httpkit.client import Begun, Client
from httpkit.clocks import SYSTEM_CLOCKS, Clocks
from httpkit.details import Details
from httpkit.errors import HttpkitError, RefusedError, UnavailableError, UnexpectedShapeError, WrongFormatError
from httpkit.events import EventWriter
from httpkit.freshness import SeenKeys
from httpkit.pagination import Paging, check_paging
from httpkit.paging_styles import URL_STYLES, is_nothing
from httpkit.preparing import Preparation
from httpkit.records import RecordSelector, Selected
from httpkit.redaction import named
from httpkit.request_templates import RequestTemplates
from httpkit.resuming import token_reader
from httpkit.shaping import Shaping
from httpkit.sifting import Look, Sieve, Sifted
from httpkit.source_settings import SourceSettings, check_tags, conditions_of, sift_settings, slicer_for
from httpkit.templates import Scope
from httpkit.values import Batch, Gap, JsonValue, OpenWindow, Page, Position, Record, Request, Response
from httpkit.windows import MOST_GAPS, Windows

_GONE = frozenset({400, 404, 409, 410, 412, 416, 422})
_TOO_MUCH = frozenset({400, 408, 413, 414, 416, 422, 500, 502, 504})
"""Statuses with which servers answer what is too much for them, among other things."""


class _Next(msgspec.Struct, frozen=True, kw_only=True):
    """What comes after a page.

    Attributes:
        more: is there a page after it?
        request: what was asked for, if another page may be read.
        answer: what waits for it.
    """

    more: bool
    request: Request | None = None
    answer: Begun | None = None


class Source:
    """An API that is polled for records.

    Args:
        settings: checked here.

    Attributes:
        writer: makes the events of its records.

    Raises:
        SettingsError: a setting is wrong or contradicts another one.
    """

    def __init__(self, settings: SourceSettings, client: Client, *, clocks: Clocks = SYSTEM_CLOCKS) -> None:
        check_paging(settings.paging)
        check_tags(settings)
        self._settings = settings
        self._client = client
        self._clocks = clocks
        self._templates = RequestTemplates(settings.request, settings.scope)
        self._windows = Windows(settings.windows, deduplicate=settings.deduplicate)
        shaping = Shaping(settings.shaping, settings.scope)
        self.writer = EventWriter(shaping, settings.source)
        slicer = slicer_for(settings, self.writer)
        self._selector = RecordSelector(settings.records, clean=client.clean, slicer=slicer)
        self._preparation = Preparation(settings.prepare, settings.request, settings.scope, client)
        self._details = Details(settings.detail, settings.request, settings.scope, client, id_path=settings.id_path)
        self._sieve = Sieve(sift_settings(settings), shaping.drops if settings.shaping.drop else None, client.stop)
        self._token = token_reader(settings.resume, settings.resume_path, settings.paging)
        self._conditions = conditions_of(settings, self._templates)
        # Whatever is wrong with the paging settings shows now, not at the first poll.
        now = clocks.now()
        self._paging(self._windows.next_window(Position(), now), now, prepared={})

    def opened(self, position: Position) -> Position:
        """The position with the window that the next poll reads.

        Remembered before the poll, it keeps the bounds of the window even when its first page cannot be read.
        """
        return replace(position, window=self._windows.next_window(position, self._clocks.now()))

    def failed(self, position: Position, error: HttpkitError, gap: Gap | None = None) -> Position:
        """The position after a poll that ended with an error: what is asked for next may be less, or later.

        Args:
            position: of the last batch that was remembered.
            gap: of which the records could not be delivered; it must not keep others from being tried.
        """
        if gap:
            return self._windows.failed_again(position, gap, error, self._clocks.now())
        if not _may_be_too_much(error):
            return position
        helps = self._templates.asks_for_end
        return self._windows.failed(position, error.message, self._clocks.now(), narrower_helps=helps)

    def poll(self, seen: SeenKeys, position: Position) -> Iterator[Batch]:
        """Read what is there; while a batch is with the caller, the page after it is asked for already.

        The caller delivers each batch, and then remembers its keys in `seen` and its position, in the order in which
        the batches came. It may take batches before earlier ones were delivered. A batch can be empty.

        Raises:
            HttpkitError: a page could not be read; the batches given before stay valid.
            httpkit.stopping.Stopped: the stop event was set.
        """
        seen.begin_poll()
        begun = self._clocks.now()
        if len(position.gaps) >= MOST_GAPS:
            position = yield from self._retry_gaps(seen, position)
            if position.not_before and position.not_before > begun:
                return
        pages = self._settings.max_pages
        goes_on = True
        while goes_on:
            now = self._clocks.now()
            window = self._windows.next_window(position, now)
            for batch in self._read_window(seen, position, window, now, pages):
                pages -= 1
                position, closed = batch.position, batch.complete
                goes_on = pages > 0 and (not closed or self._windows.more_to_read(position, begun))
                last = not goes_on and (position.window is not None or self._due_gap(position) is None)
                # While it is with the caller, nothing here keeps the records in memory; see `_read_window`.
                given = [replace(batch, complete=last)]
                del batch
                yield given.pop()
                if not goes_on:
                    break
        if not position.window:
            yield from self._retry_gaps(seen, position)

    def events(self, record: Record) -> list[JsonValue]:
        """The events of a record, as JSON values or text.

        Raises:
            UnexpectedShapeError: the record cannot be reshaped as configured.
        """
        return self.writer.values(record)

    def _due_gap(self, position: Position) -> Gap | None:
        return self._windows.due_gap(position, self._clocks.now())

    def _retry_gaps(self, seen: SeenKeys, position: Position) -> Generator[Batch, None, Position]:
        """Read the gaps that are due; the first that fails again ends it for this poll."""
        while gap := self._due_gap(position):
            window = OpenWindow(
                since=gap.since,
                until=gap.until,
                place=gap.place,
                received=gap.received,
                failures=gap.attempts,
                retried=True,
            )
            closed, error = False, None
            try:
                for batch in self._read_window(seen, position, window, self._clocks.now(), self._settings.max_pages):
                    position, closed = batch.position, batch.complete
                    given = [replace(batch, complete=closed and self._due_gap(position) is None, gap=gap)]
                    del batch
                    yield given.pop()
            except (RefusedError, UnavailableError, UnexpectedShapeError) as failure:
                error = failure
            if not closed:
                position = self._windows.failed_again(position, gap, error, self._clocks.now())
                yield Batch(records=(), received=0, position=position, complete=True)
                break
        return position

    def _read_window(
        self, seen: SeenKeys, position: Position, window: OpenWindow, now: datetime, pages: int
    ) -> Iterator[Batch]:
        """The batches of a window, at most `pages` of them; `complete` says that the window is closed.

        A caller may turn to other sources between two batches, so no page is held meanwhile.
        """
        prepared = self._preparation.values(window, now)
        paging = self._paging(window, now, prepared)
        resumed = paging.resumed
        page, selected = self._first_page(paging, window, position, prepared)
        restarted = resumed and not paging.resumed
        # What is unchanged shows again what it showed last. Otherwise windows overlap, so what an earlier one showed
        # says nothing about the end of this one. The parts of a window that was halved are one window.
        if not self._conditions.unchanged(page.response):
            seen.begin(None if window.retried else window.rest or window.until)
        if window.cursor is not None and not paging.resumed:
            position = replace(position, token=None)
        # What is read whole every time misses nothing, however late it comes.
        covered = position.watermark if self._templates.asks_for_time and not window.retried else None
        pages_met: set[bytes] = set()
        for left in range(pages - 1, -1, -1):
            ahead, wrong = self._ahead(paging, page, left, seen, guessed=selected.guessed), None
            read = self._selector.read(page.request, page.response, selected)
            if read.content is not selected.content:
                page = replace(page, content=read.content, records=read.records)
                ahead, wrong = None, ahead
            selected = read
            look = self._sieve.look(selected.records, selected.path_numbers)
            if not self._may_be_odd(look, window):
                position = self._sieve.checked(look, position)
            repeats = _repeats(look.keys, pages_met, seen)
            ahead = ahead or self._go_on(paging, replace(page, all_repeats=repeats), left, wrong)
            more, answer = ahead.more, ahead.answer
            sifted = self._sieve.sift(look, seen, window, covered)
            records = self._details.complete(sifted.fresh)
            position = self._after(page, position, window, paging, more=more)
            if not more and not window.retried and self._templates.asks_for_time:
                position = self._windows.with_fitting_overlap(position, seen.repeats, seen.limit)
            given = [_batch(records, len(look.keys), sifted, position, complete=not more, restarted=restarted)]
            restarted = False
            del page, selected, read, look, sifted, records, ahead, wrong
            yield given.pop()
            if answer is None:
                return
            page, selected = self._read(  # noqa: RUF059  (the next round of the loop uses them)
                paging.request(), answer, chosen_by_api=True
            )

    def _ahead(self, paging: Paging, page: Page, left: int, seen: SeenKeys, *, guessed: bool) -> _Next | None:
        """The next page, asked for before the records of this one are read; None where that has to wait for them.

        Args:
            guessed: are the records perhaps others?
        """
        if (guessed and not paging.ignores_records) or not self._shows_new(page, seen):
            return None
        try:
            return self._go_on(paging, page, left)
        except UnexpectedShapeError:  # that this one is what it seems to be is not proved
            paging.take_back()
            return None

    def _shows_new(self, page: Page, seen: SeenKeys) -> bool:
        """Has the page a record that no page of the window had before? Most often the first one tells."""
        if not (self._sieve.notes_all and page.records):
            return False
        with suppress(UnexpectedShapeError):  # what is wrong with it shows when all are read
            return not seen.all_shown(self._sieve.look(page.records[:1], [0]).keys)
        return False

    def _go_on(self, paging: Paging, page: Page, left: int, wrong: _Next | None = None) -> _Next:
        """Is there a page after this one? It is asked for, if any are left of those that may be read.

        Args:
            wrong: what was asked for when this seemed to be another page. The same is not asked for twice, since there
                are servers that give the page after it then.
        """
        if wrong:
            paging.take_back()
        more = paging.advance(page)
        if not (more and left):
            return _Next(more=more)
        request = paging.request()
        if wrong and wrong.request == request:
            return wrong
        return _Next(more=True, request=request, answer=self._client.begin(request))

    def _may_be_odd(self, look: Look, window: OpenWindow) -> bool:
        """May records without identity or time be taken for what they are? A gap is the last chance to read them.

        Where less cannot be asked for, a page with one odd record would never be passed.
        """
        return window.retried or (len(look.items) == 1 and not self._templates.asks_for_end)

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

    def _first_page(
        self, paging: Paging, window: OpenWindow, position: Position, prepared: Scope
    ) -> tuple[Page, Selected]:
        """The page at which reading begins; a place that the server no longer knows is given up.

        Some servers answer 200 with an error inside when a token has expired. Others do so in passing, and behind a
        token that is given up there may be what is shown nowhere else, so that is believed at the second time.
        """
        request = self._conditions.asked(paging.request(), position)
        try:
            return self._asked(request, chosen_by_api=paging.resumed or bool(prepared))
        except RefusedError as error:
            if not (paging.resumed and error.status in _GONE):
                raise
        except WrongFormatError:  # a page that says that the server is away, for example
            raise
        except UnexpectedShapeError:
            if not (paging.resumed and window.failures):
                raise
        paging.restart()
        return self._asked(paging.request(), chosen_by_api=bool(prepared))

    def _asked(self, request: Request, *, chosen_by_api: bool) -> tuple[Page, Selected]:
        return self._read(request, self._client.begin(request), chosen_by_api=chosen_by_api)

    def _read(self, request: Request, answer: Callable[[], Response], *, chosen_by_api: bool) -> tuple[Page, Selected]:
        response = answer_of(request, answer, chosen_by_api=chosen_by_api)
        if self._conditions.unchanged(response):
            selected = Selected(content=None, records=(), path_numbers=())
            return Page(request=request, response=response, content=None, records=()), selected
        selected = self._selector.select(request, response)
        page = Page(request=request, response=response, content=selected.content, records=selected.records)
        return page, selected

    def _after(self, page: Page, position: Position, window: OpenWindow, paging: Paging, *, more: bool) -> Position:
        """What to remember once the records of a page are delivered."""
        token = self._token(page) if self._token and not window.retried else None
        if not is_nothing(token):
            position = replace(position, token=token)
        position = self._conditions.after(position, page.response)
        _check_storable(page, (token, paging.place))
        if not more:
            return self._windows.closed(position, window)
        if window.retried:
            return self._windows.advanced(position, window, paging.place, paging.received)
        opened = replace(window, place=paging.place, received=paging.received, cursor=paging.cursor, failures=0)
        return replace(position, window=opened)


def _batch(
    records: Sequence[Record], received: int, sifted: Sifted, position: Position, *, complete: bool, restarted: bool
) -> Batch:
    return Batch(
        records=records,
        received=received,
        position=position,
        complete=complete,
        repeats=sifted.repeats,
        dropped=sifted.dropped,
        late=len(sifted.late),
        latest_delay=max(sifted.late, default=0.0),
        newest=sifted.newest,
        restarted=restarted,
    )


def _check_storable(page: Page, value: JsonValue) -> None:
    """Refuse a token that cannot be remembered, before anything of its page is delivered."""
    try:
        msgspec.json.encode(value)
    except (UnicodeEncodeError, msgspec.MsgspecError, OverflowError):
        raise UnexpectedShapeError(
            f"{named(page.request)}: the token of the next page cannot be remembered, because it holds half of a "
            "character (a lone surrogate); check next_path and resume_path"
        ) from None


def _repeats(keys: Sequence[bytes], pages_met: set[bytes], seen: SeenKeys) -> bool:
    """Was everything on this page on an earlier one of the window?"""
    met = blake2b(b"".join(keys), digest_size=16).digest()
    repeats = bool(keys) and (met in pages_met or seen.all_shown(keys))
    pages_met.add(met)
    return repeats


def _may_be_too_much(error: HttpkitError) -> bool:
    """May it be that less would be answered? An API that is away, or does not know us, says nothing about that."""
    if isinstance(error, UnavailableError):
        return error.status in _TOO_MUCH or (error.status is None and error.reached)
    return isinstance(error, UnexpectedShapeError) or (isinstance(error, RefusedError) and error.status in _TOO_MUCH)
