"""What is read of an answer, however it is cut into pieces on its way, and what is refused of one that is damaged."""

import errno
import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.destinations import origin_of
from httpkit.messages import DamagedAnswerError, Incoming, host_of, request_head

WITH_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello world"
IN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=1\r\n world\r\n0\r\nT: x\r\n\r\n"
TO_THE_END = b"HTTP/1.1 200 OK\r\nServer: old\r\n\r\nhello world"
LATER = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + WITH_LENGTH
CARELESS = b"HTTP/1.1 200 OK\nX-Folded: a\n b\nX-Odd: \x01\nContent-Length: 11\n\nhello world"
OFFERING = WITH_LENGTH.replace(b"OK\r\n", b"OK\r\nUpgrade: h2\r\nConnection: Upgrade, Keep-Alive\r\n")


def coming(pieces: Sequence[bytes]) -> Callable[[int], bytes]:
    """What receives these pieces, and then the end of the connection."""
    left = [piece for piece in pieces if piece]

    def receive(most: int) -> bytes:
        if not left:
            return b""
        piece, left[0] = left[0][:most], left[0][most:]
        if not left[0]:
            left.pop(0)
        return piece

    return receive


def read(pieces: Sequence[bytes], method: str = "GET") -> tuple[Incoming, bytes]:
    """An answer and its body."""
    answer = Incoming(coming(pieces), method)
    body = b""
    while piece := answer.read1(1024):
        body += piece
    return answer, body


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """The data in pieces that begin at these places."""
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


@pytest.mark.parametrize("sent", [WITH_LENGTH, IN_CHUNKS, TO_THE_END, LATER, CARELESS, OFFERING])
@given(places=st.lists(st.integers(0, 10_000), max_size=12))
def test_an_answer_is_the_same_however_it_is_cut_on_its_way(sent: bytes, places: list[int]) -> None:
    answer, body = read(cut(sent, places))

    assert (answer.status, answer.reason, body) == (200, "OK", b"hello world")
    assert not any(name.lower() in {"link", "t"} for name, _ in answer.fields)
    assert answer.leaves_usable == (sent != TO_THE_END)


@pytest.mark.parametrize("sent", [WITH_LENGTH, IN_CHUNKS, LATER, CARELESS])
@given(kept=st.integers(0, 10_000), places=st.lists(st.integers(0, 10_000), max_size=4))
def test_an_answer_that_was_cut_off_is_never_taken_for_a_whole_one(sent: bytes, kept: int, places: list[int]) -> None:
    beginning = sent[: kept % len(sent)]

    with pytest.raises((DamagedAnswerError, ConnectionError)):
        read(cut(beginning, places))


@pytest.mark.parametrize("sent", [WITH_LENGTH[:-3], IN_CHUNKS[:-20], TO_THE_END])
def test_an_answer_whose_connection_breaks_is_damaged(sent: bytes) -> None:
    left = [sent]

    def receive(_: int) -> bytes:
        if left:
            return left.pop()
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    answer = Incoming(receive, "GET")
    assert answer.read1(1024)
    with pytest.raises(DamagedAnswerError, match="Connection reset by peer"):
        answer.read1(1024)


@pytest.mark.parametrize(
    ("surplus", "method"),
    [(b"", "HEAD"), (b"hello world", "HEAD"), (b"HTTP/1.1 200 OK\r\n", "GET"), (b"garbage", "GET"), (b"\x00", "GET")],
)
def test_what_comes_after_an_answer_belongs_to_no_other_one(surplus: bytes, method: str) -> None:
    head, mark, body = WITH_LENGTH.partition(b"\r\n\r\n")
    sent = head + mark + (b"" if method == "HEAD" else body) + surplus

    answer, found = read([sent], method)

    assert found == (b"" if method == "HEAD" else b"hello world")
    assert answer.leaves_usable == (not surplus)


@pytest.mark.parametrize("first", [WITH_LENGTH, IN_CHUNKS, WITH_LENGTH.replace(b"1.1", b"1.0")])
def test_a_second_answer_that_comes_at_once_changes_nothing_of_the_first(first: bytes) -> None:
    answer, body = read([first + b"HTTP/1.1 500 Broken\r\nX-Second: 1\r\nContent-Length: 3\r\n\r\nno\n"])

    assert (answer.status, answer.reason, body) == (200, "OK", b"hello world")
    assert not any(name == "X-Second" for name, _ in answer.fields)
    assert not answer.leaves_usable


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_ends_with_its_head(status: int) -> None:
    answer, body = read([b"HTTP/1.1 %d x\r\nContent-Length: 11\r\n\r\n" % status])

    assert (answer.status, body, answer.leaves_usable) == (status, b"", True)


@pytest.mark.parametrize(
    ("head", "usable"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nConnection: X-Own\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", True),
    ],
)
def test_a_server_says_whether_its_connection_is_kept(head: bytes, usable: bool) -> None:
    answer, _ = read([head + b"Content-Length: 2\r\n\r\n{}"])

    assert answer.leaves_usable == usable


def test_chunks_count_where_a_length_is_told_too() -> None:
    answer, body = read([IN_CHUNKS.replace(b"Transfer", b"Content-Length: 3\r\nTransfer", 1)])

    assert body == b"hello world"
    assert not answer.leaves_usable, "whoever stands between may have seen another end"


def test_an_encoding_that_is_none_leaves_the_length_as_it_is_told() -> None:
    """Old servers name it, and keep the connection open after the body."""
    sent = WITH_LENGTH.replace(b"Content-Length", b"Transfer-Encoding: identity\r\nContent-Length", 1)

    assert Incoming(coming([sent]), "GET").read1(1024) == b"hello world"
    assert not Incoming(coming([sent]), "GET").leaves_usable
    with pytest.raises(DamagedAnswerError, match="1 bytes longer"):
        read([sent + b"!"])


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
        (b"HTTP/2 200\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "another protocol"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000, "larger than 256 KB"),
    ],
)
def test_what_is_no_answer_is_told(sent: bytes, what: str) -> None:
    with pytest.raises(DamagedAnswerError, match=what):
        read([sent])


def test_chunks_that_came_together_are_one_piece() -> None:
    answer = Incoming(coming([IN_CHUNKS]), "GET")

    assert answer.read1(1024) == b"hello world"
    assert answer.read1(1024) == b""


@pytest.mark.parametrize("endless", [b"0\r\nX: ", b"1;x="])
def test_what_is_between_or_after_chunks_does_not_grow_without_limit(endless: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    with pytest.raises(DamagedAnswerError, match="larger than 256 KB"):
        read([head + endless, *itertools.repeat(b"x" * 1024, 1024)])


def test_a_head_is_written_as_it_goes_over_the_wire() -> None:
    head = request_head("GET", "/events?page=2", {"Host": "api.example", "X-Name": "Ü"})

    assert head == b"GET /events?page=2 HTTP/1.1\r\nHost: api.example\r\nX-Name: \xdc\r\n\r\n"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.example/x", "api.example"),
        ("https://api.example:443/x", "api.example"),
        ("https://api.example:8443/x", "api.example:8443"),
        ("http://[2001:db8::1]/x", "[2001:db8::1]"),
        ("http://[2001:db8::1]:8080/x", "[2001:db8::1]:8080"),
    ],
)
def test_a_host_is_named_with_its_port_where_that_is_not_the_usual_one(url: str, host: str) -> None:
    assert host_of(origin_of(url)) == host
