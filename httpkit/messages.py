"""HTTP/1.1 messages (RFC 9112): what is written for a request, and what is read of its answer.

Answers are read by llhttp, the parser of Node.js. A server may be careless where that does no harm: its lines may end
without a carriage return, its headers may be folded or hold control characters.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from requests.structures import CaseInsensitiveDict

from httpkit.destinations import DEFAULT_PORTS, Origin
from httpkit.errors import words_of

_MOST_OF_A_HEAD = _FIRST_BYTES = 256 * 1024
_WITHOUT_BODY = frozenset({204, 304})


class DamagedAnswerError(Exception):
    """An answer that ended too early, or is not HTTP."""


def host_of(origin: Origin, *, with_port: bool = False) -> str:
    """A server as the header Host names it; without the dot of an absolute name, which is in no certificate either.

    Args:
        with_port: also where the port is the one that its scheme has by default.
    """
    host = f"[{origin.host}]" if ":" in origin.host else origin.host.rstrip(".")
    is_default = origin.port == DEFAULT_PORTS[origin.scheme]
    return host if is_default and not with_port else f"{host}:{origin.port}"


def request_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """What is written before the body of a request.

    Args:
        headers: names and values that can be sent.
    """
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "\r\n"]
    return "\r\n".join(lines).encode("latin-1")


class Incoming:
    """An answer whose head has come, and whose body is read piece by piece.

    Args:
        receive: gives what has come, at most so many bytes, and nothing at the end of the connection.
        method: of the request.

    Attributes:
        reason: what the server says besides the status.
        fields: names and values of the headers, in the order in which they came.
        headers: the same by name; one that came several times has all its values (RFC 9110 §5.3).

    Raises:
        DamagedAnswerError: it is not HTTP, or ends inside its head.
        OSError: nothing came, or what `receive` raises.
    """

    def __init__(self, receive: Callable[[int], bytes], method: str) -> None:
        self._receive = receive
        self._events = _Events()
        self._parser = self._events.parser = HttpResponseParser(self._events)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        try:
            self._read_head()
        finally:
            self._events.parser = None  # or they would keep each other
        self.status, self.reason = self._events.status, _text(self._events.reason)
        self.fields = [(_text(name), _text(value)) for name, value in self._events.fields]
        self.headers = _merged(self.fields)
        self._is_kept_alive = _is_kept_alive(self.headers, self._events.version)
        coding = self.headers.get("transfer-encoding", "identity").lower()
        self._is_chunked = coding.rpartition(",")[2].strip() == "chunked"
        # Of the body, what has not come yet; None when only the end of the connection ends it.
        self._left: int | None = None
        if method == "HEAD" or self.status in _WITHOUT_BODY:
            self._is_chunked, self._left = False, 0
            self._events.has_surplus = self._events.has_surplus or bool(self._events.pieces)
            self._events.pieces.clear()
        elif "content-length" in self.headers and coding == "identity":
            self._left = int(self.headers["content-length"]) - sum(map(len, self._events.pieces))
            if self._left < 0:
                raise DamagedAnswerError(f"it is {-self._left} bytes longer than it says")

    @property
    def leaves_usable(self) -> bool:
        """Was all of it read, so that the connection can carry another request?"""
        is_complete = self._events.is_over if self._is_chunked else self._left == 0
        return self._is_kept_alive and is_complete and not self._events.pieces and not self._events.has_surplus

    def read1(self, most: int) -> bytes:
        """What has come of the body, or what comes next; nothing after its end.

        Args:
            most: bytes that are received at once.

        Raises:
            DamagedAnswerError: it ends too early, or its chunks are damaged.
            OSError: what `receive` raises, but for a connection that broke.
        """
        events, size = self._events, 0
        while self._is_chunked and not events.pieces and not events.is_over:
            # Lines between and after the chunks belong to no limit of the body.
            if size > _MOST_OF_A_HEAD:
                raise DamagedAnswerError(f"its trailers are larger than {_MOST_OF_A_HEAD // 1024} KB")
            data = self._more(most) or _cut("inside its chunks")
            size += len(data)
            self._feed(data)
        if events.pieces:
            # Each chunk for itself would cost far more memory than it holds, where all of them are small.
            came = b"".join(events.pieces)
            events.pieces.clear()
            return came
        if self._is_chunked or self._left == 0:
            return b""
        # A body that is not in chunks needs no parser.
        piece = self._more(most if self._left is None else min(most, self._left))
        if self._left is not None:
            self._left -= len(piece or _cut(f"{self._left} bytes too early"))
        return piece

    def _more(self, most: int) -> bytes:
        try:
            return self._receive(most)
        except ConnectionError as error:  # a part of it is here, so that it is the answer that broke
            raise DamagedAnswerError(words_of(error)) from error

    def _read_head(self) -> None:
        size = 0
        while not self._events.has_head:
            data = self._receive(_FIRST_BYTES)
            if not (data or size):
                raise ConnectionError("the server ended it without an answer")
            size += len(data or _cut("inside its head"))
            self._feed(data)
            if size > _MOST_OF_A_HEAD and not self._events.has_head:
                raise DamagedAnswerError(f"its head is larger than {_MOST_OF_A_HEAD // 1024} KB")

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            raise DamagedAnswerError("the server changes to another protocol") from None
        except HttpParserError as error:
            # What comes after the end of an answer does not change it.
            if not self._events.is_over:
                raise DamagedAnswerError(f"it is not HTTP: {error}") from None
            self._events.has_surplus = True


class _Events:
    """What the parser tells of an answer, and of those that say that it will come later (1xx)."""

    def __init__(self) -> None:
        self.parser: HttpResponseParser | None = None
        self.status = 0
        self.version = ""
        self.reason = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.has_head = self.is_over = self.has_surplus = False

    def on_message_begin(self) -> None:
        """Another answer begins."""
        self.has_surplus = self.is_over

    def on_status(self, part: bytes) -> None:
        """A part of the reason has come."""
        if not self.has_head:
            self.reason += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come; after the body they are of no use."""
        if not self.has_head:
            self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head has come; one that comes after it, in the same piece, belongs to another answer."""
        if self.parser is None or self.has_head:
            return
        self.status, self.version = self.parser.get_status_code(), self.parser.get_http_version()
        self.has_head = self.status >= 200
        if not self.has_head:
            self.reason, self.fields = b"", []

    def on_body(self, piece: bytes) -> None:
        """A piece of the body has come."""
        if not self.is_over:
            self.pieces.append(piece)

    def on_message_complete(self) -> None:
        """All of it has come."""
        self.is_over = self.has_head


def _merged(fields: Sequence[tuple[str, str]]) -> CaseInsensitiveDict[str]:
    headers = CaseInsensitiveDict[str](fields)
    if len(headers) < len(fields):
        headers.clear()
        for name, value in fields:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _is_kept_alive(headers: Mapping[str, str], version: str) -> bool:
    wishes = headers.get("connection", "").lower()
    both_lengths = "transfer-encoding" in headers and "content-length" in headers
    return "close" not in wishes and not both_lengths and (version == "1.1" or "keep-alive" in wishes)


def _text(field: bytes) -> str:
    return field.decode("latin-1").strip()


def _cut(where: str) -> NoReturn:
    raise DamagedAnswerError(f"it ended {where}")
