"""One HTTP exchange from request to complete answer: proof, pace, retries, redirects, limits on time and size."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urldefrag, urljoin

import requests
import urllib3
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict

from httpkit.auth import Credentials, Flow
from httpkit.clocks import SYSTEM_CLOCKS, Clocks
from httpkit.compression import opened
from httpkit.connections import CONNECT_SECONDS, CheckedAdapter, TlsSettings, never_opened, watched
from httpkit.destinations import DestinationPolicy, Origin, origin_of
from httpkit.encoding import encoded_body, with_final_url
from httpkit.errors import HttpkitError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.failures import bad_header, explained
from httpkit.redaction import Redactor, named
from httpkit.redirects import REDIRECTS, redirected
from httpkit.stopping import Caller, Stopped
from httpkit.throttle import Pace, RetryPolicy, asks_for_later, told_wait
from httpkit.values import Request, Response

EXCHANGE_FACTOR = 5
MAX_REDIRECTS = 10
_CHUNK_BYTES = 1024 * 1024
_MEGABYTE = 1024 * 1024


Exchange = Callable[[Request], Response]
"""Sends one request and gives its answer; each try, each redirect and each request for a token is one."""

Wire = Callable[[Request, Exchange], Response]
"""Stands between the client and the network: sees each request as it is about to be sent, and may answer itself."""


def straight(request: Request, send: Exchange) -> Response:
    """The wire that only sends."""
    return send(request)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientSettings:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
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
        self._session = _new_session(settings)
        self._headers = {"User-Agent": settings.user_agent, "Accept-Encoding": "gzip, deflate", "Accept": "*/*"}
        self._cookies = _Cookies()
        self._caller = Caller(self.stop)

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
            request: or what makes it, in the thread that sends it.

        Returns:
            What waits for the answer; it raises as `send` does.
        """
        call = self._caller.begin(lambda: self._follow(request() if callable(request) else request))

        def answer() -> Response:
            with self._without_secrets():
                return call.result(meanwhile=self._settings.meanwhile)

        return Begun(lambda: call.done, answer)

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            httpkit.stopping.Stopped: the stop event was set.
        """
        if self.stop.wait(seconds):
            raise Stopped

    def sign_in(self) -> None:
        """Get the proof that a request would need, where one has to be fetched.

        Raises:
            HttpkitError: as `send`.
        """
        if self._proof:
            flow = self._proof.credentials.sign_in()
            with self._without_secrets():
                self._caller.begin(lambda: self._run(flow)).result()

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
        self._cookies.jar.clear()
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
            raise UnexpectedShapeError(f"{named(request)}: redirects to an address that is refused: {error}") from None
        return target

    def clean(self, text: str) -> str:
        """The text without the secrets that the client knows."""
        return self._redactor.clean(text)

    def close(self) -> None:
        """Close the connections; the client is not used afterwards."""
        self._session.close()
        self._caller.close()

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
                raise failure
            reason = str(response.status) if response else "answer" if failure and failure.reached else "connection"
            self._settings.repeating(reason, wait)
            self.pause(wait)

    def _exchange(self, request: Request) -> Response:
        self._settings.destinations.check_url(request.url)
        prepared = self._prepared(request)
        if (seconds := self._pace.reserve(self._clocks.monotonic())) > 0:
            self.pause(seconds)
        start = self._clocks.monotonic()
        timeout = self._settings.timeout_seconds
        try:
            with self._session.send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_SECONDS, timeout), timeout),
                verify=self._settings.tls.verify_tls,
                proxies={"http": self._settings.proxy, "https": self._settings.proxy} if self._settings.proxy else {},
            ) as answer:
                if "set-cookie" in answer.headers:
                    jar = self._cookies.jar
                    extract_cookies_to_jar(jar, prepared, answer.raw)  # type: ignore[no-untyped-call]  # there
                with watched(answer.raw):
                    body = self._read(answer, request, start)
                _check_head(answer, body)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, TimeoutError) as error:
            raise FailedExchangeError(self._meaning(request, error), never_opened=never_opened(error)) from None
        return Response(
            status=answer.status_code,
            reason=answer.reason or _reason(answer.status_code),
            url=prepared.url or request.url,
            headers=answer.headers,
            body=body,
            elapsed=self._clocks.monotonic() - start,
            received_at=self._clocks.now(),
        )

    def _prepared(self, request: Request) -> requests.PreparedRequest:
        body, content_type = encoded_body(request)
        headers: dict[str, str] = {name: value for name, value in request.headers.items() if value is not None}
        if content_type and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = content_type
        if problem := bad_header(headers):
            raise SettingsError("headers", problem)
        # Put together by hand, since most of what the library prepares is not there, or was prepared before.
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url, prepared.body = request.method, with_final_url(request).url, body or None
        prepared.headers = CaseInsensitiveDict(self._headers)
        prepared.headers.update(headers)
        prepared.prepare_content_length(prepared.body)
        if "@" in prepared.url:
            prepared.prepare_auth(None, prepared.url)
        if len(self._cookies.jar):
            prepared.prepare_cookies(self._cookies.jar)
        return prepared

    def _read(self, answer: requests.Response, request: Request, start: float) -> bytes:
        limit = int(self._settings.max_response_megabytes * _MEGABYTE)
        longest = self._settings.timeout_seconds * EXCHANGE_FACTOR
        chunks, size = [], 0
        for chunk in opened(_arriving(answer), answer.headers.get("content-encoding", "")):
            size += len(chunk)
            if size > limit:
                raise UnexpectedShapeError(
                    f"{named(request)}: the answer is larger than {self._settings.max_response_megabytes:g} MB; "
                    "ask for less, or raise max_response_megabytes"
                )
            if self._clocks.monotonic() - start > longest:
                raise UnavailableError(
                    f"{named(request)}: the answer was still coming after {longest:g} s; "
                    "ask for less, or raise timeout_seconds",
                    reached=True,
                )
            chunks.append(chunk)
        return b"".join(chunks)

    def _meaning(self, request: Request, error: Exception) -> UnavailableError:
        sentence = f"{named(request)}: {explained(error, self._settings.timeout_seconds)}"
        return UnavailableError(sentence, reached=not never_opened(error))


class Begun:
    """A request under way; calling it waits for the answer, and gives it."""

    def __init__(self, is_decided: Callable[[], bool], answer: Callable[[], Response]) -> None:
        self._is_decided = is_decided
        self._answer = answer

    def __call__(self) -> Response:
        return self._answer()

    @property
    def is_decided(self) -> bool:
        """Is the answer there, or is it known that none will come?"""
        return self._is_decided()


class FailedExchangeError(Exception):
    """An exchange without a complete answer; only a wire sees it, the client raises its meaning.

    Args:
        never_opened: the server cannot have seen the request.
    """

    def __init__(self, meaning: UnavailableError, *, never_opened: bool) -> None:
        super().__init__(meaning.message)
        self.meaning = meaning
        self.never_opened = never_opened


class _Cookies(threading.local):
    """The cookies of the request under way in each thread: several may be, and none may clear those of another."""

    def __init__(self) -> None:
        self.jar = requests.cookies.RequestsCookieJar()


class _PlainSession(requests.Session):
    """A session that leaves redirects alone: even when told not to follow one, it would read its whole body."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """See no redirect."""


def _check_head(answer: requests.Response, body: bytes) -> None:
    """Refuse an answer whose head was cut: what is left of it looks like an empty success."""
    framed = "content-length" in answer.headers or "transfer-encoding" in answer.headers
    if not body and not framed and answer.status_code == 200 and answer.request.method not in {"HEAD", "OPTIONS"}:
        raise urllib3.exceptions.ProtocolError("it ended inside its head, or names no length for its empty body")


def _new_session(settings: ClientSettings) -> requests.Session:
    session = _PlainSession()
    # The environment must not add credentials (netrc), proxies or another trust store.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    if settings.proxy:
        try:
            origin_of(settings.proxy)
        except SettingsError:
            raise SettingsError("proxy", "must start with http:// or https:// and name a host") from None
    longest = settings.timeout_seconds * EXCHANGE_FACTOR
    adapter = CheckedAdapter(settings.destinations, settings.tls, longest_seconds=longest)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _arriving(answer: requests.Response) -> Iterator[bytes]:
    """The body as it comes, still compressed: waiting for a full chunk would hide a server that sends drop by drop."""
    while chunk := answer.raw.read1(_CHUNK_BYTES, decode_content=False):
        yield chunk


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
