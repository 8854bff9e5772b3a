"""Which request follows a page, and how the end of the pages is told from a loop; nothing here sends anything.

Every style is a function from the request and page just read to the next request, or None where the style sees no
further page. The rules that hold for all styles are in `Paging.next_request`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal
from urllib.parse import urljoin

from httpkit.destinations import origin_of
from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.links import link_targets
from httpkit.paths import compile_path
from httpkit.places import check_place, with_parameter
from httpkit.redaction import named
from httpkit.values import JsonValue, Page, Request

Style = Literal["none", "link_header", "next_url", "cursor", "page", "offset"]

_TOKEN_STYLES = frozenset({"link_header", "next_url", "cursor"})
_MOST_EMPTY_PAGES = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class PagingSettings:
    """How the API is paged; the fields are those of the configuration, where each is explained."""

    pagination: Style = "none"
    next_path: str = ""
    next_parameter: str = "cursor"
    has_more_path: str = ""
    total_path: str = ""
    page_size: int = 0
    page_size_parameter: str = ""
    stop_on_short_page: bool = True
    page_parameter: str = "page"
    first_page: int = 1
    offset_parameter: str = "offset"
    first_offset: int = 0
    offset_step: Literal["received", "page_size"] = "received"


class Paging:
    """The pages of one poll: gives the first request, then the one after each page.

    The object remembers what it met, so one is made for each poll.

    Args:
        settings: checked here; a contradiction is a SettingsError.
        first: the request of the configuration, without paging parameters.
    """

    def __init__(self, settings: PagingSettings, first: Request) -> None:
        _check(settings)
        self._settings = settings
        self._first = first
        if settings.pagination == "cursor":  # fails now rather than on the second page
            with_parameter(first, settings.next_parameter, "")
        self._style: Callable[[Page], Request | None] = _STYLES[settings.pagination](settings)
        self._has_more = compile_path("has_more_path", settings.has_more_path) if settings.has_more_path else None
        self._total = compile_path("total_path", settings.total_path) if settings.total_path else None
        self._met = set[bytes]()
        self._empty_pages = 0
        self._received = 0

    def first_request(self) -> Request:
        """The request for the first page."""
        settings, request = self._settings, self._first
        if settings.page_size and settings.page_size_parameter:
            request = with_parameter(request, settings.page_size_parameter, settings.page_size)
        if settings.pagination == "page":
            request = with_parameter(request, settings.page_parameter, settings.first_page)
        if settings.pagination == "offset":
            request = with_parameter(request, settings.offset_parameter, settings.first_offset)
        self._met.add(_fingerprint(request))
        return request

    def next_request(self, page: Page) -> Request | None:
        """The request for the page after `page`, None at the end.

        Raises:
            UnexpectedShapeError: the place of the next page holds something that cannot be one.
        """
        self._received += len(page.records)
        self._empty_pages = 0 if page.records else self._empty_pages + 1
        if self._says_no_more(page) or self._ends(page):
            return None
        following = self._style(page)
        if following is None or _fingerprint(following) in self._met:
            return None
        self._met.add(_fingerprint(following))
        return following

    def _says_no_more(self, page: Page) -> bool:
        if not self._has_more:
            return False
        return page.content is None or _is_nothing(self._has_more(page.content))

    def _ends(self, page: Page) -> bool:
        settings = self._settings
        if not page.records:
            return settings.pagination not in _TOKEN_STYLES or self._empty_pages > _MOST_EMPTY_PAGES
        total = self._expected_total(page)
        if total is not None and self._received >= total:
            return True
        if page.all_repeats and total is None:
            return True
        # A server may cap the page size, so a short page is a weaker sign than what the answer itself says.
        guessed = settings.pagination in {"page", "offset"} and total is None and self._has_more is None
        return guessed and settings.stop_on_short_page and len(page.records) < settings.page_size

    def _expected_total(self, page: Page) -> int | None:
        if not self._total:
            return None
        total = self._total(page.content)
        if isinstance(total, str) and total.isdecimal():
            total = int(total)
        if isinstance(total, bool) or not isinstance(total, (int, float)):
            raise UnexpectedShapeError(f"total_path finds {total!r}, not a number; correct or empty it")
        return int(total)


def _fingerprint(request: Request) -> bytes:
    """The identity of a request, for the detection of loops of any length."""
    parts = (request.method, request.url, dict(request.params), dict(request.headers), request.body)
    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _is_nothing(value: JsonValue) -> bool:
    return value is None or value is False or value in (0, "", [], {}) or value == "false"


def _single(_: PagingSettings) -> Callable[[Page], Request | None]:
    return lambda page: None


def _by_link_header(_: PagingSettings) -> Callable[[Page], Request | None]:
    """RFC 8288: `Link: <https://api/items?page=2>; rel="next"`."""

    def following(page: Page) -> Request | None:
        target = link_targets(page.response.headers.get("link", "")).get("next")
        return _at_url(page, target) if target else None

    return following


def _by_next_url(settings: PagingSettings) -> Callable[[Page], Request | None]:
    """`{"items": [...], "next": "https://api/items?after=9"}` with `next_path: next`."""
    find = compile_path("next_path", settings.next_path)

    def following(page: Page) -> Request | None:
        target = find(page.content)
        if _is_nothing(target):
            return None
        if not isinstance(target, str):
            raise UnexpectedShapeError(f"next_path {settings.next_path!r} finds {target!r}, not a URL; correct it")
        return _at_url(page, target)

    return following


def _by_cursor(settings: PagingSettings) -> Callable[[Page], Request | None]:
    """`{"items": [...], "next_cursor": "bmV4dA"}` with `next_path: next_cursor`, sent as `next_parameter`."""
    find = compile_path("next_path", settings.next_path)

    def following(page: Page) -> Request | None:
        token = find(page.content)
        if _is_nothing(token):
            return None
        if isinstance(token, (dict, list)):
            raise UnexpectedShapeError(f"next_path {settings.next_path!r} finds no token but {type(token).__name__}")
        return with_parameter(page.request, settings.next_parameter, token)

    return following


def _by_page_number(settings: PagingSettings) -> Callable[[Page], Request | None]:
    """`?page=1`, then `?page=2`, and so on."""
    number = settings.first_page

    def following(page: Page) -> Request | None:
        nonlocal number
        number += 1
        return with_parameter(page.request, settings.page_parameter, number)

    return following


def _by_offset(settings: PagingSettings) -> Callable[[Page], Request | None]:
    """`?offset=0`, `?offset=100`, …; the step is what came, since servers may give less than was asked."""
    offset = settings.first_offset

    def following(page: Page) -> Request | None:
        nonlocal offset
        offset += settings.page_size if settings.offset_step == "page_size" else len(page.records)
        return with_parameter(page.request, settings.offset_parameter, offset)

    return following


_STYLES: Mapping[Style, Callable[[PagingSettings], Callable[[Page], Request | None]]] = {
    "none": _single,
    "link_header": _by_link_header,
    "next_url": _by_next_url,
    "cursor": _by_cursor,
    "page": _by_page_number,
    "offset": _by_offset,
}


def _at_url(page: Page, target: str) -> Request:
    """The request for a URL that the API gave: used as it is, a relative one resolved (RFC 3986)."""
    try:
        url = urljoin(page.response.url, target)
        elsewhere = origin_of(url) != origin_of(page.request.url)
    except (ValueError, SettingsError):
        raise UnexpectedShapeError(
            f"{named(page.request)}: the answer names a next page that is not an http or https URL; check next_path"
        ) from None
    if elsewhere:  # any configured header or body may hold a credential of the source
        return replace(page.request, url=url, params={}, headers={}, body=None)
    return replace(page.request, url=url, params={})


def _check(settings: PagingSettings) -> None:
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
