"""How work that waits for a server ends when the process is asked to stop."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from httpkit.client import Client
from httpkit.freshness import SeenKeys
from httpkit.intake import Intake
from httpkit.sifting import Sieve, SiftSettings
from httpkit.stopping import Stopped, run_until_stopped
from httpkit.values import OpenWindow, Position
from tests.core.clients import get as sent
from tests.core.clients import local_settings
from tests.core.odd_servers import deaf, mute
from tests.core.polls import get, in_turn, items, poll, source_of
from tests.fake_api import Answer, FakeApi


@contextmanager
def stopped_within_a_second(stop: threading.Event) -> Iterator[None]:
    """Sets `stop` a moment after the block began, and checks that the block ends soon after that."""
    timer = threading.Timer(0.2, stop.set)
    start = time.monotonic()
    timer.start()
    with pytest.raises(Stopped):
        yield
    assert 0.2 <= time.monotonic() - start < 1.2
    timer.join()


def stoppable_client(stop: threading.Event) -> Client:
    """A client that would wait for a minute."""
    return Client(local_settings(timeout_seconds=60), stop=stop)


def test_a_stop_ends_a_poll_that_waits_for_an_answer(api: FakeApi) -> None:
    stop = threading.Event()
    api.handler = in_turn(Answer(json=[], wait=threading.Event()))

    with stopped_within_a_second(stop):
        poll(source_of(stoppable_client(stop), get(api.url)), SeenKeys())


def test_a_stop_ends_a_poll_whose_answer_never_comes_to_its_end(api: FakeApi) -> None:
    stop = threading.Event()
    api.handler = in_turn(Answer(json=[], headers={"Content-Length": "1000"}))

    with stopped_within_a_second(stop):
        poll(source_of(stoppable_client(stop), get(api.url)), SeenKeys())


@pytest.mark.parametrize(
    "settings",
    [SiftSettings(id_path="join('-', [a, b])"), SiftSettings(timestamp_path="a || b")],
    ids=["identity", "time"],
)
def test_a_stop_ends_the_look_at_a_large_page(settings: SiftSettings) -> None:
    """An expression in JMESPath takes so long per record that a large page takes many seconds."""
    stop = threading.Event()
    records = [{"id": number, "a": "x", "b": "y"} for number in range(1000)]
    sieve = Sieve(settings, None, stop)
    assert len(sieve.look(records, [0] * 1000).keys) == 1000

    stop.set()
    with pytest.raises(Stopped):
        sieve.look(records, [0] * 1000)


def test_a_stop_ends_the_filtering_of_a_large_page() -> None:
    stop = threading.Event()
    sieve = Sieve(SiftSettings(), lambda record: False, stop)
    look = sieve.look(items(*range(1000)), [0] * 1000)
    now = datetime.now(UTC)

    stop.set()
    with pytest.raises(Stopped):
        sieve.sift(look, SeenKeys(), OpenWindow(since=now, until=now), None)


def test_a_stop_ends_a_poll_that_waits_for_a_connection() -> None:
    stop = threading.Event()

    with deaf() as url, stopped_within_a_second(stop):
        poll(source_of(stoppable_client(stop), get(url)), SeenKeys())


def test_a_stop_ends_a_poll_that_waits_for_a_handshake() -> None:
    stop = threading.Event()

    with mute() as address, stopped_within_a_second(stop):
        poll(source_of(stoppable_client(stop), get(f"https://{address}/")), SeenKeys())


def test_a_stop_ends_a_push_that_waits_for_its_acknowledgement(api: FakeApi) -> None:
    stop = threading.Event()
    api.handler = in_turn(Answer(json={"event_ids": ["id"]}, wait=threading.Event()))
    intake = Intake(stoppable_client(stop), url=api.url, key="key")
    (push,) = intake.pushes(["event"], [bytes(16)])

    with stopped_within_a_second(stop):
        list(intake.deliver(push))


def test_whoever_waits_for_an_answer_can_do_something_meanwhile(api: FakeApi) -> None:
    answer, threads = threading.Event(), list[int]()

    def meanwhile() -> None:
        threads.append(threading.get_ident())
        answer.set()

    api.handler = in_turn(Answer(json=[], wait=answer))

    assert Client(local_settings(meanwhile=meanwhile)).send(sent(api.url)).ok
    assert set(threads) == {threading.get_ident()}


def test_after_a_stop_nothing_is_sent(api: FakeApi) -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(Stopped):
        poll(source_of(stoppable_client(stop), get(api.url)), SeenKeys())
    assert api.asked == []


def test_a_stop_between_two_pages_ends_the_poll(api: FakeApi) -> None:
    stop = threading.Event()
    answers = iter(range(1, 100))
    api.handler = lambda _: Answer(json={"items": items(next(answers))})
    source = source_of(stoppable_client(stop), get(api.url), pagination="page")

    batches = source.poll(SeenKeys(), Position())
    next(batches)
    stop.set()

    with pytest.raises(Stopped):
        list(batches)
    assert len(api.asked) <= 2


def test_a_call_that_ends_in_time_gives_its_result() -> None:
    assert run_until_stopped(lambda: 7, threading.Event()) == 7


def test_a_call_that_fails_raises_its_own_error() -> None:
    def fail() -> None:
        raise LookupError("its own")

    with pytest.raises(LookupError, match="its own"):
        run_until_stopped(fail, threading.Event())
