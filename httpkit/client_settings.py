"""The limits and ways of the exchanges of one client."""

from collections.abc import Callable

from msgspec import Struct, field

from httpkit.destinations import DestinationPolicy
from httpkit.throttle import RetryPolicy
from httpkit.tls import TlsSettings
from httpkit.values import Request, Response

EXCHANGE_FACTOR = 5
"""The whole exchange may take so many times the longest silence."""

Exchange = Callable[[Request], Response]
"""Sends one request and gives its answer; each try, each redirect and each request for a token is one."""

Wire = Callable[[Request, Exchange], Response]
"""Stands between the client and the network: sees each request as it is about to be sent, and may answer itself."""


def straight(request: Request, send: Exchange) -> Response:
    """The wire that only sends."""
    return send(request)


class ClientSettings(Struct, frozen=True, kw_only=True):
    """Limits and ways of every exchange of one client.

    Attributes:
        user_agent: sent with each request.
        timeout_seconds: longest silence of the server; connecting has 10 s, the whole exchange five times this.
        max_response_megabytes: largest answer, after decompression.
        proxy: URL of a proxy for all requests, "" for none.
        requests_per_minute: self-imposed rate, 0 for none.
        wire: watches, limits or replaces what is sent.
        repeating: told before a request is sent again: why (an HTTP status, `connection` or `answer`), and after how
            many seconds.
        meanwhile: called again and again while an answer is waited for, by the thread that waits.
    """

    user_agent: str
    timeout_seconds: float = 60.0
    max_response_megabytes: float = 64.0
    destinations: DestinationPolicy = field(default_factory=DestinationPolicy)
    tls: TlsSettings = field(default_factory=TlsSettings)
    proxy: str = ""
    requests_per_minute: float = 0.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    wire: Wire = straight
    repeating: Callable[[str, float], None] = lambda reason, seconds: None
    meanwhile: Callable[[], None] = lambda: None
