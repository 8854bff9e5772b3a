"""One HTTP exchange from request to complete answer; the only file that opens sockets."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode, urljoin

import requests
import urllib3

from httpkit.auth import BearerToken, origin_of
from httpkit.errors import SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.redaction import named
from httpkit.stopping import run_until_stopped
from httpkit.values import JsonValue, Parameters, Request, Response

_CONNECT_SECONDS = 10.0
_EXCHANGE_FACTOR = 5
_CHUNK_BYTES = 64 * 1024
_MEGABYTE = 1024 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientSettings:
    """Limits of every exchange of one client.

    Attributes:
        user_agent: sent with each request.
        timeout_seconds: longest silence of the server; connecting has 10 s, the whole exchange five times this.
        max_response_megabytes: largest answer, after decompression.
    """

    user_agent: str
    timeout_seconds: float = 60.0
    max_response_megabytes: float = 64.0


class Client:
    """Sends requests over reused connections.

    Args:
        credentials: added to requests that ask for it, on their own origin only.
        stop: when set, an exchange under way is given up at once.
        monotonic: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        credentials: BearerToken | None = None,
        stop: threading.Event | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._stop = stop or threading.Event()
        self._monotonic = monotonic
        self._session = requests.Session()
        # The environment must not add credentials (netrc) or another trust store.
        self._session.trust_env = False
        self._session.headers = requests.structures.CaseInsensitiveDict(
            {"User-Agent": settings.user_agent, "Accept-Encoding": "gzip, deflate", "Accept": "*/*"}
        )

    def send(self, request: Request) -> Response:
        """Send a request and read its answer to the end, whatever its status.

        Raises:
            UnavailableError: no connection, no answer in time, or an answer that was cut.
            UnexpectedShapeError: the answer is larger than allowed, or redirects without end.
            SettingsError: the address or a header cannot be sent.
            httpkit.stopping.Stopped: the stop event was set.
        """
        return run_until_stopped(lambda: self._follow(request), self._stop)

    def _follow(self, request: Request) -> Response:
        start = self._monotonic()
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._exchange(request, start)
            target = response.headers.get("location")
            if not (request.follow_redirects and response.status in _REDIRECTS and target):
                return response
            request = _redirected(request, response.status, urljoin(response.url, target))
        raise UnexpectedShapeError(f"{named(request)}: more than {_MAX_REDIRECTS} redirects; use the final address")

    def _exchange(self, request: Request, start: float) -> Response:
        deadline = start + self._settings.timeout_seconds * _EXCHANGE_FACTOR
        prepared = self._prepare(request)
        try:
            with self._session.send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=(_CONNECT_SECONDS, self._settings.timeout_seconds),
            ) as answer:
                body = self._read(answer, request, deadline)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _unavailable(request, error, self._settings.timeout_seconds) from error
        return Response(
            status=answer.status_code,
            reason=answer.reason or _reason(answer.status_code),
            url=prepared.url or request.url,
            headers=answer.headers,
            body=body,
            elapsed=self._monotonic() - start,
        )

    def _prepare(self, request: Request) -> requests.PreparedRequest:
        origin_of(request.url)
        headers = dict(request.headers)
        if request.authenticate and self._credentials:
            headers |= self._credentials.headers_for(request.url)
        body, content_type = _encoded(request)
        if content_type and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = content_type
        plain = requests.Request(
            request.method, request.url, headers=headers, params=_query(request.params), data=body
        )
        try:
            return self._session.prepare_request(plain)
        except requests.exceptions.InvalidHeader as error:
            raise SettingsError("headers", f"{error}; names and values must be one line of text") from None
        except (requests.exceptions.RequestException, ValueError) as error:
            raise SettingsError("url", f"{request.url!r} cannot be sent: {error}") from None

    def _read(self, answer: requests.Response, request: Request, deadline: float) -> bytes:
        limit = int(self._settings.max_response_megabytes * _MEGABYTE)
        chunks, size = [], 0
        for chunk in answer.raw.stream(_CHUNK_BYTES, decode_content=True):
            size += len(chunk)
            if size > limit:
                raise UnexpectedShapeError(
                    f"{named(request)}: the answer is larger than {self._settings.max_response_megabytes:g} MB; "
                    "ask for smaller pages"
                )
            if self._monotonic() > deadline:
                raise UnavailableError(
                    f"{named(request)}: the answer was still coming after "
                    f"{self._settings.timeout_seconds * _EXCHANGE_FACTOR:g} s; ask for smaller pages"
                )
            chunks.append(chunk)
        return b"".join(chunks)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _query(params: Parameters) -> list[tuple[str, str]]:
    """Parameters as name-value pairs; a list is repeated, nothing is sent for null."""
    lists = ((name, value if isinstance(value, (list, tuple)) else [value]) for name, value in params.items())
    return [(name, _text(one)) for name, values in lists for one in values if one is not None]


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _encoded(request: Request) -> tuple[bytes | None, str | None]:
    if request.body is None:
        return None, None
    if request.body_format == "raw":
        return (request.body if isinstance(request.body, bytes) else str(request.body).encode()), None
    if request.body_format == "form":
        return urlencode(_query(request.body)).encode(), "application/x-www-form-urlencoded"
    return json.dumps(request.body, ensure_ascii=False).encode(), "application/json"


def _redirected(request: Request, status: int, url: str) -> Request:
    """The request that follows a redirect (RFC 9110 §15.4): 303, and 301/302 after a POST, become a GET."""
    becomes_get = (status == 303 and request.method != "HEAD") or (status in {301, 302} and request.method == "POST")
    return Request(
        method="GET" if becomes_get else request.method,
        url=url,
        headers=_without_secrets(request.headers, request.url, url),
        body=None if becomes_get else request.body,
        body_format=request.body_format,
        authenticate=request.authenticate,
    )


def _without_secrets(headers: Mapping[str, str], old_url: str, new_url: str) -> dict[str, str]:
    """Any header may hold a credential, so only harmless ones go to another origin."""
    if origin_of(old_url) == origin_of(new_url):
        return dict(headers)
    return {name: value for name, value in headers.items() if name.lower() in {"accept", "accept-language"}}


def _unavailable(request: Request, error: Exception, timeout: float) -> UnavailableError:
    what = f"{named(request)}: "
    if isinstance(error, requests.exceptions.SSLError):
        return UnavailableError(f"{what}the server's certificate was not accepted ({_last_words(error)})")
    if isinstance(error, (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError)):
        return UnavailableError(f"{what}no connection within {_CONNECT_SECONDS:g} s; check the host and the network")
    if isinstance(error, (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)):
        return UnavailableError(f"{what}no answer within {timeout:g} s; the server is slow or the page too large")
    if isinstance(error, requests.exceptions.ConnectionError):
        return UnavailableError(f"{what}could not connect ({_last_words(error)})")
    return UnavailableError(f"{what}the answer was cut or damaged ({_last_words(error)})")


def _last_words(error: BaseException) -> str:
    """The innermost cause, which says what happened without the layers around it."""
    seen: BaseException = error
    while (cause := getattr(seen, "reason", None) or _first_exception(seen)) and isinstance(cause, BaseException):
        seen = cause
    return str(seen).rpartition(">: ")[2] or type(seen).__name__


def _first_exception(error: BaseException) -> BaseException | None:
    return next((part for part in error.args if isinstance(part, BaseException)), None)
