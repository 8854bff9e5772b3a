"""What a session of requests sends over: our connections, and HTTP/1.1 as `messages.py` writes and reads it.

The session stays in between, so that whatever watches or plays requests in a test does so here, too.
"""

import re
import ssl
from contextlib import suppress
from typing import Any

import requests
from urllib3 import HTTPHeaderDict

from httpkit.connections import Connection, Connections
from httpkit.destinations import origin_of
from httpkit.messages import Incoming, host_of, request_head
from httpkit.proxies import Proxy

_SENT_AT_ONCE = 16 * 1024
_AFTER_HOST = re.compile(r"[a-z]+://[^/?#]*([^#]*)")


class OwnAdapter(requests.adapters.BaseAdapter):
    """Lets a session send over our connections."""

    def __init__(self, connections: Connections, proxy: Proxy | None) -> None:
        super().__init__()
        self._connections = connections
        self._proxy = proxy

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Send a request and read the head of its answer.

        Raises:
            OSError, DamagedAnswerError: there is no answer.
            UnavailableError: its address may not be reached.
        """
        method, url = request.method or "", request.url or ""
        origin, target = origin_of(url), _target(url)
        own_host = {} if "Host" in request.headers else {"Host": host_of(origin)}
        headers = {**own_host, **request.headers}
        if self._proxy and origin.scheme == "http":
            target = f"http://{host_of(origin)}{target}"
            headers.update(self._proxy.headers)
        head, body = request_head(method, target, headers), request.body
        assert body is None or isinstance(body, bytes), "bodies were encoded before"
        connection = self._connections.take(origin)
        try:
            connection.begin()
            is_sent = _is_sent(connection, head, body)
            incoming = Incoming(connection.receive, method)
        except BaseException:  # a call may be given up in its middle
            connection.close()
            raise
        response = requests.Response()
        response.status_code, response.reason = incoming.status, incoming.reason
        response.headers = incoming.headers
        response.url, response.request = url, request
        response.raw = _Raw(incoming, connection, self._connections if is_sent else None)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()


class _Raw:
    """What is left to read of an answer.

    Args:
        kept_by: takes the connection when all was read; None when it cannot be used again.
    """

    def __init__(self, incoming: Incoming, connection: Connection, kept_by: Connections | None) -> None:
        self._incoming = incoming
        self._connection = connection
        self._kept_by = kept_by
        self._is_closed = False

    @property
    def headers(self) -> HTTPHeaderDict:
        """Each header as often as it came."""
        return HTTPHeaderDict(self._incoming.fields)

    def read1(self, most: int, **_: object) -> bytes:
        """What comes next of the body; nothing after its end."""
        return self._incoming.read1(most)

    def close(self) -> None:
        """End the exchange."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._kept_by and self._incoming.leaves_usable:
            self._kept_by.give_back(self._connection)
        else:
            self._connection.close()


def _is_sent(connection: Connection, head: bytes, body: bytes | None) -> bool:
    """Send a request; False when the server did not want all of it, and may have said why."""
    with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):  # the last one is what TLS makes of them
        if body and len(body) > _SENT_AT_ONCE:
            connection.send(head)
            connection.send(body)
        else:
            connection.send(head + (body or b""))
        return True
    return False


def _target(url: str) -> str:
    """What a server is asked for: path and query of a URL that is final."""
    found = _AFTER_HOST.match(url)
    target = found[1] if found else ""
    return target if target.startswith("/") else f"/{target}"
