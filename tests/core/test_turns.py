"""Calls that take turns in one thread; the servers are real, and so is the time."""

import gc
import itertools
import threading
import time
from urllib.parse import urlsplit

import pytest

from httpkit.client import Client
from httpkit.client_settings import Exchange
from httpkit.errors import UnavailableError, UnexpectedShapeError
from httpkit.sockets import PatientSocket
from httpkit.stopping import Stopped
from httpkit.throttle import RetryPolicy
from httpkit.turns import Call, Lock, in_thread, pause, until_stopped
from httpkit.values import Request, Response
from tests.core.clients import get, local_client, local_settings
from tests.core.polls import in_turn
from tests.fake_api import Answer, Asked, FakeApi


@pytest.fixture
def stop() -> threading.Event:
    """What ends the calls of a test."""
    return threading.Event()


def open_connections(api: FakeApi) -> int:
    """How many connections there are to a server, from this side."""
    sockets = [one for one in gc.get_objects() if isinstance(one, PatientSocket) and one.fileno() >= 0]
    return sum(one.getpeername()[1] == urlsplit(api.url).port for one in sockets)


def test_a_request_is_on_its_way_while_its_sender_computes(api: FakeApi) -> None:
    arrived = threading.Event()

    def answer(_: Asked) -> Answer:
        arrived.set()
        return Answer(json="done")

    api.handler = answer
    client = local_client()
    client.send(get(api.url))  # now there is a connection
    arrived.clear()

    begun = client.begin(get(api.url))

    assert arrived.wait(5), "nobody waits for the answer yet"
    assert begun().ok


def test_while_one_answer_is_waited_for_the_other_calls_go_on(api: FakeApi) -> None:
    asked_again = threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.path == "/slow":
            return Answer(json="slow", wait=asked_again)
        if sum(one.path == "/busy" for one in api.asked) == 1:
            return Answer(status=503)
        asked_again.set()
        return Answer(json="not busy any more")

    api.handler = answer
    client = Client(local_settings(retry=RetryPolicy(retries=1)), jitter=lambda: 0)
    slow, busy = (client.begin(get(f"{api.url}/{name}")) for name in ("slow", "busy"))

    assert slow().ok
    assert busy().ok


def test_a_call_is_done_as_soon_as_its_answer_has_come(api: FakeApi) -> None:
    answer = threading.Event()
    api.handler = in_turn(Answer(json=[], wait=answer))
    begun = local_client().begin(get(api.url))

    assert not begun.is_decided
    answer.set()
    end = time.monotonic() + 5
    while not begun.is_decided and time.monotonic() < end:
        time.sleep(0.01)

    assert begun.is_decided


def test_work_on_many_values_lets_the_calls_go_on(stop: threading.Event) -> None:
    ended: list[bool] = []

    def end() -> None:
        pause(0.01, stop)
        ended.append(True)

    call = Call(end, stop)
    limit = time.monotonic() + 5
    values = until_stopped(itertools.count(), stop)
    while not ended and time.monotonic() < limit:
        next(values)

    assert ended
    call.result()


def test_what_fails_in_a_call_is_raised_where_it_is_waited_for(stop: threading.Event) -> None:
    def fail() -> None:
        raise LookupError("its own")

    call = Call(fail, stop)

    with pytest.raises(LookupError, match="its own"):
        call.result()


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_does_not_wait_until_somebody_waits_for_a_call(
    stop: threading.Event, end: type[BaseException]
) -> None:
    def interrupted() -> None:
        pause(0.01, stop)
        raise end

    call = Call(interrupted, stop)
    with pytest.raises(end):
        pause(5, stop)
    assert call.done


def test_a_stop_ends_the_wait_for_a_call(stop: threading.Event) -> None:
    call = Call(lambda: pause(60, threading.Event()), stop)
    threading.Timer(0.1, stop.set).start()
    begin = time.monotonic()

    with pytest.raises(Stopped):
        call.result()
    assert time.monotonic() - begin < 1


def test_a_stop_ends_a_pause(stop: threading.Event) -> None:
    threading.Timer(0.1, stop.set).start()
    begin = time.monotonic()

    with pytest.raises(Stopped):
        pause(60, stop)
    assert time.monotonic() - begin < 1


def test_after_a_stop_no_call_begins(stop: threading.Event) -> None:
    done: list[int] = []
    stop.set()

    with pytest.raises(Stopped):
        Call(lambda: done.append(1), stop).result()
    assert done == []


def test_a_call_that_nobody_holds_any_more_is_given_up(stop: threading.Event) -> None:
    ended: list[str] = []

    def wait() -> None:
        try:
            pause(60, threading.Event())
        finally:
            ended.append("given up")

    call = Call(wait, stop)
    assert not call.done
    del call
    gc.collect()

    assert ended == ["given up"]


