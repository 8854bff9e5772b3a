"""The request that follows a redirect, and what of it may go to another origin."""

from collections.abc import Mapping

from msgspec.structs import replace

from httpkit.destinations import origin_of
from httpkit.errors import UnexpectedShapeError
from httpkit.redaction import named
from httpkit.values import Request

REDIRECTS = frozenset({301, 302, 303, 307, 308})

# Headers that say nothing about who asks, so that they may go to another origin.
_HARMLESS_HEADERS = frozenset({"accept", "accept-language", "content-type", "range"})


def redirected(request: Request, status: int, url: str) -> Request:
    """The request that follows a redirect (RFC 9110 §15.4): 303, and 301/302 after a POST, become a GET."""
    becomes_get = (status == 303 and request.method != "HEAD") or (status in {301, 302} and request.method == "POST")
    headers: Mapping[str, str] = request.headers
    if origin_of(request.url) != origin_of(url):
        # Any header, and a body, may hold a secret.
        headers = {name: value for name, value in headers.items() if name.lower() in _HARMLESS_HEADERS}
        if request.body is not None and not becomes_get:
            raise UnexpectedShapeError(
                f"{named(request)}: redirects to {named(replace(request, url=url))}, another origin, to which the "
                "body is not sent; use the final address"
            )
    if becomes_get:
        return replace(request, method="GET", url=url, params={}, headers=headers, body=None)
    return replace(request, url=url, params={}, headers=headers)
