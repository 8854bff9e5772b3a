"""The overlap of windows: shortened where it holds more records than can be remembered, and never in silence."""

from datetime import UTC, datetime, timedelta

import pytest

from httpkit.client import Client
from httpkit.freshness import SeenKeys
from httpkit.source import Source
from httpkit.values import Position
from tests.core.clocks import Clock
from tests.core.polls import get, poll, source_of
from tests.fake_api import Answer, Asked, FakeApi

START = datetime(2026, 1, 1, tzinfo=UTC)
BOUNDS = {"since_parameter": "since", "until_parameter": "until"}


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


def busy(api: FakeApi, client: Client, clock: Clock) -> Source:
    """An API with a record in each second, read with an overlap of ten minutes."""

    def handler(asked: Asked) -> Answer:
        since, until = (int(datetime.fromisoformat(asked.params[name]).timestamp()) for name in ("since", "until"))
        return Answer(json={"items": [{"id": second} for second in range(since, until + 1)]})

    api.handler = handler
    return source_of(client, get(api.url, **BOUNDS), clocks=clock.clocks, overlap_seconds=600, start_from="1 minute")


def overlaps(source: Source, clock: Clock, limit: int, polls: int = 12) -> list[float | None]:
    """The overlap in force after each poll; a poll a minute."""
    seen, position, found = SeenKeys(limit=limit), Position(), list[float | None]()
    for _ in range(polls):
        position = poll(source, seen, position)[-1].position
        found.append(position.overlap_seconds)
        clock.now += timedelta(minutes=1)
    return found


def test_an_overlap_that_fits_stays_as_it_is(api: FakeApi, client: Client, clock: Clock) -> None:
    assert set(overlaps(busy(api, client, clock), clock, limit=1000)) == {None}


def test_an_overlap_of_too_many_records_is_halved_until_they_fit(api: FakeApi, client: Client, clock: Clock) -> None:
    found = overlaps(busy(api, client, clock), clock, limit=100)

    assert 300 in found
    assert found[-1] in {75, 150}


def test_every_record_is_delivered_once_while_the_overlap_changes(api: FakeApi, client: Client, clock: Clock) -> None:
    source, seen, position, given = busy(api, client, clock), SeenKeys(limit=100), Position(), list[int]()
    for _ in range(20):
        for batch in source.poll(seen, position):
            given += [record.value["id"] for record in batch.records]
            seen.add(record.key for record in batch.records)
            position = batch.position
        clock.now += timedelta(minutes=1)

    first, last = int((START - timedelta(minutes=1)).timestamp()), int((START + timedelta(minutes=19)).timestamp())
    assert given == list(range(first, last + 1))


def test_a_shortened_overlap_grows_again_when_there_is_room(api: FakeApi, client: Client, clock: Clock) -> None:
    source, seen = busy(api, client, clock), SeenKeys(limit=100_000)
    position, found = Position(watermark=START, overlap_seconds=150), list[float | None]()
    for _ in range(3):
        clock.now += timedelta(minutes=1)
        position = poll(source, seen, position)[-1].position
        found.append(position.overlap_seconds)

    assert found == [300, None, None]