@pytest.mark.parametrize("outcome", [None, ValueError("it failed")])
def test_a_call_that_holds_a_lock_is_given_up_when_it_lets_go(
    stop: threading.Event, outcome: Exception | None
) -> None:
    lock, done = Lock(), list[str]()

    def hold() -> None:
        with lock.held():
            with lock_of_its_own.held():
                pause(0.02, threading.Event())
                done.append("what the others wait for")
            done.append("all of it")
            if outcome:
                raise outcome
        done.append("more")

    def take() -> list[str]:
        with lock.held():
            return list(done)

    lock_of_its_own = Lock()
    call = Call(hold, stop)
    assert not call.done
    del call
    gc.collect()

    assert Call(take, stop).result() == ["what the others wait for", "all of it"]
    assert done == ["what the others wait for", "all of it"]


@pytest.mark.parametrize(
    "failing", [Answer(body=bytes(2000), headers={"Connection": "close"}), Answer(json="x", cut=1)]
)
def test_calls_beside_one_that_failed_end_with_the_error_of_that_one(api: FakeApi, failing: Answer) -> None:
    """Without the help of the garbage collection, which could come at any time, and inside another call."""
    silent = threading.Event()
    api.handler = lambda asked: failing if asked.path == "/fails" else Answer(wait=silent)
    client = local_client(max_response_megabytes=0.001)

    def both() -> None:
        fails, waits = (client.begin(get(f"{api.url}/{name}")) for name in ("fails", "waits"))
        fails()
        waits()

    gc.disable()
    try:
        with pytest.raises((UnexpectedShapeError, UnavailableError)) as caught:
            both()
        del caught
        assert open_connections(api) == 0
    finally:
        gc.enable()


def test_a_call_that_is_collected_inside_another_one_disturbs_nobody(api: FakeApi) -> None:
    silent = threading.Event()
    api.handler = lambda asked: Answer(json=[]) if asked.path == "/asked" else Answer(wait=silent)
    kept: list[object] = []

    def collecting(request: Request, send: Exchange) -> Response:
        response = send(request)
        if request.url.endswith("/asked"):
            kept.clear()
        return response

    client = local_client(wire=collecting)
    kept.append(client.begin(get(f"{api.url}/waits")))

    assert client.send(get(f"{api.url}/asked")).ok
    assert not kept
    pause(0.01, client.stop)
    assert open_connections(api) == 1, "the one that can be used again"


def test_a_lock_that_a_waiting_call_holds_is_waited_for(stop: threading.Event) -> None:
    lock, order = Lock(), list[str]()

    def hold(name: str) -> None:
        with lock.held():
            pause(0.05, stop)
            order.append(name)

    first = Call(lambda: hold("first"), stop)
    second = Call(lambda: hold("second"), stop)
    second.result()
    first.result()

    assert order == ["first", "second"]


def test_a_lock_is_shared_by_the_calls_of_all_threads(stop: threading.Event) -> None:
    lock, inside, most = Lock(), list[int](), list[int]()

    def hold() -> None:
        with lock.held():
            inside.append(1)
            most.append(len(inside))
            pause(0.01, stop)
            inside.pop()

    def work() -> None:
        for call in [Call(hold, stop) for _ in range(3)]:
            call.result()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert most == [1] * 9


def test_what_blocks_in_a_thread_lets_the_others_go_on(stop: threading.Event) -> None:
    over = threading.Event()

    def let_go() -> None:
        pause(0.05, stop)
        over.set()

    blocking = Call(lambda: in_thread(lambda: over.wait(10)), stop)
    letting_go = Call(let_go, stop)

    assert blocking.result()
    letting_go.result()


def test_an_error_of_a_thread_is_raised_in_its_call(stop: threading.Event) -> None:
    def fail() -> None:
        raise LookupError("no such name")

    with pytest.raises(LookupError, match="no such name"):
        Call(lambda: in_thread(fail), stop).result()


def test_calls_side_by_side_do_not_see_the_cookies_of_each_other(api: FakeApi) -> None:
    def answer(asked: Asked) -> Answer:
        name = asked.path.strip("/").partition("/")[0]
        if asked.path.endswith("/end"):
            return Answer(json=asked.headers.get("cookie"))
        return Answer(status=302, headers={"Location": f"/{name}/end", "Set-Cookie": f"who={name}"})

    api.handler = answer
    client = local_client()
    begun = [client.begin(get(f"{api.url}/{name}", follow_redirects=True)) for name in "abcd"]

    assert [answer().body for answer in begun] == [b'"who=a"', b'"who=b"', b'"who=c"', b'"who=d"']
