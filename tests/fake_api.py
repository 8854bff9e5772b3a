"""A real HTTP server for tests: what it answers is a function of the request, and every request is recorded."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as the server received it; header names are in lower case.

    Attributes:
        target: path and query exactly as they were sent.
    """

    method: str
    target: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server sends.

    Attributes:
        json: the body as a JSON value; `body` wins when given.
        headers: sent as they are, lists as repeated headers; a Content-Length here replaces the right one.
        wait: released before the answer starts; a stop of the server releases it too.
        cut: the connection is reset after so many bytes of the body.
    """

    status: int = 200
    json: Any = None
    body: bytes | None = None
    headers: Mapping[str, str | list[str]] = field(default_factory=dict)
    wait: threading.Event | None = None
    cut: int | None = None


Handler = Callable[[Asked], Answer]


class FakeApi:
    """A context manager around a server on a free loopback port.

    Args:
        handler: gives the answer to each request; it runs in the server's threads.
    """

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.asked: list[Asked] = []
        self._stopping = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def hold(self, wait: threading.Event) -> None:
        """Return when the event is set, or the server stops."""
        while not (wait.wait(0.01) or self._stopping.is_set()):
            pass

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, api: FakeApi) -> None:
        super().__init__(("127.0.0.1", 0), _OneRequest)
        self.api = api

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is part of many tests."""


class _OneRequest(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Tests look at what was asked, not at a log."""

    def serve(self) -> None:
        asked = self._read()
        self.server.api.asked.append(asked)
        self._send(self.server.api.handler(asked))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve

    def _read(self) -> Asked:
        parts = urlsplit(self.path)
        return Asked(
            method=self.command,
            target=self.path,
            path=parts.path,
            params=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
        )

    def _send(self, answer: Answer) -> None:
        if answer.wait:
            self.server.api.hold(answer.wait)
        body = answer.body if answer.body is not None else json.dumps(answer.json).encode()
        self.send_response(answer.status)
        for name, value in self._headers_of(answer, len(body)):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if answer.cut is None else body[: answer.cut])
        if answer.cut is not None:
            self._reset()

    def _headers_of(self, answer: Answer, length: int) -> Iterator[tuple[str, str]]:
        names = {name.lower() for name in answer.headers}
        if "content-length" not in names:
            yield "Content-Length", str(length)
        if "content-type" not in names and answer.body is None:
            yield "Content-Type", "application/json"
        for name, value in answer.headers.items():
            for one in value if isinstance(value, list) else [value]:
                yield name, one

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
