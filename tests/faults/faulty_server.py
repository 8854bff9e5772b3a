"""A raw HTTP server whose answers go wrong when asked to; what it answers, and when it fails, is decided elsewhere."""

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Self
from urllib.parse import parse_qsl, urlsplit

_LINGER_NOT = struct.pack("ii", 1, 0)
_DROPS = 6


class Sending(Enum):
    """How an answer is sent."""

    WHOLE = auto()
    THEN_CLOSED = auto()
    """Whole; then the connection is closed, which the head did not say."""
    THEN_RESET = auto()
    """Whole; then the connection is reset, so that nobody knows whether the client has read it."""
    RESET_INSTEAD = auto()
    """The request is read and nothing is answered."""
    RESET_HALFWAY = auto()
    CUT = auto()
    """Its length is that of the whole body, and the connection is closed after half of it."""
    CUT_CHUNKS = auto()
    """The same without a length: the last chunk never comes."""
    DRIPPING = auto()
    """Whole, in a few pieces with pauses between them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request that was read to its end; names of headers are in lower case."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer, and how it is sent.

    Attributes:
        wait: seconds before the first byte.
        then: called when the last byte that is sent was handed to the kernel.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    sending: Sending = Sending.WHOLE
    wait: float = 0.0
    then: Callable[[], None] | None = None


class FaultyServer:
    """A server on a loopback port, which it keeps when it is closed and opened again.

    Args:
        answer: gives the reply to each request, in the thread of the loop.
        drop_seconds: pause between two pieces of a dripping answer.
    """

    def __init__(self, answer: Callable[[Asked], Reply], *, drop_seconds: float = 0.1) -> None:
        self._answer = answer
        self._drop_seconds = drop_seconds
        self._conversations: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.failure: BaseException | None = None
        """What broke in `answer`, which is a mistake of the test."""

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Listen; connections are refused before."""
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", self.port, limit=1024 * 1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Break off what is under way, and refuse connections from now on."""
        if self._server:
            self._server.close()
        for conversation in list(self._conversations):
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        self._server = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a conversation is a task of its own"
        self._conversations.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client went away, as one that is killed does, or the server is closed
        except Exception as error:  # noqa: BLE001  (kept, so that whoever runs the test sees it)
            self.failure = error
        finally:
            self._conversations.discard(task)
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its reply; does the connection live on?"""
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in fields)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = line.split(" ", 2)
        parts = urlsplit(target)
        params = dict(parse_qsl(parts.query, keep_blank_values=True))
        asked = Asked(method=method, path=parts.path, params=params, headers=headers, body=body)
        reply = self._answer(asked)
        await asyncio.sleep(reply.wait)
        await self._send(reply, writer)
        if reply.then:
            reply.then()
        return reply.sending in {Sending.WHOLE, Sending.DRIPPING}

    async def _send(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        sending, half = reply.sending, reply.body[: max(1, len(reply.body) // 2)]
        head = _head(reply)
        if sending is Sending.DRIPPING:
            await self._drip(head + reply.body, writer)
        elif sending in {Sending.CUT, Sending.RESET_HALFWAY}:
            writer.write(head + half)
        elif sending is Sending.CUT_CHUNKS:
            writer.write(head + b"%x\r\n%b\r\n" % (len(half), half))
        elif sending is not Sending.RESET_INSTEAD:
            writer.write(head + reply.body)
        await writer.drain()
        if sending in {Sending.RESET_INSTEAD, Sending.RESET_HALFWAY, Sending.THEN_RESET}:
            await asyncio.sleep(0.01)  # otherwise the reset may overtake the bytes before it
            raw = writer.get_extra_info("socket")
            with suppress(OSError):  # the client was faster
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        elif sending in {Sending.CUT, Sending.CUT_CHUNKS, Sending.THEN_CLOSED}:
            writer.close()
            await writer.wait_closed()

    async def _drip(self, content: bytes, writer: asyncio.StreamWriter) -> None:
        step = len(content) // _DROPS + 1
        for start in range(0, len(content), step):
            writer.write(content[start : start + step])
            await writer.drain()
            await asyncio.sleep(self._drop_seconds)


def _head(reply: Reply) -> bytes:
    chunked = reply.sending is Sending.CUT_CHUNKS
    length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(reply.body))}
    headers = {"Content-Type": "application/json", **length, **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
