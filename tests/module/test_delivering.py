"""What the connector makes of the records of a page, and what becomes of those that it can make nothing of."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from httpkit.errors import UnexpectedShapeError
from httpkit.quarantine import quarantined_in
from httpkit.stopping import Stopped
from httpkit.values import Gap, Position
from testhttp_modules import rounds
from tests.core.clocks import Clock
from tests.core.pushes import acknowledge, body_of
from tests.fake_api import Answer, Asked, FakeApi
from tests.module.connected import Connected

DATES = {"dates": {"date": "%Y-%m-%d"}}


def record(number: int, date: str = "2026-01-01") -> dict[str, Any]:
    """A record that can be reshaped when its date is one."""
    return {"id": number, "date": date}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi(lambda _: Answer(json=[])) as running:
        yield running


@pytest.fixture
def intake() -> Iterator[FakeApi]:
    with FakeApi(acknowledge) as running:
        yield running


Connect = Callable[..., Connected]


@pytest.fixture
def connect(tmp_path: Path, api: FakeApi, intake: FakeApi) -> Iterator[Connect]:
    """Starts connectors between the API and the intake, and lets their memories go at the end."""
    started: list[Connected] = []

    def start(**configuration: Any) -> Connected:
        for one in started:
            one.close()
        started.append(Connected(tmp_path, f"{api.url}/x", intake.url, **configuration))
        return started[-1]

    yield start
    for one in started:
        one.close()


def ids_at(intake: FakeApi) -> list[Any]:
    """The identities of all events that were pushed, in order."""
    return [json.loads(text)["id"] for asked in intake.asked for text in body_of(asked)["jsons"]]


def shows(api: FakeApi, *records: Any) -> None:
    """From here on the API has these records."""
    api.handler = lambda _: Answer(json=list(records))


def test_a_record_that_cannot_be_reshaped_goes_to_quarantine_and_the_others_arrive(
    connect: Connect, api: FakeApi, intake: FakeApi, tmp_path: Path
) -> None:
    shows(api, record(1), record(2, "no date"), record(3))
    connected = connect(**DATES)
    assert connected.poll() == 2
    assert connected.discarded == 1

    assert connect(**DATES).poll() == 0
    assert ids_at(intake) == [1, 3]
    (put_aside,) = quarantined_in(tmp_path)
    assert json.loads(put_aside.head) == record(2, "no date")
    assert put_aside.reason.startswith("dates.date: ")
    (warning,) = connected.component.logged("warning")
    assert put_aside.reason in warning


def test_a_record_of_which_one_part_cannot_be_reshaped_is_put_aside_whole(
    connect: Connect, api: FakeApi, intake: FakeApi
) -> None:
    shows(api, {"id": 1, "n": [5, "x"]}, {"id": 2, "n": [6]})

    assert connect(explode=["n"], transform="{id: id, n: abs(n)}").poll() == 1
    assert ids_at(intake) == [2]


def test_a_record_that_cannot_be_decoded_is_put_aside_as_it_came(
    connect: Connect, api: FakeApi, intake: FakeApi, tmp_path: Path
) -> None:
    """It has a source of its own, so it must be decoded, which its number does not allow."""
    odd = b'{"id":2,"source":"own","n":%s}' % (b"9" * 5000)
    body = b'[{"id":1},%s,{"id":3}]' % odd
    api.handler = lambda _: Answer(body=body, headers={"Content-Type": "application/json"})

    assert connect().poll() == 2
    assert ids_at(intake) == [1, 3]
    (put_aside,) = quarantined_in(tmp_path)
    assert put_aside.size == len(odd)


def test_a_page_of_which_no_record_can_be_reshaped_is_an_error_and_nothing_is_thrown_away(
    connect: Connect, api: FakeApi, intake: FakeApi, tmp_path: Path
) -> None:
    """The setting is wrong, and what is in quarantine would never be delivered."""
    shows(api, record(1, "01.02.2026"), record(2, "02.02.2026"))
    connected = connect(**DATES)
    for _ in range(2):
        with pytest.raises(UnexpectedShapeError, match=r"dates\.date"):
            connected.poll()
    assert list(quarantined_in(tmp_path)) == []

    assert connect(dates={"date": "%d.%m.%Y"}).poll() == 2
    assert ids_at(intake) == [1, 2]


def test_once_records_were_passed_on_a_page_that_cannot_be_decoded_is_put_aside(
    connect: Connect, api: FakeApi, intake: FakeApi
) -> None:
    connected = connect()
    shows(api, {"id": 1}, {"id": 2})
    assert connected.poll() == 2
    odd = [b'{"id":%d,"source":"own","n":%s}' % (number, b"9" * 5000) for number in (3, 4)]
    body = b"[" + b",".join(odd) + b"]"
    api.handler = lambda _: Answer(body=body, headers={"Content-Type": "application/json"})

    assert connected.poll() == 0
    assert connected.discarded == 2
    assert ids_at(intake) == [1, 2]


def test_once_a_record_was_reshaped_a_page_of_odd_ones_is_put_aside(
    connect: Connect, api: FakeApi, intake: FakeApi
) -> None:
    connected = connect(**DATES)
    shows(api, record(1))
    assert connected.poll() == 1
    shows(api, record(2, "no date"), record(3, "no date"))
    assert connected.poll() == 0
    shows(api, record(4))
    assert connected.poll() == 1

    assert connected.discarded == 2
    assert ids_at(intake) == [1, 4]


def test_once_many_records_in_a_row_cannot_be_reshaped_nothing_more_is_put_aside(
    connect: Connect, api: FakeApi, intake: FakeApi
) -> None:
    """The API has changed, and what is in quarantine would never be delivered."""
    connected = connect(**DATES)
    shows(api, record(0))
    assert connected.poll() == 1
    for page in (range(1, 9), range(9, 11)):
        shows(api, *(record(number, "no date") for number in page))
        assert connected.poll() == 0
    shows(api, record(11, "no date"))
    for _ in range(2):
        with pytest.raises(UnexpectedShapeError, match=r"dates\.date"):
            connected.poll()
    assert connected.discarded == 10

    shows(api, record(11, "no date"), record(12))
    assert connected.poll() == 1
    assert connected.discarded == 11
    assert ids_at(intake) == [0, 12]


def test_one_odd_record_alone_on_its_page_speaks_of_itself(connect: Connect, api: FakeApi) -> None:
    shows(api, record(1, "no date"))
    connected = connect(**DATES)

    assert connected.poll() == 0
    assert connected.discarded == 1


def test_a_stream_that_cannot_be_reshaped_is_judged_by_its_own_records(connect: Connect, api: FakeApi) -> None:
    api.handler = lambda asked: Answer(
        json=[record(number, asked.params["date"]) for number in ([1, 2] if asked.params["date"] == "no" else [3, 4])]
    )
    connected = connect(params={"date": "{stream.date}"}, streams=[{"date": "2026-01-01"}, {"date": "no"}], **DATES)

    assert connected.poll() == 2
    assert connected.discarded == 0
    assert connected.host.health.context()["state"] == "failing"


def test_a_stop_ends_the_work_on_a_large_page(connect: Connect, api: FakeApi) -> None:
    """To reshape its records may take many seconds."""
    shows(api, *(record(number) for number in range(1000)))
    connected = connect(**DATES)
    (reading,) = connected.readings
    (batch,) = reading.source.poll(reading.memory.seen, reading.memory.position)

    connected.host.stop.set()
    with pytest.raises(Stopped):
        connected.delivery.steps.prepare(reading, batch)


def peak_of(folder: Path, *streams: str) -> int:
    """Most bytes that a poll of some streams takes, each of which has its turn for one large page."""
    page = json.dumps([{"id": number, "text": "x" * 300} for number in range(4000)]).encode()

    def handler(asked: Asked) -> Answer:
        headers = {"Content-Type": "application/json"}
        if "page" in asked.params:
            return Answer(body=b"[]", headers=headers)
        return Answer(body=page, headers={**headers, "Link": f'<{asked.target}&page=2>; rel="next"'})

    settings: dict[str, Any] = {
        "pagination": "link_header",
        "params": {"s": "{stream.s}"},
        "transform": "{id: id, text: text}",
    }
    with FakeApi(handler) as api, FakeApi(acknowledge) as intake:
        connected = Connected(folder, f"{api.url}/x", intake.url, streams=[{"s": one} for one in streams], **settings)
        tracemalloc.start()
        assert connected.poll() == 4000 * len(streams)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        connected.close()
    return peak


def test_a_stream_that_waits_for_its_turn_holds_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "TURN_SECONDS", 0.0)

    assert peak_of(tmp_path / "many", *"abcdefghij") < 2 * peak_of(tmp_path / "few", *"ab")


def test_a_gap_whose_records_cannot_be_reshaped_waits_and_the_others_are_read(
    connect: Connect, api: FakeApi, intake: FakeApi
) -> None:
    """The first gap that is due is tried first, so it would be tried for ever."""
    clock = Clock(datetime(2026, 1, 2, tzinfo=UTC))
    start, second = datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=1)
    gaps = [
        Gap(since=since, until=since + second, reason="500", not_before=start)
        for since in (start, start + 10 * second)
    ]
    odd, good = ([record(1, "no"), record(2, "no")], [record(3)])
    answers = {"2026-01-01T00:00:00Z": odd, "2026-01-01T00:00:10Z": good}
    api.handler = lambda asked: Answer(json=answers.get(asked.params["since"], []))
    bounds = {"since_parameter": "since", "until_parameter": "until"}
    connected = connect(clocks=clock.clocks, **bounds, **DATES)
    memory = connected.readings[0].memory
    memory.remember([], Position(watermark=clock.now, gaps=tuple(gaps)))

    with pytest.raises(UnexpectedShapeError):
        connected.poll()
    assert connected.poll() == 1

    assert ids_at(intake) == [3]
    (left,) = memory.position.gaps
    assert (left.since, left.attempts) == (start, 1)
    assert left.not_before > clock.now
