"""The styles of paging: where each finds the next page, and what it sends to get there."""

from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import urljoin

from msgspec import Struct
from msgspec.structs import replace

from httpkit.destinations import origin_of
from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.links import link_targets
from httpkit.paths import compile_answer_path
from httpkit.redaction import named
from httpkit.values import JsonValue, Page, Request

Style = Literal["none", "link_header", "next_url", "cursor", "page", "offset"]

TOKEN_STYLES = frozenset({"link_header", "next_url", "cursor"})
"""Styles in which the API names the next page, so that an empty page is not the end by itself."""

URL_STYLES = frozenset({"link_header", "next_url"})
"""Styles in which the API names the next page by its URL."""

Following = Callable[[Page, JsonValue], JsonValue]
"""Takes a page and its place; gives the place of the next page, None when the style sees none."""


class PagingSettings(Struct, frozen=True, kw_only=True):
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


def style_of(settings: PagingSettings) -> Following:
    """The function of the configured style."""
    return _STYLES[settings.pagination](settings)


def first_place(settings: PagingSettings) -> int | None:
    """The place of the first page; None where the style has no number for it."""
    return {"page": settings.first_page, "offset": settings.first_offset}.get(settings.pagination)


def placeholders_of(settings: PagingSettings, place: JsonValue, cursor: JsonValue = None) -> dict[str, JsonValue]:
    """The placeholders of paging for the page at a place.

    Args:
        cursor: the token kept from the last poll, where the style has no token of its own.
    """
    style = settings.pagination
    scope: dict[str, JsonValue] = {"page_size": settings.page_size or None, "cursor": cursor}
    if style == "cursor":
        scope["cursor"] = place
    if style == "page":
        scope["page"] = place
    if style == "offset":
        scope |= {"offset": place, "offset_end": int(place) + settings.page_size}
    return scope


def at_url(request: Request, url: str) -> Request:
    """The request for a URL that the API gave: used as it is, nothing added.

    What is configured, headers and body, may hold a credential of the source, so it does not go to another origin.
    """
    if origin_of(url) != origin_of(request.url):
        return replace(request, url=url, params={}, headers={}, body=None)
    return replace(request, url=url, params={})


def is_nothing(value: JsonValue) -> bool:
    """Does a value say that there is no next page?"""
    if isinstance(value, list) and value and all(part is None for part in value):
        return True
    return value is None or value is False or value in (0, "", [], {}) or value == "false"


def _single(_: PagingSettings) -> Following:
    return lambda _page, _place: None


def _by_link_header(_: PagingSettings) -> Following:
    """RFC 8288: `Link: <https://api/items?page=2>; rel="next"`."""

    def following(page: Page, _: JsonValue) -> JsonValue:
        target = link_targets(page.response.headers.get("link", "")).get("next")
        return resolved(page, target) if target else None

    return following


def _by_next_url(settings: PagingSettings) -> Following:
    """`{"items": [...], "next": "https://api/items?after=9"}` with `next_path: next`."""
    find = compile_answer_path("next_path", settings.next_path)

    def following(page: Page, _: JsonValue) -> JsonValue:
        target = find(page.content, page.response, page.last_record)
        if is_nothing(target):
            return None
        if not isinstance(target, str):
            kind = type(target).__name__
            raise UnexpectedShapeError(f"next_path {settings.next_path!r} finds {kind}, not a URL; correct it")
        return resolved(page, target)

    return following


def _by_cursor(settings: PagingSettings) -> Following:
    """`{"items": [...], "next_cursor": "bmV4dA"}` with `next_path: next_cursor`, sent as `next_parameter`."""
    find = compile_answer_path("next_path", settings.next_path)

    def following(page: Page, _: JsonValue) -> JsonValue:
        token = find(page.content, page.response, page.last_record)
        if is_nothing(token):
            return None
        if isinstance(token, (dict, list)) and not settings.next_parameter.startswith("body:"):
            kind = type(token).__name__
            raise UnexpectedShapeError(f"next_path {settings.next_path!r} finds no token but {kind}; correct it")
        return token

    return following


def _by_page_number(_: PagingSettings) -> Following:
    """`?page=1`, then `?page=2`, and so on."""
    return lambda _, place: place + 1


def _by_offset(settings: PagingSettings) -> Following:
    """`?offset=0`, `?offset=100`, …; the step is what came, since servers may give less than was asked."""

    def following(page: Page, place: JsonValue) -> JsonValue:
        return place + (settings.page_size if settings.offset_step == "page_size" else len(page.records))

    return following


_STYLES: Mapping[Style, Callable[[PagingSettings], Following]] = {
    "none": _single,
    "link_header": _by_link_header,
    "next_url": _by_next_url,
    "cursor": _by_cursor,
    "page": _by_page_number,
    "offset": _by_offset,
}


def resolved(page: Page, target: str) -> str:
    """A URL that the API gave, resolved against that of the page when it is relative (RFC 3986).

    Raises:
        UnexpectedShapeError: it is no http or https URL.
    """
    try:
        url = urljoin(page.response.url, target)
        origin_of(url)
    except (ValueError, SettingsError):
        raise UnexpectedShapeError(
            f"{named(page.request)}: the answer names a next page that is not an http or https URL; check next_path"
        ) from None
    return url
