"""Which requests are sent again after a failure, when, and how that ends."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import UnavailableError
from httpkit.stopping import Stopped
from httpkit.throttle import RetryPolicy
from httpkit.values import Request
from tests.core.clients import get, local_settings
from tests.core.polls import in_turn
from tests.fake_api import Answer, FakeApi

UNSAFE = ["POST", "PUT", "PATCH", "DELETE"]


def patient_client(*, stop: threading.Event | None = None, **policy: Any) -> Client:
    """A client with two retries that wait no longer than the server asks."""
    retry = RetryPolicy(**{"retries": 2, **policy})
    return Client(local_settings(retry=retry), stop=stop, jitter=lambda: 0)


def post(url: str, method: str = "POST", **fields: Any) -> Request:
    """A request that may change something."""
    return Request(method=method, url=url, body={"name": "value"}, **fields)


@dataclass
class Breaking:
    """A server that resets its first connections when it has read a request, and answers on the later ones."""

    resets: int
    listener: socket.socket
    asked: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/"

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(65536)
                while request.startswith((b"P", b"D")) and not request.endswith(b"}"):  # the body may come later
                    request += connection.recv(65536)
                self.asked.append(request)
                if len(self.asked) <= self.resets:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


@contextmanager
def breaking(resets: int) -> Iterator[Breaking]:
    """A server that resets so many connections before its first answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Breaking(resets, listener)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_an_answer_that_means_later_is_asked_for_again(api: FakeApi, status: int) -> None:
    api.handler = in_turn(Answer(status=status), Answer(status=status), Answer(json="now"))

    assert patient_client().send(get(api.url)).body == b'"now"'
    assert len(api.asked) == 3


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 409, 422, 501])
def test_any_other_answer_is_final(api: FakeApi, status: int) -> None:
    api.handler = in_turn(Answer(status=status, body=b""))

    assert patient_client().send(get(api.url)).status == status
    assert len(api.asked) == 1


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_after_the_last_retry_the_answer_is_given_back(api: FakeApi, retries: int) -> None:
    api.handler = in_turn(Answer(status=503, json="busy"))

    response = patient_client(retries=retries).send(get(api.url))

    assert (response.status, response.body) == (503, b'"busy"')
    assert len(api.asked) == retries + 1


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_reading_request_is_repeated_after_a_reset(method: str) -> None:
    with breaking(resets=2) as server:
        assert patient_client().send(Request(method=method, url=server.url)).body == b"ok"

    assert len(server.asked) == 3


def test_a_reading_request_is_repeated_after_a_reset_within_the_answer(api: FakeApi) -> None:
    api.handler = in_turn(Answer(body=bytes(100), cut=0), Answer(body=bytes(100), cut=50), Answer(json="whole"))

    assert patient_client().send(get(api.url)).body == b'"whole"'


def test_after_the_last_retry_the_failure_is_raised() -> None:
    with breaking(resets=9) as server, pytest.raises(UnavailableError, match="the connection broke"):
        patient_client().send(get(server.url))

    assert len(server.asked) == 3


@pytest.mark.parametrize("method", UNSAFE)
def test_a_changing_request_is_not_repeated_after_a_reset(method: str) -> None:
    with breaking(resets=1) as server, pytest.raises(UnavailableError, match="the connection broke"):
        patient_client().send(post(server.url, method))

    assert len(server.asked) == 1


@pytest.mark.parametrize("method", UNSAFE)
def test_a_changing_request_is_not_repeated_after_an_answer_that_means_later(api: FakeApi, method: str) -> None:
    api.handler = in_turn(Answer(status=503))

    assert patient_client().send(post(api.url, method)).status == 503
    assert len(api.asked) == 1


@pytest.mark.parametrize("header", ["Idempotency-Key", "idempotency-key"])
def test_a_changing_request_with_an_idempotency_key_is_repeated_as_it_was(header: str) -> None:
    with breaking(resets=2) as server:
        patient_client().send(post(server.url, headers={header: "one"}))

    assert len(server.asked) == 3
    assert set(server.asked) == {server.asked[0]}


