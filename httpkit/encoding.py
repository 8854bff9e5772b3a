"""A request's parameters and body as they go over the wire."""

import json
import re
from functools import lru_cache
from urllib.parse import urlencode

import requests
from msgspec.structs import replace

from httpkit.errors import SettingsError
from httpkit.redaction import without_query
from httpkit.values import JsonValue, Parameters, Request

_KNOWN_URLS = 64
_FINAL_QUERY = re.compile(
    r"(?:[A-Za-z0-9._~&=+-]|%(?:[01][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[BCDF]|[89A-F][0-9A-F]))+"
)
"""What a library leaves as it is: unreserved characters, a few others, and escapes of all but unreserved ones."""


def query_pairs(params: Parameters) -> list[tuple[str, str]]:
    """Parameters as name-value pairs: a list is repeated, null is not sent, numbers and booleans as in JSON."""
    lists = ((name, value if isinstance(value, (list, tuple)) else [value]) for name, value in params.items())
    return [(name, _text(one)) for name, values in lists for one in values if one is not None]


def with_final_url(request: Request) -> Request:
    """The request with its parameters in its URL, as it goes over the wire: some proofs are computed over it."""
    try:
        url = _final(request.url)
        if pairs := query_pairs(request.params):
            if "#" in url:
                url = _prepared_url(request.url, tuple(pairs))
            else:
                # As the library joins them, but ten times as fast; each page has an address of its own.
                url = f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}"
    except (requests.exceptions.RequestException, ValueError) as error:  # whose text may show all of the URL
        is_half = isinstance(error, UnicodeEncodeError)
        reason = "it has half of a character (a lone surrogate)" if is_half else "its host is no valid name"
        raise SettingsError("url", f"{without_query(request.url)!r} cannot be sent: {reason}") from None
    return replace(request, url=url, params={}) if request.params or url != request.url else request


def _final(url: str) -> str:
    """The URL as the library prepares it; what is before a query that stays as it is, is known from earlier pages."""
    base, mark, query = url.partition("?")
    if mark and _FINAL_QUERY.fullmatch(query):
        return f"{_prepared_url(base)}?{query}"
    return _prepared_url(url)


@lru_cache(_KNOWN_URLS)
def _prepared_url(url: str, pairs: tuple[tuple[str, str], ...] = ()) -> str:
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, pairs)
    return prepared.url or url


def encoded_body(request: Request) -> tuple[bytes | None, str | None]:
    """The body's bytes and its content type; None for what is not sent.

    Raises:
        SettingsError: a form is not an object, or a text has no UTF-8 form.
    """
    try:
        return _encoded(request)
    except UnicodeEncodeError:
        raise SettingsError("body", "has half of a character (a lone surrogate), which cannot be sent") from None


def _encoded(request: Request) -> tuple[bytes | None, str | None]:
    if request.body is None:
        return None, None
    if request.body_format == "raw":
        return (request.body if isinstance(request.body, bytes) else str(request.body).encode()), None
    if request.body_format == "form":
        return _form(request.body), "application/x-www-form-urlencoded"
    return _json(request.body), "application/json"


def _json(value: JsonValue) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form, but an escape
        return json.dumps(value).encode()


def _form(fields: JsonValue) -> bytes:
    if isinstance(fields, str):
        return fields.encode()
    if not isinstance(fields, dict):
        raise SettingsError("body", "must be an object when it is sent as a form")
    return urlencode(query_pairs(fields)).encode()


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)
