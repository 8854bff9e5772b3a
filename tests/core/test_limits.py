"""No answer takes more time or memory than allowed, and a damaged one is no answer."""

import gzip
import threading
import time
import tracemalloc
import zlib

import pytest

from httpkit.client import Client
from httpkit.errors import SettingsError, UnavailableError, UnexpectedShapeError
from tests.core.clients import get, local_client
from tests.core.odd_servers import deaf, dripping, mute
from tests.core.polls import in_turn
from tests.fake_api import Answer, FakeApi


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n", b"x"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\0\0\0\0\x00\x03",
            b"\x00\x00\x00\xff\xff",
        ),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    ],
)
def test_an_answer_that_comes_drop_by_drop_ends_at_the_limit_of_the_exchange(start: bytes, drop: bytes) -> None:
    client = local_client(timeout_seconds=0.3)
    begin = time.monotonic()

    with dripping(start, drop) as url, pytest.raises(UnavailableError):
        client.send(get(url))

    assert 1.4 <= time.monotonic() - begin < 4


def test_silence_ends_at_the_time_limit(api: FakeApi) -> None:
    api.handler = in_turn(Answer(wait=threading.Event()))

    with pytest.raises(UnavailableError, match=r"no answer within 0\.3 s"):
        local_client(timeout_seconds=0.3).send(get(api.url))


def test_a_connection_that_nobody_takes_ends_at_the_time_limit() -> None:
    with deaf() as url, pytest.raises(UnavailableError, match=r"no connection within 0\.3 s"):
        local_client(timeout_seconds=0.3).send(get(url))


def test_a_tls_handshake_that_nobody_answers_ends_at_the_time_limit() -> None:
    with mute() as address, pytest.raises(UnavailableError, match=r"no answer within 0\.3 s"):
        local_client(timeout_seconds=0.3).send(get(f"https://{address}/"))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"text" * 50000, mtime=0)),
        ("gzip", gzip.compress(b"text" * 25000, mtime=0) + gzip.compress(b"text" * 25000, mtime=0)),
        ("deflate", zlib.compress(b"text" * 50000)),
        ("deflate", zlib.compress(b"text" * 50000)[2:-4]),
        ("identity", b"text" * 50000),
    ],
)
def test_a_compressed_answer_is_opened(api: FakeApi, client: Client, encoding: str, body: bytes) -> None:
    api.handler = in_turn(Answer(body=body, headers={"Content-Encoding": encoding}))

    assert client.send(get(api.url)).body == b"text" * 50000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_a_damaged_or_unknown_encoding_is_no_answer(api: FakeApi, client: Client, encoding: str) -> None:
    api.handler = in_turn(Answer(body=b"not compressed", headers={"Content-Encoding": encoding}))

    with pytest.raises(UnavailableError, match="cut or damaged"):
        client.send(get(api.url))


def test_a_compressed_answer_that_was_cut_is_no_answer(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(
        Answer(body=gzip.compress(b"text" * 5000, mtime=0)[:-9], headers={"Content-Encoding": "gzip"})
    )

    with pytest.raises(UnavailableError, match="ends too early"):
        client.send(get(api.url))


@pytest.mark.parametrize("headers", [{"Content-Length": "999"}, {"Transfer-Encoding": "chunked"}])
def test_an_answer_that_was_cut_is_no_answer(api: FakeApi, client: Client, headers: dict[str, str]) -> None:
    body = b"ff\r\nhalf" if "Transfer-Encoding" in headers else b"half"
    api.handler = in_turn(Answer(body=body, headers={"Connection": "close", **headers}))

    with pytest.raises(UnavailableError):
        client.send(get(api.url))


def test_a_small_answer_that_grows_is_stopped_at_the_cap_with_little_memory(api: FakeApi) -> None:
    api.handler = in_turn(Answer(body=gzip.compress(bytes(200_000_000), 1), headers={"Content-Encoding": "gzip"}))
    client = local_client(max_response_megabytes=1)
    tracemalloc.start()

    with pytest.raises(UnexpectedShapeError, match="larger than 1 MB"):
        client.send(get(api.url))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\0b", " hidden", "secret-€"])
def test_a_header_that_cannot_be_sent_is_refused_without_showing_its_value(
    api: FakeApi, client: Client, value: str
) -> None:
    with pytest.raises(SettingsError, match="the value of X-Key must be one line") as caught:
        client.send(get(api.url, headers={"X-Key": value}))

    assert value not in str(caught.value)
    assert api.asked == []


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "a\0b", "é"])
def test_a_name_of_a_header_that_cannot_be_sent_is_refused(api: FakeApi, client: Client, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be sent"):
        client.send(get(api.url, headers={name: "value"}))

    assert api.asked == []


def test_no_secret_is_in_the_error_of_a_url_that_cannot_be_sent() -> None:
    client = local_client(url="https://api.example.com", bearer="hidden-key")

    for url in ("ftp://a/?key=hidden-key", "http://a:99999/?key=hidden-key", "http://[::1/hidden-key"):
        with pytest.raises(SettingsError) as caught:
            client.send(get(url))
        assert "hidden-key" not in str(caught.value)
