"""What a preview sends: counted, limited and kept in order; whether it goes over the network is not known here."""

from collections.abc import Callable

from msgspec import Struct

from httpkit.client_settings import Exchange
from httpkit.errors import HttpkitError
from httpkit.redaction import without_query
from httpkit.transport import FailedExchangeError
from httpkit.values import Request, Response

SIGN_IN = "sign-in"
PREPARE = "prepare"
DETAIL = "detail"


class Sent(Struct, frozen=True, kw_only=True):
    """One exchange.

    Attributes:
        step: what it was for: `sign-in`, `prepare`, `page 1`, `detail`.
        response: None when no complete answer came; then `failure` says why.
    """

    step: str
    request: Request
    response: Response | None = None
    failure: HttpkitError | None = None


class LimitReachedError(Exception):
    """As many requests were sent as are allowed."""


class ExchangeLog:
    """A wire of the client that keeps what passes, and lets only so much pass.

    Args:
        limit: most requests, those for tokens and redirects included.
        sign_in_url: requests to it are named so, whatever they are sent for.
        around: takes the place of sending; by default it sends.

    Attributes:
        step: what the next requests are for.
        sent: in order.
    """

    def __init__(
        self, *, limit: int, sign_in_url: str = "", around: Callable[[str, Request, Exchange], Response] | None = None
    ) -> None:
        self.limit = limit
        self.step = ""
        self.sent: list[Sent] = []
        self._sign_in_url = without_query(sign_in_url)
        self._around = around or (lambda _, request, send: send(request))

    @property
    def left(self) -> int:
        """How many more requests may be sent."""
        return self.limit - len(self.sent)

    def __call__(self, request: Request, send: Exchange) -> Response:
        """Let an exchange pass.

        Raises:
            LimitReachedError: too many have passed before.
            HttpkitError, FailedExchangeError: as sending does.
        """
        if self.left <= 0:
            raise LimitReachedError
        asks_for_proof = self._sign_in_url and without_query(request.url) == self._sign_in_url
        step = SIGN_IN if asks_for_proof else self.step
        try:
            response = self._around(step, request, send)
        except FailedExchangeError as error:
            self.sent.append(Sent(step=step, request=request, failure=error.meaning))
            raise
        except HttpkitError as error:
            self.sent.append(Sent(step=step, request=request, failure=error))
            raise
        self.sent.append(Sent(step=step, request=request, response=response))
        return response
