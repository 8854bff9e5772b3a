"""The other end of a measured connector, in a process of its own: an API of many pages, an intake, the platform.

`python -m benchmarks.event_server` prints its port. `POST /run` begins a run, whose number starts the path of all that
belongs to it, so that nothing of the run before is counted. Then it prints `asked` when the first
page is asked for, `delivered` when the intake holds all events, and `GET /report` tells how the run went. Pages and
pushes are answered after the latency of the run, everything else at once.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from typing import cast
from urllib.parse import parse_qs, urlsplit

from benchmarks.deliveries import Deliveries, Report
from benchmarks.pages import PAGE_SIZE, Pages, a_day_ago

try:
    from uvloop import run
except ImportError:  # only the environment of the benchmark has it
    from asyncio import run

_FIRST_ROOM = 2 * 1024 * 1024
_END_OF_HEAD = b"\r\n\r\n"
_SECRETS = b'{"value":{"api_key":"benchmark-key"},"node_value":{}}'


class Run:
    """One run: what the API holds, what it was asked and what the intake received."""

    def __init__(self, *, number: int, events: int, latency: float) -> None:
        if events % PAGE_SIZE:
            raise ValueError(f"{events} events do not fill pages of {PAGE_SIZE}")
        self.number = str(number)
        self.latency = latency
        self.deliveries = Deliveries()
        self.errors: list[str] = []
        self._pages = Pages(events, a_day_ago())
        self._events = events
        self._first_request = 0.0
        self._cpu_at_first_request = 0.0
        self._requests = 0
        self._said_delivered = False

    def page(self, number: int) -> bytes:
        """The page of that number."""
        if not self._requests:
            self._first_request = time.monotonic()
            self._cpu_at_first_request = time.process_time()
            say("asked")
        self._requests += 1
        return self._pages.body(number)

    def answered(self) -> None:
        """Note that an answer has gone out, and say when it was the last one that the run needs."""
        if self.deliveries.events >= self._events and not self._said_delivered:
            self._said_delivered = True
            say("delivered")

    def report(self) -> Report:
        """How the run went; called after it, because it looks at everything that arrived."""
        return Report(
            first_request=self._first_request,
            last_push=self.deliveries.last_push,
            own_cpu=max(0.0, self.deliveries.cpu_at_last_push - self._cpu_at_first_request),
            requests=self._requests,
            pushes=self.deliveries.pushes,
            events=self.deliveries.events,
            faults=list(self.deliveries.faults(self._pages)),
            errors=self.errors,
        )


class Connection(asyncio.BufferedProtocol):
    """One connection: requests are read into one growing buffer and answered in turn."""

    run = Run(number=0, events=0, latency=0.0)
    """The run that all connections serve."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._buffer = bytearray(_FIRST_ROOM)
        self._filled = 0
        self._head = b""
        self._needed = 0
        self._asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Told, not asked: uvloop's transports are no subclasses.
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._needed > len(self._buffer) or self._filled == len(self._buffer):
            self._buffer = self._buffer.ljust(max(self._needed, 2 * len(self._buffer)))
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        if not self._head:
            end = self._buffer.find(_END_OF_HEAD, 0, self._filled)
            if end < 0:
                return
            self._head = bytes(self._buffer[:end]).lower()
            self._needed = end + len(_END_OF_HEAD) + _length_of(self._head)
        if self._filled >= self._needed:
            start = self._needed - _length_of(self._head)
            head, body = self._head, bytes(memoryview(self._buffer)[start : self._needed])
            self._head, self._filled, self._needed = b"", 0, 0
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        self._asked_at = asyncio.get_running_loop().time()
        target = urlsplit(head.split(b" ", 2)[1].decode())
        number, _, rest = target.path.lstrip("/").partition("/")
        if number == "run":
            Connection.run = Run(**json.loads(body))
            self._write(b"{}")
        elif number == "report":
            self._write(json.dumps(asdict(self.run.report())).encode())
        elif number != self.run.number:
            # Its sender belongs to a run that is over.
            self._transport.abort()
        else:
            self._serve(rest.rpartition("/")[2], target.query, head, body)

    def _serve(self, what: str, query: str, head: bytes, body: bytes) -> None:
        match what:
            case "events":
                cursor = parse_qs(query).get("cursor", ["0"])[0]
                self._reply(self.run.page(int(cursor)), self.run.answered)
            case "batch":
                count = self.run.deliveries.take(body, compressed=b"\r\ncontent-encoding: gzip" in head)
                self._reply(acknowledgement(count), self._acknowledged)
            case "logs":
                lines = json.loads(body)["logs"]
                self.run.errors += [line["message"] for line in lines if line["level"] in {"error", "critical"}]
                self._write(b"{}")
            case _:
                self._write(_SECRETS)

    def _acknowledged(self) -> None:
        self.run.deliveries.acknowledged()
        self.run.answered()

    def _reply(self, body: bytes, then: Callable[[], None]) -> None:
        if self.run.latency:
            # What this program itself takes is a part of the latency, as it is with any server.
            asyncio.get_running_loop().call_at(self._asked_at + self.run.latency, self._write, body, then)
        else:
            self._write(body, then)

    def _write(self, body: bytes, then: Callable[[], None] = lambda: None) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with suppress(ConnectionError):
            self._transport.writelines([head.encode(), body])
        then()


@cache
def acknowledgement(count: int) -> bytes:
    """What an intake answers to a push of that many events."""
    return json.dumps({"event_ids": [f"5f0c1c1e-0000-4000-8000-{number:012d}" for number in range(count)]}).encode()


def say(word: str) -> None:
    """Tell whoever started this program."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def _length_of(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0)
    async with server:
        say(str(server.sockets[0].getsockname()[1]))
        await server.serve_forever()


if __name__ == "__main__":
    run(_serve())
