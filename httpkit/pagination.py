"""What ends the pages of an API, and how an end is told from a loop; nothing here sends anything.

How each style finds the next page is in `paging_styles`; the rules here hold for all of them.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Literal

from msgspec import Struct

from httpkit.documents import encode_json
from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.paging_styles import (
    TOKEN_STYLES,
    URL_STYLES,
    PagingSettings,
    at_url,
    first_place,
    is_nothing,
    placeholders_of,
    style_of,
)
from httpkit.paths import OF_LAST_RECORD, AnswerPath, compile_answer_path
from httpkit.places import check_place, with_parameter
from httpkit.templates import Scope
from httpkit.values import JsonValue, OpenWindow, Page, Request

_MOST_EMPTY_PAGES = 10
_LONGEST_TOTAL = 18
"""Digits; Python refuses to read thousands of them."""

RequestAt = Callable[[Scope, bool], Request]
"""Makes the request of the templates; takes the placeholders of paging, and whether the request follows a page."""

Ending = Literal[
    "",
    "no pagination",
    "has_more_path is false",
    "no next page named",
    "total reached",
    "short page",
    "empty page",
    "all records repeat",
    "the next request was already sent",
]
"""The rule that ended the pages of a window; "" while none has."""


class _Made(Struct, frozen=True, kw_only=True):
    """A request, and the place that it was made for."""

    place: JsonValue
    cursor: JsonValue
    request: Request


class Paging:
    """The pages of one window: gives the request for the first page, then the one after each page.

    A *place* says where a page is: a page number, an offset, a token or a URL; None is the first page of the styles
    that have no number for it. The object remembers what it met, so one is made for each window.

    Args:
        settings: checked here; a contradiction is a SettingsError.
        request_at: makes the request of the templates from the placeholders of paging; told whether it follows a page.
        uses: names of the placeholders in the templates; what a template places itself is not added.
        bare_follow_ups: follow-up pages have templates of their own, to which only the token is added.
        window: its place is where reading goes on, and None is the beginning; its cursor is sent with each request of
            the styles that have no token of their own.

    Attributes:
        ended_by: the rule that ended the pages, "" before.
    """

    def __init__(
        self,
        settings: PagingSettings,
        request_at: RequestAt,
        *,
        uses: frozenset[str] = frozenset(),
        bare_follow_ups: bool = False,
        window: OpenWindow,
    ) -> None:
        self._settings = settings
        self._request_at = request_at
        self._parameter = _parameter(settings, uses)
        self._bare_follow_ups = bare_follow_ups
        self._cursor_parameter = "" if "cursor" in uses or settings.pagination == "cursor" else settings.next_parameter
        self.cursor = window.cursor
        self.resumed = window.place is not None or window.cursor is not None
        self._style = style_of(settings)
        self._has_more = _answer_path("has_more_path", settings.has_more_path)
        self._total = _answer_path("total_path", settings.total_path)
        self._first_place = first_place(settings)
        self.place = self._first_place if window.place is None else window.place
        if settings.pagination == "cursor" and self._parameter:  # fails now rather than on the second page
            with_parameter(request_at(placeholders_of(settings, None), True), self._parameter, "")
        self._made: _Made | None = None
        self._met: set[bytes | None] = {_fingerprint(self.request())}
        self._empty_pages = 0
        self.received = window.received
        self.ended_by: Ending = ""
        self._before = (self.place, self.received, self._empty_pages)
        self._met_last: bytes | None = None

    @property
    def ignores_records(self) -> bool:
        """Does the content of a page tell the next one, whatever records are on it?"""
        settings = self._settings
        paths = (settings.next_path, settings.has_more_path)
        named = settings.pagination in TOKEN_STYLES and not settings.total_path
        return named and not any(path.startswith(OF_LAST_RECORD) for path in paths)

    def restart(self) -> None:
        """Begin with the first page, because the place that was remembered is not known to the server any more."""
        self.resumed, self.cursor, self.place, self.received = False, None, self._first_place, 0
        self._made = None
        self._met = {_fingerprint(self.request())}

    def request(self) -> Request:
        """The request for the page at the present place."""
        # Asked for several times a page: by who looks for loops, by who sends it, and by who reads its answer.
        made = self._made
        if made is None or made.place is not self.place or made.cursor is not self.cursor:
            request = self._request()
            made = self._made = _Made(place=self.place, cursor=self.cursor, request=request)
        return made.request

    def _request(self) -> Request:
        settings, place = self._settings, self.place
        follow_up = self.resumed or place != self._first_place
        request = self._request_at(placeholders_of(settings, place, self.cursor), follow_up)
        if settings.pagination in URL_STYLES and place is not None:
            return at_url(request, str(place))
        if settings.page_size and settings.page_size_parameter and not (follow_up and self._bare_follow_ups):
            request = with_parameter(request, settings.page_size_parameter, settings.page_size)
        if self._parameter and place is not None:
            request = with_parameter(request, self._parameter, place)
        if self._cursor_parameter and self.cursor is not None:
            request = with_parameter(request, self._cursor_parameter, self.cursor)
        return request

    def advance(self, page: Page) -> bool:
        """Go to the page after `page`; False at the end.

        Raises:
            UnexpectedShapeError: the place of the next page holds something that cannot be one.
        """
        self._before, self._met_last = (self.place, self.received, self._empty_pages), None
        self.received += len(page.records)
        self._empty_pages = 0 if page.records else self._empty_pages + 1
        self.ended_by = self._ending(page)
        return not self.ended_by

    def take_back(self) -> None:
        """Undo the last `advance`, also one that failed, because its page was not what it seemed to be."""
        self._met.discard(self._met_last)
        self.place, self.received, self._empty_pages = self._before
        self.ended_by, self._met_last = "", None

    def _ending(self, page: Page) -> Ending:
        if self._says_no_more(page):
            return "has_more_path is false"
        if rule := self._ends(page):
            return rule
        place = self._style(page, self.place)
        if place is None:
            return "no pagination" if self._settings.pagination == "none" else "no next page named"
        self.place = place
        fingerprint = _fingerprint(self.request())
        if fingerprint in self._met:
            return "the next request was already sent"
        self._met.add(fingerprint)
        self._met_last = fingerprint
        return ""

    def _says_no_more(self, page: Page) -> bool:
        if self._has_more is None:
            return False
        return page.content is None or is_nothing(self._has_more(page.content, page.response, page.last_record))

    def _ends(self, page: Page) -> Ending:
        settings = self._settings
        if not page.records:
            goes_on = settings.pagination in TOKEN_STYLES and self._empty_pages <= _MOST_EMPTY_PAGES
            return "" if goes_on else "empty page"
        total = self._expected_total(page)
        if total is not None and self.received >= total:
            return "total reached"
        if page.all_repeats and total is None:
            return "all records repeat"
        # A server may cap the page size, so a short page is a weaker sign than what the answer itself says.
        guessed = settings.pagination in {"page", "offset"} and total is None and self._has_more is None
        short = guessed and settings.stop_on_short_page and len(page.records) < settings.page_size
        return "short page" if short else ""

    def _expected_total(self, page: Page) -> int | None:
        if not self._total:
            return None
        total = self._total(page.content, page.response, page.last_record)
        if isinstance(total, str) and total.isdecimal() and len(total) <= _LONGEST_TOTAL:
            total = int(total)
        if isinstance(total, bool) or not isinstance(total, (int, float)):
            kind = type(total).__name__
            raise UnexpectedShapeError(f"total_path finds {kind}, not a number; correct or empty it")
        return int(total)


def check_paging(settings: PagingSettings) -> None:
    """Check that the settings do not contradict each other.

    Raises:
        SettingsError: they do.
    """
    style = settings.pagination
    if style in {"next_url", "cursor"} and not settings.next_path:
        raise SettingsError("next_path", f"is needed by pagination {style!r}: it says where the next page is named")
    if settings.next_path and style not in {"next_url", "cursor"}:
        raise SettingsError("next_path", f"has no effect with pagination {style!r}; use 'next_url' or 'cursor'")
    if settings.page_size < 0:
        raise SettingsError("page_size", f"{settings.page_size} is negative; use 0 to leave it to the server")
    if settings.page_size_parameter and not settings.page_size:
        raise SettingsError("page_size", f"is needed by page_size_parameter {settings.page_size_parameter!r}")
    if settings.page_size_parameter:
        check_place("page_size_parameter", settings.page_size_parameter)
    if settings.offset_step == "page_size" and not settings.page_size:
        raise SettingsError("page_size", "is needed by offset_step 'page_size'")
    _check_places(settings)


def _check_places(settings: PagingSettings) -> None:
    """Each value that paging sends needs a place of its own."""
    places = {
        "cursor": ("next_parameter", settings.next_parameter),
        "page": ("page_parameter", settings.page_parameter),
        "offset": ("offset_parameter", settings.offset_parameter),
    }
    if settings.pagination not in places:
        return
    field, place = places[settings.pagination]
    check_place(field, place)
    if place == settings.page_size_parameter:
        raise SettingsError(field, f"{place!r} is the page_size_parameter too; each needs its own")


def _answer_path(field: str, expression: str) -> AnswerPath | None:
    return compile_answer_path(field, expression) if expression else None


def _parameter(settings: PagingSettings, uses: frozenset[str]) -> str:
    """Where the place goes; nowhere when a template places it itself, or the style has none."""
    own = {"cursor": {"cursor"}, "page": {"page"}, "offset": {"offset", "offset_end"}}.get(settings.pagination, set())
    if own & uses:
        return ""
    places = {
        "cursor": settings.next_parameter,
        "page": settings.page_parameter,
        "offset": settings.offset_parameter,
    }
    return places.get(settings.pagination, "")


def _fingerprint(request: Request) -> bytes:
    """The identity of a request, for the detection of loops of any length."""
    parts = (request.method, request.url, dict(request.params), dict(request.headers), request.body)
    return blake2b(encode_json(parts), digest_size=16).digest()