def test_a_changing_request_that_is_called_safe_is_repeated() -> None:
    with breaking(resets=1) as server:
        assert patient_client().send(post(server.url, safe=True)).body == b"ok"


@pytest.mark.parametrize("method", UNSAFE)
def test_every_request_is_repeated_where_the_user_says_so(method: str) -> None:
    with breaking(resets=1) as server:
        assert patient_client(retry_unsafe=True).send(post(server.url, method)).body == b"ok"

    assert len(server.asked) == 2


@pytest.mark.parametrize("method", ["GET", *UNSAFE])
def test_a_request_that_no_server_has_seen_is_always_repeated(method: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = Breaking(0, listener)
        thread = threading.Thread(target=server.serve, daemon=True)

        def open_for_the_retry() -> float:
            """The first try finds a port that nobody listens at."""
            listener.listen()
            thread.start()
            return 0

        client = Client(local_settings(retry=RetryPolicy(retries=1)), jitter=open_for_the_retry)
        assert client.send(post(server.url, method)).body == b"ok"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)

    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_retry_waits_as_long_as_the_server_asks(api: FakeApi, status: int) -> None:
    api.handler = in_turn(Answer(status=status, headers={"Retry-After": "0.4"}), Answer(json="now"))
    start = time.monotonic()

    assert patient_client().send(get(api.url)).status == 200
    assert 0.4 <= time.monotonic() - start < 2


def test_the_back_off_comes_on_top_of_what_the_server_asks(api: FakeApi) -> None:
    api.handler = in_turn(Answer(status=503, headers={"Retry-After": "0.2"}), Answer(json="now"))
    client = Client(local_settings(retry=RetryPolicy(retries=1)), jitter=lambda: 0.3)
    start = time.monotonic()

    client.send(get(api.url))

    assert 0.5 <= time.monotonic() - start < 2


@pytest.mark.parametrize("headers", [{"Retry-After": "3600"}, {"RateLimit-Reset": "3600"}, {"Retry-After": "121"}])
def test_an_answer_that_asks_for_a_long_wait_is_given_back_at_once(api: FakeApi, headers: dict[str, str]) -> None:
    api.handler = in_turn(Answer(status=429, headers=headers))
    start = time.monotonic()

    assert patient_client().send(get(api.url)).status == 429
    assert time.monotonic() - start < 1
    assert len(api.asked) == 1


def test_how_long_a_wait_may_be_is_a_setting(api: FakeApi) -> None:
    api.handler = in_turn(Answer(status=429, headers={"Retry-After": "0.3"}), Answer(json="now"))

    assert patient_client(longest_wait=0.2).send(get(api.url)).status == 429
    assert patient_client(longest_wait=0.4).send(get(api.url)).status == 200


def test_a_stop_ends_the_wait_before_a_retry(api: FakeApi) -> None:
    stop = threading.Event()
    api.handler = in_turn(Answer(status=503, headers={"Retry-After": "60"}))
    client = patient_client(stop=stop)
    timer = threading.Timer(0.4, stop.set)
    start = time.monotonic()
    timer.start()

    with pytest.raises(Stopped):
        client.send(get(api.url))

    assert 0.4 <= time.monotonic() - start < 1.4
    assert len(api.asked) == 1
    timer.join()


def test_each_step_of_a_redirect_has_its_own_retries(api: FakeApi) -> None:
    away = Answer(status=302, body=b"", headers={"Location": "/new"})
    api.handler = in_turn(Answer(status=503), away, Answer(status=503), Answer(json="now"))

    assert patient_client(retries=1).send(get(f"{api.url}/old")).status == 200
    assert [asked.path for asked in api.asked] == ["/old", "/old", "/new", "/new"]
