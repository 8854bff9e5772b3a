"""One request and all that it takes: proof, pace, retries, redirects."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from urllib.parse import urldefrag, urljoin

from msgspec import Struct
from msgspec.structs import replace

from httpkit.auth import Credentials, Flow
from httpkit.client_settings import ClientSettings
from httpkit.clocks import SYSTEM_CLOCKS, Clocks
from httpkit.destinations import Origin, origin_of
from httpkit.encoding import with_final_url
from httpkit.errors import HttpkitError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.redaction import Redactor, named
from httpkit.redirects import REDIRECTS, redirected
from httpkit.throttle import Pace, asks_for_later, told_wait
from httpkit.transport import FailedExchangeError, Transport
from httpkit.turns import Call, pause
from httpkit.values import Request, Response

MAX_REDIRECTS = 10


class Proof(Struct, frozen=True, kw_only=True):
    """Credentials and the only origin that they are sent to."""

    credentials: Credentials
    origin: Origin


class Client:
    """Sends requests over reused connections.

    Args:
        proof: used for requests that ask for it, on its own origin only.
        redactor: keeps secrets out of the errors.
        stop: when set, an exchange or a wait under way is given up at once.
        jitter: a number from 0 to 1.

    Attributes:
        stop: the event that ends what it does.

    Raises:
        SettingsError: a certificate, a key or the proxy is not usable.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        proof: Proof | None = None,
        redactor: Redactor | None = None,
        stop: threading.Event | None = None,
        clocks: Clocks = SYSTEM_CLOCKS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._proof = proof
        self._redactor = redactor or Redactor()
        self.stop = stop or threading.Event()
        self._clocks = clocks
        self._jitter = jitter
        self._pace = Pace(settings.requests_per_minute)
        self._transport = Transport(settings, clocks)

    def send(self, request: Request) -> Response:
        """Send a request and read its answer to the end, whatever its status.

        Raises:
            UnavailableError: no connection, no answer in time, or an answer that was cut, also after the retries.
            UnexpectedShapeError: the answer is larger than allowed, or redirects without end.
            RefusedError: no token was given for the credentials.
            SettingsError: the address may not be reached, or a header cannot be sent.
            httpkit.stopping.Stopped: the stop event was set.
        """
        return self.begin(request)()

    def begin(self, request: Request | Callable[[], Request]) -> "Begun":
        """Start to send a request, and go on with something else meanwhile.

        Args:
            request: or what makes it.

        Returns:
            What waits for the answer; it raises as `send` does.
        """
        call = Call(lambda: self._follow(request() if callable(request) else request), self.stop)

        def answer() -> Response:
            with self._without_secrets():
                return call.result(meanwhile=self._settings.meanwhile)

        return Begun(call, answer)

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            httpkit.stopping.Stopped: the stop event was set.
        """
        pause(seconds, self.stop)

    def sign_in(self) -> None:
        """Get the proof that a request would need, where one has to be fetched.

        Raises:
            HttpkitError: as `send`.
        """
        if self._proof:
            flow = self._proof.credentials.sign_in()
            with self._without_secrets():
                Call(lambda: self._run(flow), self.stop).result()

    @contextmanager
    def _without_secrets(self) -> Iterator[None]:
        """Mask the secrets in the message of an error on its way to the caller."""
        try:
            yield
        except HttpkitError as error:
            error.message = self._redactor.clean(error.message)
            error.args = (error.message,)
            raise

    def _follow(self, request: Request) -> Response:
        # Cookies carry a redirect to its end; kept longer they would be hidden credentials with rules of their own.
        self._transport.forget_cookies()
        for _ in range(MAX_REDIRECTS + 1):
            response = self._prove(request)
            target = response.headers.get("location")
            if not (request.follow_redirects and response.status in REDIRECTS and target):
                return response
            request = redirected(request, response.status, self._target(request, response.url, target))
        raise UnexpectedShapeError(f"{named(request)}: more than {MAX_REDIRECTS} redirects; use the final address")

    def _target(self, request: Request, answered: str, location: str) -> str:
        """The address of a redirect; the server chose it, so a wrong one is not the user's mistake."""
        try:
            target = urldefrag(urljoin(answered, location)).url
            self._settings.destinations.check_url(target)
            with_final_url(replace(request, url=target, params={}))
        except (ValueError, SettingsError) as error:
            why = error.message if isinstance(error, SettingsError) else "it is not a URL"
            raise UnexpectedShapeError(f"{named(request)}: redirects to an address that is refused: {why}") from None
        return target

    def clean(self, text: str) -> str:
        """The text without the secrets that the client knows."""
        return self._redactor.clean(text)

    def close(self) -> None:
        """Close the connections; the client is not used afterwards."""
        self._transport.close()

    def _prove(self, request: Request) -> Response:
        """Run the flow of the scheme: each request that it yields is sent, the last answer is the result."""
        request = with_final_url(request)
        proof = self._proof
        if not (request.authenticate and proof and origin_of(request.url) == proof.origin):
            return self._persist(request)
        response = self._run(proof.credentials.flow(request))
        assert response is not None, "a flow sends at least the request itself"
        return response

    def _run(self, flow: Flow) -> Response | None:
        """Send each request of a flow and give its answer back; the last answer."""
        response: Response | None = None
        # A flow that fails half-way must give back its lock at once, and not when it is collected.
        with closing(flow):
            try:
                outgoing = next(flow)
                while True:
                    response = self._persist(with_final_url(outgoing))
                    outgoing = flow.send(response)
            except StopIteration:
                return response

    def _persist(self, request: Request) -> Response:
        """Send a request, and again as often as the policy allows, while the answer is that it may succeed later."""
        attempt = 0
        while True:
            attempt += 1
            failure: UnavailableError | None = None
            response: Response | None = None
            try:
                response = self._settings.wire(request, self._exchange)
            except FailedExchangeError as error:
                failure = error.meaning
                repeatable = self._settings.retry.may_repeat(request, never_opened=error.never_opened)
            else:
                repeatable = asks_for_later(response) and self._settings.retry.may_repeat(request, never_opened=False)
            told = told_wait(response) if response else None
            wait = self._settings.retry.wait_before(attempt, told, self._jitter) if repeatable else None
            if wait is None:
                if response:
                    return response
                assert failure is not None
                try:
                    raise failure
                finally:
                    failure = None  # it knows this frame, and would keep all that is in it
            reason = str(response.status) if response else "answer" if failure and failure.reached else "connection"
            self._settings.repeating(reason, wait)
            self.pause(wait)

    def _exchange(self, request: Request) -> Response:
        self._settings.destinations.check_url(request.url)
        if (seconds := self._pace.reserve(self._clocks.monotonic())) > 0:
            self.pause(seconds)
        return self._transport.exchange(request)


class Begun:
    """A request under way; calling it waits for the answer, and gives it."""

    def __init__(self, call: Call[Response], answer: Callable[[], Response]) -> None:
        self._call = call
        self._answer = answer

    def __call__(self) -> Response:
        return self._answer()

    @property
    def is_decided(self) -> bool:
        """Is the answer there, or is it known that none will come?"""
        return self._call.done
