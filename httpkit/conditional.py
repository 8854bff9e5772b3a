"""Requests that ask whether anything has changed (RFC 9110 §13); an answer of 304 says that nothing has."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from httpkit.values import Request, Response, Validators

NOT_MODIFIED = 304

_NAMES = frozenset({"if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range"})
_CLOCK_TICK = timedelta(seconds=1)


def conditional(request: Request, validators: Validators) -> Request:
    """The request, to be answered only when there is something else than last time.

    A condition that the user wrote into the headers stays alone.
    """
    if any(name.lower() in _NAMES for name in request.headers):
        return request
    conditions = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    return replace(
        request, headers={**request.headers, **{name: value for name, value in conditions.items() if value}}
    )


def validators_of(response: Response, settings: str) -> Validators | None:
    """What a later request can be made conditional with; None when the server says nothing that can be relied on.

    Args:
        settings: digest of the settings with which the answer was read.
    """
    etag = _sendable(response.headers, "etag")
    last_modified = _sendable(response.headers, "last-modified")
    if last_modified and not _is_over(last_modified, response):
        last_modified = ""
    if not etag and not last_modified:
        return None
    return Validators(etag=etag, last_modified=last_modified, settings=settings)


def _is_over(last_modified: str, response: Response) -> bool:
    """Is the second of the last change over? Otherwise there may be another change in it, which nobody would see."""
    changed = _moment(last_modified)
    asked = _moment(response.headers.get("date", "")) or response.received_at
    return changed is not None and asked - changed >= _CLOCK_TICK


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _sendable(headers: Mapping[str, str], name: str) -> str:
    """The value of a header, "" when it cannot be sent back."""
    value = headers.get(name, "").strip()
    return value if value.isascii() and value.isprintable() else ""
