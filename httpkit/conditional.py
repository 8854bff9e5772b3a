"""Requests that ask whether anything has changed (RFC 9110 §13); an answer of 304 says that nothing has."""

from collections.abc import Mapping
from datetime import timedelta
from hashlib import blake2b

from msgspec.structs import replace

from httpkit.times import http_date
from httpkit.values import Position, Request, Response, Validators

_NOT_MODIFIED = 304
_NAMES = frozenset({"if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range"})
_CLOCK_TICK = timedelta(seconds=1)


class Conditions:
    """The conditions of one source.

    Args:
        settings: all that decides how an answer is read, in any form; "" for a source that has no conditions.
    """

    def __init__(self, settings: str = "") -> None:
        self._settings = blake2b(settings.encode("utf-8", "replace"), digest_size=8).hexdigest() if settings else ""

    def asked(self, request: Request, position: Position) -> Request:
        """The request, to be answered only when there is something else than last time.

        A condition that the user wrote into the headers stays alone.
        """
        validators = position.validators
        if not (self._settings and validators and validators.settings == self._settings):
            return request
        if any(name.lower() in _NAMES for name in request.headers):
            return request
        values = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
        return replace(
            request, headers={**request.headers, **{name: value for name, value in values.items() if value}}
        )

    def unchanged(self, response: Response) -> bool:
        """Does the answer say that there is nothing else than last time?"""
        return bool(self._settings) and response.status == _NOT_MODIFIED

    def after(self, position: Position, response: Response) -> Position:
        """The position with what a later request can be made conditional with, where the server says such a thing."""
        if not self._settings or self.unchanged(response):
            return position
        etag, last_modified = _sendable(response.headers, "etag"), _sendable(response.headers, "last-modified")
        if last_modified and not _is_over(last_modified, response):
            last_modified = ""
        validators = None
        if etag or last_modified:
            validators = Validators(etag=etag, last_modified=last_modified, settings=self._settings)
        return replace(position, validators=validators)


def _is_over(last_modified: str, response: Response) -> bool:
    """Is the second of the last change over? Otherwise there may be another change in it, which nobody would see."""
    changed = http_date(last_modified)
    asked = http_date(response.headers.get("date", "")) or response.received_at
    return changed is not None and asked - changed >= _CLOCK_TICK


def _sendable(headers: Mapping[str, str], name: str) -> str:
    """The value of a header, "" when it cannot be sent back."""
    value = headers.get(name, "").strip()
    return value if value.isascii() and value.isprintable() else ""
