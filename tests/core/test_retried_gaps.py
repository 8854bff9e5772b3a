"""What happens when a gap is read again: less is asked of its records, and nothing is repeated, lost or forgotten."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from httpkit.client import Client
from httpkit.values import Gap, OpenWindow, Position
from httpkit.windows import MOST_GAPS
from tests.core.clocks import Clock
from tests.core.recorders import START, Recorder, recorder_of
from tests.fake_api import Answer, Asked, FakeApi, Handler

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(START + timedelta(hours=2))


def gap_at(number: int = 0, **fields: Any) -> Gap:
    """A second that could not be read, and is to be tried again at once."""
    since = START + number * SECOND
    return Gap(since=since, until=since + SECOND, reason="500", **{"not_before": START, **fields})


def with_a_gap(api: FakeApi, client: Client, clock: Clock, **fields: Any) -> Recorder:
    """Everything was read but the first second."""
    recorder = recorder_of(api, client, clock, **fields)
    recorder.position = Position(watermark=clock.now - timedelta(minutes=1), gaps=(gap_at(),))
    return recorder


def only_in_the_gap(answer: Handler) -> Handler:
    """An API that has something to say about the first second alone."""

    def handler(asked: Asked) -> Answer:
        return answer(asked) if asked.params["since"] == "2026-01-01T00:00:00Z" else Answer(json={"items": []})

    return handler


@pytest.mark.parametrize("odd", [{"id": 7, "t": None}, {"t": "2026-01-01T00:00:00Z"}], ids=["no time", "no identity"])
def test_the_odd_record_for_which_a_gap_was_left_is_delivered(
    api: FakeApi, client: Client, clock: Clock, odd: dict[str, Any]
) -> None:
    """Elsewhere it would speak of an API that has changed; here it is all that there is to read."""
    taken: list[Any] = []
    api.handler = only_in_the_gap(lambda _: Answer(json={"items": [odd]}))
    recorder = recorder_of(api, client, clock, timestamp_path="t")
    position = Position(watermark=clock.now, identities=True, times=True, gaps=(gap_at(),))

    for batch in recorder.source.poll(recorder.seen, position):
        taken += [record.value for record in batch.records]
        position = batch.position

    assert taken == [odd]
    assert position.gaps == ()


def test_an_odd_record_becomes_a_gap_and_is_delivered_from_there(api: FakeApi, client: Client, clock: Clock) -> None:
    """An event an hour, the fourth of them without a time; every poll would fail at it for ever."""

    def handler(asked: Asked) -> Answer:
        since, until = (datetime.fromisoformat(asked.params[name]) for name in ("since", "until"))
        shown = [n for n in range(20) if since <= START + timedelta(hours=n, minutes=30) <= until]
        return Answer(json={"items": [{"id": n, "t": None if n == 3 else "2026-01-01T00:00:00Z"} for n in shown]})

    api.handler = handler
    clock.now = START
    recorder = recorder_of(api, client, clock, timestamp_path="t")
    for _ in range(40):
        clock.turn(hours=1)
        recorder.poll()

    assert sorted(recorder.delivered) == list(range(20))
    assert recorder.position.gaps == ()


def test_a_full_ledger_is_tried_again_although_the_window_after_it_cannot_be_read(
    api: FakeApi, client: Client, clock: Clock
) -> None:
    """Without room in the ledger that window could never be passed."""
    bad = START + timedelta(hours=1)

    def handler(asked: Asked) -> Answer:
        since, until = (datetime.fromisoformat(asked.params[name]) for name in ("since", "until"))
        return Answer(status=500) if since <= bad <= until else Answer(json={"items": []})

    api.handler = handler
    recorder = recorder_of(api, client, clock)
    later = [gap_at(number, not_before=clock.now + timedelta(days=9)) for number in range(1, MOST_GAPS)]
    recorder.position = Position(
        watermark=bad, window=OpenWindow(since=bad, until=bad + SECOND, rest=clock.now), gaps=(gap_at(), *later)
    )

    recorder.poll(20)

    assert recorder.position.watermark == clock.now
    assert [gap.since for gap in recorder.position.gaps] == [*(gap.since for gap in later), bad]


def test_without_deduplication_a_gap_goes_on_at_the_page_that_failed(
    api: FakeApi, client: Client, clock: Clock
) -> None:
    pages = {"1": Answer(json={"items": [{"id": 1}, {"id": 2}]}), "2": Answer(status=504)}
    api.handler = only_in_the_gap(lambda asked: pages[asked.params["page"]])
    recorder = with_a_gap(api, client, clock, pagination="page", page_size=2, deduplicate=False)

    for _ in range(3):
        recorder.poll()
        clock.turn(days=1)
    assert recorder.delivered == [1, 2]
    assert len(recorder.position.gaps) == 1

    pages["2"] = Answer(json={"items": [{"id": 3}]})
    recorder.poll()
    assert recorder.delivered == [1, 2, 3]
    assert not recorder.position.gaps


def test_a_gap_with_more_pages_than_a_poll_may_read_is_read_in_several_polls(
    api: FakeApi, client: Client, clock: Clock
) -> None:
    def handler(asked: Asked) -> Answer:
        number = int(asked.params["page"])
        return Answer(json={"items": [{"id": number}] if number < 6 else []})

    api.handler = only_in_the_gap(handler)
    recorder = with_a_gap(api, client, clock, pagination="page", max_pages=2, deduplicate=False)

    recorder.poll(3)

    assert recorder.delivered == [1, 2, 3, 4, 5]
    assert recorder.position.gaps == ()


def test_without_deduplication_a_window_of_which_a_part_was_delivered_is_not_halved(
    api: FakeApi, client: Client, clock: Clock
) -> None:
    def handler(asked: Asked) -> Answer:
        number = int(asked.params["page"])
        since, until = (datetime.fromisoformat(asked.params[name]) for name in ("since", "until"))
        if number == 3 and until - since > timedelta(minutes=60) and len(api.asked) < 20:
            return Answer(status=504)
        shown = [n for n in range(120) if since <= START + timedelta(minutes=n, seconds=30) <= until]
        return Answer(json={"items": [{"id": n} for n in shown[(number - 1) * 20 : number * 20]]})

    api.handler = handler
    recorder = recorder_of(api, client, clock, pagination="page", deduplicate=False)

    recorder.poll(20)

    assert recorder.delivered == list(range(120))


def test_reading_a_gap_leaves_the_newest_token_as_it_is(api: FakeApi, client: Client, clock: Clock) -> None:
    def handler(asked: Asked) -> Answer:
        is_gap = asked.params["since"] == "2026-01-01T00:00:00Z"
        return Answer(json={"items": [], "token": "old" if is_gap else "new"})

    api.handler = handler
    recorder = with_a_gap(api, client, clock, resume="token", resume_path="token")

    recorder.poll()

    assert recorder.position.gaps == ()
    assert recorder.position.token == "new"


def test_a_wait_that_is_told_while_a_gap_is_read_is_kept(api: FakeApi, client: Client, clock: Clock) -> None:
    api.handler = only_in_the_gap(lambda _: Answer(status=429, headers={"Retry-After": "3600"}))
    recorder = with_a_gap(api, client, clock)

    recorder.poll()

    assert recorder.position.not_before == clock.now + timedelta(hours=1)
    assert len(recorder.position.gaps) == 1


def test_a_wait_that_is_told_while_a_full_ledger_is_read_ends_the_poll(
    api: FakeApi, client: Client, clock: Clock
) -> None:
    api.handler = lambda _: Answer(status=429, headers={"Retry-After": "3600"})
    recorder = recorder_of(api, client, clock)
    recorder.position = Position(watermark=clock.now, gaps=tuple(gap_at(number) for number in range(MOST_GAPS)))

    recorder.poll()

    assert recorder.position.not_before == clock.now + timedelta(hours=1)
    assert len(api.asked) == 1
    assert recorder.errors == []


def test_a_place_in_a_gap_that_another_answer_follows_twice_is_given_up(
    api: FakeApi, client: Client, clock: Clock
) -> None:
    """Some servers say in a success that they no longer know it, and the gap would never be closed."""
    expired, known = Answer(json={"error": "cursor expired"}), Answer(json={"items": [{"id": 1}]})
    api.handler = only_in_the_gap(lambda asked: expired if "cursor" in asked.params else known)
    recorder = recorder_of(api, client, clock, pagination="cursor", next_path="next")
    recorder.position = Position(watermark=clock.now, gaps=(gap_at(place="old", received=5),))

    recorder.poll()
    assert recorder.delivered == []
    clock.turn(days=1)
    recorder.poll()
    assert recorder.delivered == [1]
    assert recorder.position.gaps == ()
