"""Compressed bodies, opened piece by piece, so that a small one cannot grow without limit before it is looked at."""

import zlib
from collections.abc import Generator, Iterable, Iterator

from httpkit.messages import DamagedAnswerError

_PIECE_BYTES = 64 * 1024
_GZIP = zlib.MAX_WBITS | 16
_GZIP_MAGIC = 0x1F


def opened(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The content of a body in pieces of at most 64 KiB, some of them empty.

    Args:
        chunks: the body as it came.
        encoding: the header Content-Encoding (RFC 9110 §8.4): gzip, deflate, or none.

    Raises:
        DamagedAnswerError: it is damaged or cut, or encoded in a way that was not asked for.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        yield from chunks
    elif encoding in {"gzip", "x-gzip", "deflate"}:
        try:
            yield from _inflated(chunks, gzip=encoding != "deflate")
        except zlib.error as error:
            raise DamagedAnswerError(f"Content-Encoding {encoding}: {error}") from None
    else:
        raise DamagedAnswerError(f"Content-Encoding {encoding!r} was not asked for")


def _inflated(chunks: Iterable[bytes], *, gzip: bool) -> Iterator[bytes]:
    inflater = None
    for chunk in chunks:
        rest = chunk
        while rest:
            if inflater is None or (inflater.eof and gzip and rest[0] == _GZIP_MAGIC):
                inflater = zlib.decompressobj(_GZIP if gzip else _deflate_window(rest[0]))
            if inflater.eof:  # padding after the end
                break
            rest = yield from _pieces(inflater, rest)
    if inflater is not None and not inflater.eof:
        raise DamagedAnswerError("the compressed body ends too early")


def _pieces(inflater: "zlib._Decompress", data: bytes) -> Generator[bytes, None, bytes]:
    """Yield what the data decompresses to; the result is what follows the end of the compressed part."""
    piece = bytes(_PIECE_BYTES)
    while data or len(piece) == _PIECE_BYTES:
        piece = inflater.decompress(data, _PIECE_BYTES)
        yield piece
        data = inflater.unconsumed_tail
        if inflater.eof:
            break
    return inflater.unused_data


def _deflate_window(first: int) -> int:
    """With or without the zlib wrapper: some servers understood `deflate` as the bare format."""
    wrapped = first & 0x0F == 8 and first >> 4 <= 7
    return zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS
