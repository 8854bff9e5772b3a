"""Windows that cannot be read: halved, written down as gaps, and tried again, while newer data goes on."""

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from httpkit.client import Client
from httpkit.values import OpenWindow, Position
from httpkit.windows import MOST_GAPS, Windows, WindowSettings
from tests.core.clients import local_client
from tests.core.clocks import Clock
from tests.core.recorders import START, Log, Recorder, moment_of, poisoned, recorder_of, too_large
from tests.core.remembering import open_memory
from tests.fake_api import Answer, Asked, FakeApi


@pytest.fixture
def clock() -> Clock:
    return Clock(START + timedelta(hours=2))


@pytest.fixture
def log(api: FakeApi, clock: Clock) -> Log:
    api.handler = log = Log(clock)
    return log


@pytest.fixture
def recorder(api: FakeApi, client: Client, clock: Clock, log: Log) -> Recorder:
    assert log.clock is clock
    return recorder_of(api, client, clock)


def spans(api: FakeApi) -> list[float]:
    """How many minutes each request asked for."""
    bounds = [[datetime.fromisoformat(one.params[name]) for name in ("since", "until")] for one in api.asked]
    return [(until - since).total_seconds() / 60 for since, until in bounds]


def test_a_window_that_is_too_much_is_halved_after_two_failures(api: FakeApi, log: Log, recorder: Recorder) -> None:
    log.refuses = too_large(timedelta(minutes=40))

    recorder.poll(5)

    assert spans(api)[:5] == [120, 120, 60, 30, 60]


def test_what_is_halved_is_read_to_its_end_and_nothing_is_missed(log: Log, recorder: Recorder) -> None:
    log.refuses = too_large(timedelta(minutes=7))

    recorder.poll(60)

    assert recorder.delivered == list(range(120))
    assert recorder.position.watermark == START + timedelta(hours=2)
    assert recorder.position.gaps == ()


def test_a_halved_window_is_read_from_its_oldest_part_on(api: FakeApi, log: Log, recorder: Recorder) -> None:
    log.refuses = too_large(timedelta(minutes=60))

    recorder.poll(3)

    assert recorder.delivered == list(range(120))
    assert [one.params["since"] for one in api.asked] == [*["2026-01-01T00:00:00Z"] * 3, "2026-01-01T01:00:00Z"]


def test_a_second_that_cannot_be_read_becomes_a_gap_and_newer_data_goes_on(log: Log, recorder: Recorder) -> None:
    bad = moment_of(50)
    log.refuses = poisoned(bad)

    recorder.poll(60)

    (gap,) = recorder.position.gaps
    assert gap.since <= bad <= gap.until
    assert gap.until - gap.since <= timedelta(seconds=1)
    assert "500" in gap.reason
    assert recorder.delivered == [number for number in range(120) if number != 50]
    assert recorder.position.watermark == START + timedelta(hours=2)


def test_the_reason_of_a_gap_can_be_remembered_whatever_the_api_wrote(
    log: Log, recorder: Recorder, tmp_path: Path
) -> None:
    """Half of a character has no place in a file of UTF-8; what shows the answer shows its escape."""
    odd = Answer(body=rb'{"error \ud83d": 1}', headers={"Content-Type": "application/json"})
    log.refuses = lambda since, until: odd if since <= moment_of(50) <= until else None
    recorder.poll(60)

    with closing(open_memory(tmp_path)) as memory:
        memory.remember([], recorder.position)
    with closing(open_memory(tmp_path)) as memory:
        (gap,) = memory.position.gaps
    assert r"an object with error \ud83d" in gap.reason


def test_a_gap_is_tried_again_later_and_closed_once_it_can_be_read(log: Log, recorder: Recorder, clock: Clock) -> None:
    log.refuses = poisoned(moment_of(50))
    recorder.poll(60)
    log.refuses = poisoned(START + timedelta(days=900))
    before = len(recorder.delivered)

    recorder.poll()
    assert 50 not in recorder.delivered, "it is too early"

    clock.now += timedelta(hours=1, minutes=1)
    recorder.poll()
    assert recorder.position.gaps == ()
    assert recorder.delivered.count(50) == 1
    assert sorted(recorder.delivered) == list(range(181))
    assert len(recorder.delivered) == before + 62


def test_a_gap_that_stays_is_tried_less_and_less_often(log: Log, recorder: Recorder, clock: Clock) -> None:
    log.refuses = poisoned(moment_of(50))
    recorder.poll(60)
    tried: list[int] = []
    for hour in range(1, 60):
        clock.now += timedelta(hours=1)
        attempts = recorder.position.gaps[0].attempts
        recorder.poll()
        if recorder.position.gaps[0].attempts > attempts:
            tried.append(hour)

    assert tried == [1, 3, 7, 15, 31, 55]


def test_a_gap_does_not_make_a_poll_fail(log: Log, recorder: Recorder, clock: Clock) -> None:
    log.refuses = poisoned(moment_of(50))
    recorder.poll(60)
    errors = len(recorder.errors)
    clock.now += timedelta(hours=2)

    recorder.poll()

    assert len(recorder.errors) == errors
    assert recorder.delivered[-1] == 239


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
def test_an_api_that_does_not_answer_at_all_is_not_asked_for_less(
    api: FakeApi, log: Log, recorder: Recorder, status: int
) -> None:
    log.refuses = lambda since, until: Answer(status=status)

    recorder.poll(6)

    assert set(spans(api)) == {120}
    assert recorder.position.gaps == ()


def test_an_api_that_cannot_be_reached_is_not_asked_for_less(clock: Clock) -> None:
    with FakeApi(Log(clock)) as gone:
        recorder = recorder_of(gone, local_client(), clock)
    recorder.poll(6)

    assert recorder.position.window is not None
    assert recorder.position.window.until == START + timedelta(hours=2)
    assert recorder.position.gaps == ()


def test_without_an_end_bound_there_is_no_less_to_ask_for(
    api: FakeApi, client: Client, clock: Clock, log: Log
) -> None:
    recorder = recorder_of(api, client, clock, request={"since_parameter": "since"})
    log.refuses = lambda since, until: Answer(status=413)

    recorder.poll(6)

    assert {asked.params["since"] for asked in api.asked} == {"2026-01-01T00:00:00Z"}
    assert recorder.position.gaps == ()


def test_progress_within_a_window_is_no_failure(api: FakeApi, client: Client, clock: Clock) -> None:
    """A server that fails on every second request gives a page a poll, and the window stays whole."""
    pages = iter(range(1000))

    def handler(asked: Asked) -> Answer:
        if next(pages) % 2:
            return Answer(status=500)
        number = int(asked.params.get("page", "1"))
        return Answer(json={"items": [{"id": number}] if number < 8 else []})

    api.handler = handler
    recorder = recorder_of(api, client, clock, pagination="page")
    recorder.poll(8)

    assert recorder.delivered == list(range(1, 8))
    assert set(spans(api)) == {120}


def test_the_ledger_of_gaps_does_not_grow_for_ever(clock: Clock) -> None:
    windows = Windows(WindowSettings(start_from="2026-01-01", overlap_seconds=0), deduplicate=True)
    position = Position(window=OpenWindow(since=START, until=START + timedelta(days=1)))
    for _ in range(60_000):
        position = windows.failed(position, "no", clock.now, narrower_helps=True)

    assert len(position.gaps) == MOST_GAPS
    assert position.window is not None, "the rest stays open"
