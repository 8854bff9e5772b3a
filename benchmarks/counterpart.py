"""The other end of a measured action, in a process of its own: an API of given sizes, and the platform's callback.

`python -m benchmarks.counterpart` prints its port, then one JSON line for each final report that it received. It does
as little as possible, so that what is measured is the action.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass

_MEGABYTE = 1024 * 1024
_RECORD = b'{"id":"0a51c2","time":"2026-01-31T10:00:00Z","actor":"ada","action":"login","address":"192.0.2.7"}'
_STARTED = b'{"module_configuration":{"value":{"api_key":"benchmark-key"}}}'


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalReport:
    """What arrived in the PATCH that ends an action.

    Attributes:
        moment: of its last byte, on the monotonic clock, which all processes of a machine share.
        error: what the action says went wrong.
        status_code: of the answer that the action received.
        size: bytes of the PATCH.
    """

    moment: float
    error: str | None
    status_code: int | None
    size: int


def answer_of(size: int) -> bytes:
    """A JSON list of exactly `size` bytes, padded with spaces before its end."""
    count = max(1, (size - 2) // (len(_RECORD) + 1))
    body = b"[" + b",".join([_RECORD] * count)
    return body.ljust(size - 1) + b"]"


class Counterpart:
    """Answers requests; the bodies are made once."""

    def __init__(self) -> None:
        self._answers: dict[int, bytes] = {}

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until the other side closes it."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_content_length(head))
                for part in self._answer(head, body):
                    writer.write(part)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        method, path, _ = head.split(b" ", 2)
        if method == b"PATCH":
            return _with_head(_received(body))
        size = int(path.rpartition(b"/")[2])
        if size not in self._answers:
            self._answers[size] = answer_of(size)
        return _with_head(self._answers[size])


def _received(body: bytes) -> bytes:
    """The answer to a PATCH; the last one of an action is printed."""
    moment = time.monotonic()
    report = json.loads(body)
    if report["status"] != "finished":
        return _STARTED
    results = report.get("results") or {}
    final = FinalReport(
        moment=moment, error=report.get("error"), status_code=results.get("status_code"), size=len(body)
    )
    sys.stdout.write(json.dumps(asdict(final)) + "\n")
    sys.stdout.flush()
    return b"{}"


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _with_head(body: bytes) -> tuple[bytes, bytes]:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode(), body


async def _serve() -> None:
    server = await asyncio.start_server(Counterpart().converse, "127.0.0.1", 0, limit=_MEGABYTE)
    async with server:
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
