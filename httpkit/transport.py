"""One request and its answer over a connection: put together, sent, read to its end, within limits."""

from collections.abc import Iterator
from contextvars import ContextVar
from email.message import Message
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.cookies import MockRequest, MockResponse, RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from httpkit.adapter import OwnAdapter
from httpkit.client_settings import EXCHANGE_FACTOR, ClientSettings
from httpkit.clocks import Clocks
from httpkit.compression import opened
from httpkit.connections import Connections, NotConnectedError
from httpkit.encoding import encoded_body
from httpkit.errors import SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.failures import bad_header, explained
from httpkit.messages import DamagedAnswerError
from httpkit.proxies import proxy_at
from httpkit.redaction import named
from httpkit.values import Request, Response

_CHUNK_BYTES = 1024 * 1024
_MEGABYTE = 1024 * 1024

_jar = ContextVar[RequestsCookieJar | None]("jar", default=None)
"""The cookies of a call; None before there are any."""


class FailedExchangeError(Exception):
    """An exchange without a complete answer; only a wire sees it, the client raises its meaning.

    Args:
        never_opened: the server cannot have seen the request.
    """

    def __init__(self, meaning: UnavailableError, *, never_opened: bool) -> None:
        super().__init__(meaning.message)
        self.meaning = meaning
        self.never_opened = never_opened


class Transport:
    """Carries the requests of one client, over connections that are used again.

    Raises:
        SettingsError: a certificate, a key or the proxy is not usable.
    """

    def __init__(self, settings: ClientSettings, clocks: Clocks) -> None:
        self._settings = settings
        self._clocks = clocks
        self._session = _new_session(settings)
        self._headers = {"User-Agent": settings.user_agent, "Accept-Encoding": "gzip, deflate", "Accept": "*/*"}

    def forget_cookies(self) -> None:
        """Forget the cookies of the exchanges of this call: several are under way, and none sees those of another."""
        _jar.set(None)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def exchange(self, request: Request) -> Response:
        """Send a request, whose address is final, without its redirects, and read its answer to the end.

        Raises:
            FailedExchangeError: there is no complete answer.
            UnavailableError: the answer did not come to its end in time.
            UnexpectedShapeError: the answer is larger than allowed.
            SettingsError: a header or the body cannot be sent.
        """
        prepared = self._prepared(request)
        start = self._clocks.monotonic()
        try:
            # Settings of the session would be merged in where one is missing here.
            with self._session.send(prepared, stream=True, allow_redirects=False, proxies={}) as answer:
                if "set-cookie" in answer.headers:
                    _keep_cookies(prepared, answer.raw)
                body = self._read(answer, request, start)
                _check_head(answer, body)
        except (OSError, DamagedAnswerError) as error:
            never_opened = isinstance(error, NotConnectedError)
            sentence = f"{named(request)}: {explained(error, self._settings.timeout_seconds)}"
            meaning = UnavailableError(sentence, reached=not never_opened)
            raise FailedExchangeError(meaning, never_opened=never_opened) from None
        return Response(
            status=answer.status_code,
            reason=answer.reason or _reason(answer.status_code),
            url=request.url,
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
        prepared.method, prepared.url, prepared.body = request.method, request.url, body or None
        prepared.headers = CaseInsensitiveDict(self._headers)
        prepared.headers.update(headers)
        prepared.prepare_content_length(prepared.body)
        if "@" in request.url:
            prepared.prepare_auth(None, request.url)
        if jar := _jar.get():
            prepared.prepare_cookies(jar)
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


class _PlainSession(requests.Session):
    """A session that leaves redirects alone: even when told not to follow one, it would read its whole body."""

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[Any]:
        """See no redirect."""
        return iter(())


def _keep_cookies(prepared: requests.PreparedRequest, raw: Any) -> None:
    """Keep the cookies of an answer for the next exchanges of this call."""
    jar = _jar.get() or RequestsCookieJar()
    _jar.set(jar)
    message = Message()
    for cookie in raw.headers.getlist("set-cookie"):
        message["Set-Cookie"] = cookie
    jar.extract_cookies(MockResponse(message), MockRequest(prepared))  # type: ignore[arg-type]  # they are made for it


def _check_head(answer: requests.Response, body: bytes) -> None:
    """Refuse an answer that may have been cut after its head: what is left of it looks like an empty success."""
    framed = "content-length" in answer.headers or "transfer-encoding" in answer.headers
    if not body and not framed and answer.status_code == 200 and answer.request.method not in {"HEAD", "OPTIONS"}:
        raise DamagedAnswerError("it is empty and names no length, so that it may have been cut")


def _new_session(settings: ClientSettings) -> requests.Session:
    proxy = proxy_at(settings.proxy)
    session = _PlainSession()
    # The environment must not add credentials (netrc), proxies or another trust store.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    connections = Connections(
        settings.destinations,
        settings.tls,
        proxy,
        silence_seconds=settings.timeout_seconds,
        longest_seconds=settings.timeout_seconds * EXCHANGE_FACTOR,
    )
    adapter = OwnAdapter(connections, proxy)
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
