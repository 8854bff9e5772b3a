"""The check that a request asks for the relay by an allowed name; who may talk is decided by the adapters.

Without it a web page could point its own name at 127.0.0.1 and read a laptop's relay through the visitor's browser.
"""

import json
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


class HostCheck:
    """ASGI middleware: answers 400 to a request whose `Host` is none of `allowed` (a port in it does not matter)."""

    def __init__(self, app: ASGIApp, *, allowed: Sequence[str]) -> None:
        self._app = app
        self._allowed = frozenset(name.lower().strip("[]") for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "*" in self._allowed or self._knows(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        message = "Host: this name is not served here; add it to RELAY_ALLOWED_HOSTS if it should be"
        answer = Response(json.dumps({"error": message}), status_code=400, media_type="application/json")
        await answer(scope, receive, send)

    def _knows(self, host: str) -> bool:
        return host_name(host) in self._allowed


def host_name(host: str) -> str:
    """Give the name in a `Host` header: `[::1]:8700` gives `::1`, `Relay.local:80` gives `relay.local`."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
