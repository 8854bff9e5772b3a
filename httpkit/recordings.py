"""The exchanges of a preview as a JSON document without secrets, and answers taken from one instead of the network."""

import gzip
import re
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from httpkit.client_settings import Exchange
from httpkit.documents import decode_json, encode_json
from httpkit.errors import HttpkitError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.exchanges import PREPARE, SIGN_IN, Sent
from httpkit.redaction import MASK, Redactor, is_secret_name, shown_headers
from httpkit.transport import FailedExchangeError
from httpkit.values import JsonValue, Request, Response

_CREDENTIAL_TOKEN = re.compile(r"(access|auth|api|session|id|refresh|bearer|security)[-_]?token", re.IGNORECASE)
_GZIP_MAGIC = b"\x1f\x8b"
_LARGEST = 64 * 1024 * 1024

Document = dict[str, Any]


class RecordedHeaders(Mapping[str, str]):
    """Headers that are found under any case of their names."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = {name.lower(): value for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._headers[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)


def recorded(sent: Sequence[Sent], redactor: Redactor, *, kept_headers: Iterable[str] = ()) -> list[Document]:
    """Exchanges as JSON values, with all secrets masked.

    Args:
        redactor: knows the secrets of the account, and learns those that stand in the addresses.
        kept_headers: headers of answers that a setting reads; they are kept although their names sound secret.
    """
    for one in sent:
        redactor.add(*_credentials_in(one.request.url), *(_credentials_in(one.response.url) if one.response else ()))
    kept = frozenset(name.lower() for name in kept_headers)
    documents = [_document(one, kept) for one in sent]
    cleaned: list[Document] = redactor.clean_value(documents)
    return cleaned


class Replay:
    """Answers from a recording: each exchange once, in the order in which they were recorded.

    Args:
        exchanges: as `recorded` gave them.

    Raises:
        ValueError: they are not.
    """

    def __init__(self, exchanges: Sequence[Document], redactor: Redactor) -> None:
        self._redactor = redactor
        self._lock = threading.Lock()
        try:
            self._waiting = [(_identity(one["request"]), one) for one in exchanges]
            for _, one in self._waiting:
                _response(one["response"]) if "response" in one else _failure(one["failure"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"is not a recording of a preview ({error})") from None

    def __call__(self, step: str, request: Request, _send: Exchange) -> Response:
        """The recorded answer to a request.

        Raises:
            SettingsError: it was not recorded.
            HttpkitError, FailedExchangeError: as it was recorded.
        """
        document = self._redactor.clean_value(_request_document(request))
        wanted = _identity(document)
        with self._lock:
            found = next((place for place, (one, _) in enumerate(self._waiting) if one == wanted), None)
            if found is None:
                raise SettingsError(
                    "replay",
                    f"{request.method} {document['url']} ({step}) is not in the recording; "
                    "record again with this configuration (--record)",
                )
            _, recorded_exchange = self._waiting.pop(found)
        if "response" in recorded_exchange:
            return _response(recorded_exchange["response"])
        raise _failure(recorded_exchange["failure"])


def shown_url(url: str) -> str:
    """The URL without user and password, and with the values of parameters masked whose names sound secret."""
    try:
        parts = urlsplit(url)
    except ValueError:  # told where it is used
        return url
    fields = [field.partition("=") for field in parts.query.split("&")] if parts.query else []
    query = "&".join(
        f"{name}{equals}{MASK if value and is_secret_name(unquote(name)) else value}" for name, equals, value in fields
    )
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, parts.fragment))


def shown_body(body: JsonValue) -> JsonValue:
    """The body of a request with the values of fields masked whose names sound secret."""
    return _without_named_secrets(body.decode("utf-8", "replace") if isinstance(body, bytes) else body)


def _credentials_in(url: str) -> Iterable[str]:
    """Values of a query that are credentials by their names; a token of a page must stay, since paging needs it."""
    for name, value in parse_qsl(urlsplit(url).query):
        if is_secret_name(name) and ("token" not in name.lower() or _CREDENTIAL_TOKEN.search(name)):
            yield value


def _document(sent: Sent, kept_headers: frozenset[str]) -> Document:
    document: Document = {"step": sent.step, "request": _request_document(sent.request)}
    if sent.response is None:
        return {**document, "failure": _failure_document(sent.failure)}
    response = sent.response
    return {
        **document,
        "response": {
            "status": response.status,
            "reason": response.reason,
            "url": shown_url(response.url),
            "headers": {
                name: response.headers[name] if name.lower() in kept_headers else value
                for name, value in shown_headers(response.headers).items()
            },
            **_body_document(response.body, secret=sent.step in {SIGN_IN, PREPARE}),
            "elapsed": response.elapsed,
            "received_at": response.received_at.isoformat(),
        },
    }


def _request_document(request: Request) -> Document:
    document: Document = {
        "method": request.method,
        "url": shown_url(request.url),
        "headers": shown_headers(request.headers),
    }
    body = shown_body(request.body)
    return document if body is None else {**document, "body": body}


def _body_document(body: bytes, *, secret: bool) -> Document:
    """A body as text, also what is none, so that secrets in it are found; a file of gzip is opened for that."""
    if body.startswith(_GZIP_MAGIC):
        body = _opened(body)
    if secret:
        body = _masked(body)
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body": body.decode("latin-1"), "charset": "latin-1"}


def _opened(body: bytes) -> bytes:
    try:
        content = gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        return body
    return content if len(content) <= _LARGEST else body


def _masked(body: bytes) -> bytes:
    """A body with the values of fields masked whose names sound secret."""
    try:
        return encode_json(_without_named_secrets(decode_json(body)))
    except ValueError:
        return body


def _without_named_secrets(value: JsonValue) -> JsonValue:
    if isinstance(value, Mapping):
        return {
            name: MASK if isinstance(part, (str, int)) and is_secret_name(str(name)) else _without_named_secrets(part)
            for name, part in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_without_named_secrets(part) for part in value]
    return value


def _identity(request: Document) -> tuple[str, str, str, str]:
    """What tells requests apart, whatever was escaped or masked on the way."""
    parts = urlsplit(request["url"])
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in parse_qsl(parts.query, keep_blank_values=True))
    body = encode_json(request.get("body")).decode()
    return request["method"], f"{parts.scheme}://{parts.netloc}{unquote(parts.path)}", query, body


def _response(document: Document) -> Response:
    return Response(
        status=int(document["status"]),
        reason=document["reason"],
        url=document["url"],
        headers=RecordedHeaders(document["headers"]),
        body=document["body"].encode(document.get("charset", "utf-8")),
        elapsed=float(document["elapsed"]),
        received_at=datetime.fromisoformat(document["received_at"]),
    )


def _failure_document(failure: HttpkitError | None) -> Document:
    kind = {SettingsError: "settings", UnexpectedShapeError: "shape"}.get(type(failure), "unavailable")
    message = failure.message if failure else ""
    field = failure.field if isinstance(failure, SettingsError) else ""
    return {"kind": kind, "message": message.removeprefix(f"{field}: ") if field else message, "field": field}


def _failure(document: Document) -> HttpkitError | FailedExchangeError:
    message = document["message"]
    if document["kind"] == "settings":
        return SettingsError(document["field"], message)
    if document["kind"] == "shape":
        return UnexpectedShapeError(message)
    return FailedExchangeError(UnavailableError(message), never_opened=True)
