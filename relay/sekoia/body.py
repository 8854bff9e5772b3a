"""How a request body is read: decompressed, bounded, turned into typed values; what it means is decided elsewhere."""

import zlib
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec
from starlette.requests import Request

from relay.errors import MalformedError, TooLargeError, UnsupportedError, WrongShapeError

T = TypeVar("T")

PAYLOAD_LIMIT_BYTES = 10 * 1024 * 1024
DRAIN_LIMIT_BYTES = 8 * PAYLOAD_LIMIT_BYTES
GZIP_FORMAT = zlib.MAX_WBITS | 16


async def read_body(request: Request) -> bytes:
    """Read the whole body, gzip removed, without ever holding more than 10 MiB of it.

    Raises:
        TooLargeError: the decoded body is over the limit.
        MalformedError: the gzip stream is broken or ends early.
        UnsupportedError: it is compressed in another way.
    """
    arriving = request.stream()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip"):
        pieces = _gunzip(arriving)
    elif encoding in ("identity", ""):
        pieces = arriving
    else:
        raise UnsupportedError("Content-Encoding: only gzip and identity are read; send the body as one of them")
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > PAYLOAD_LIMIT_BYTES:
            await _drain(arriving)
            raise TooLargeError(f"body: it is over {PAYLOAD_LIMIT_BYTES} bytes when decoded; send smaller batches")
    return bytes(body)


async def _gunzip(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Decompress, in pieces no longer than the limit; several gzip members may follow one another."""
    member = zlib.decompressobj(GZIP_FORMAT)
    async for chunk in chunks:
        waiting = chunk
        while waiting:
            if member.eof:
                member = zlib.decompressobj(GZIP_FORMAT)
            try:
                yield member.decompress(waiting, PAYLOAD_LIMIT_BYTES + 1)
            except zlib.error as error:
                raise MalformedError("body: Content-Encoding says gzip but the bytes are not gzip") from error
            waiting = member.unused_data or member.unconsumed_tail
    if not member.eof:
        raise MalformedError("body: the gzip stream ends early; send it whole")


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    # A client that is still sending only reads the refusal if its bytes are taken off the wire.
    left = DRAIN_LIMIT_BYTES
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            return


def decode(body: bytes | msgspec.Raw, shape: type[T], *, expected: str) -> T:
    """Parse JSON as `shape`; `expected` shows a correct body in the error.

    Raises:
        MalformedError: it is not JSON, or nested too deeply to read.
        WrongShapeError: it is JSON, but a field is missing or has the wrong type.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except RecursionError as error:
        raise MalformedError("body: the JSON is nested too deeply to read") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # A wrong type is noticed first, even when the JSON is broken further on.
        if isinstance(error, msgspec.ValidationError) and _is_json(body):
            raise WrongShapeError(f"{_name_the_field(str(error))}; expected {expected}") from error
        raise MalformedError(f"body: it is not valid JSON in UTF-8; expected {expected}") from error


def _is_json(body: bytes | msgspec.Raw) -> bool:
    try:
        bytes(body).decode()
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _name_the_field(problem: str) -> str:
    """Turn `Expected `str`, got `int` - at `$.jsons[0]`` into `jsons[0]: expected `str`, got `int``."""
    what, _, where = problem.partition(" - at ")
    field = where.strip("`").removeprefix("$").removeprefix(".") or "body"
    return f"{field}: {what[:1].lower()}{what[1:]}"
