"""Which records of overlapping windows and repeated pages are new."""

from datetime import timedelta
from typing import Any

import pytest

from httpkit.client import Client
from httpkit.freshness import SeenKeys, key_of
from httpkit.source import Source
from httpkit.values import Position
from tests.core.clocks import Clock
from tests.core.polls import get, in_turn, page, poll, records_of, source_of
from tests.core.recorders import START, Log, Recorder, recorder_of, too_large
from tests.fake_api import Answer, FakeApi


def as_the_connector(source: Source, times: int) -> list[list[Any]]:
    """The records of some polls, remembered only where the record says so."""
    seen, position, given = SeenKeys(), Position(), []
    for _ in range(times):
        given.append(list[Any]())
        for batch in source.poll(seen, position):
            given[-1] += [record.value for record in batch.records]
            seen.add(record.key for record in batch.records if record.remember)
            position = batch.position
    return given


def test_without_deduplication_records_with_one_identity_all_come(api: FakeApi, client: Client) -> None:
    first, second = [{"id": 1, "n": 1}, {"id": 1, "n": 1}], [{"id": 1, "n": 2}]
    api.handler = in_turn(*(Answer(json={"items": items}) for items in (first, second, [])))
    source = source_of(client, get(api.url), pagination="page", deduplicate=False)

    assert as_the_connector(source, 1) == [[*first, *second]]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_without_deduplication_a_cycle_of_pages_ends_too(api: FakeApi, client: Client, length: int) -> None:
    def cycling(_: Any) -> Answer:
        return page((len(api.asked) - 1) % length)

    api.handler = cycling
    source = source_of(client, get(api.url), pagination="page", deduplicate=False)

    assert len(as_the_connector(source, 1)[0]) == length + 1


def test_a_cycle_of_dropped_records_ends_too(api: FakeApi, client: Client) -> None:
    api.handler = lambda _: page(len(api.asked) % 2)
    poll(source_of(client, get(api.url), pagination="page", drop=["id >= `0`"]), SeenKeys())

    assert len(api.asked) == 3


def test_a_dropped_record_comes_once_it_is_not_dropped_any_more(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(json=[{"id": 1, "s": "open"}]), Answer(json=[{"id": 1, "s": "done"}]))
    source = source_of(client, get(api.url), records_path="", drop=["s == 'open'"])

    assert as_the_connector(source, 3) == [[], [{"id": 1, "s": "done"}], []]


@pytest.mark.parametrize(
    ("id_path", "records", "new"),
    [
        ("id", [{"id": 1}, {"id": "1"}, {"id": 1.5}, {"id": 1}], 3),
        ("id", [{"id": 2**53}, {"id": 2**53 + 1}, {"id": 10**30}], 3),
        ("[a, b]", [{"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1}], 3),
        ("id", [{"v": 1}, {"v": 2}, {"v": 1}, {"id": None, "v": 1}], 3),
        ("[a, b]", [{"v": 1}, {"v": 2}], 2),
        ('"@id"', [{"@id": "x"}, {"@id": "x", "v": 1}], 1),
        ("a.b", [{"a": {"b": [1, 2]}}, {"a": {"b": [1, 2]}}, {"a": {"b": [2, 1]}}], 2),
        ("", [{"id": 1, "v": 1}, {"v": 1, "id": 1}, {"id": 1, "v": 2}], 2),
    ],
)
def test_an_identity_may_be_anything(api: FakeApi, client: Client, id_path: str, records: list[Any], new: int) -> None:
    api.handler = in_turn(Answer(json=records))
    source = source_of(client, get(api.url), records_path="", id_path=id_path)

    assert [len(given) for given in as_the_connector(source, 2)] == [new, 0]


def test_repeats_count_towards_the_total(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, 2, total=5), page(1, 2, total=5), page(3, total=5), page(4, total=5))
    source = source_of(client, get(api.url), pagination="page", total_path="total")

    assert [record["id"] for record in records_of(poll(source, SeenKeys()))] == [1, 2, 3]


def overlapping(api: FakeApi, client: Client) -> tuple[Recorder, Clock, Log]:
    """An hour of a log was read, whose last part is asked for again; more of it than can be remembered for long."""
    clock = Clock(START + timedelta(hours=2))
    api.handler = log = Log(clock)
    recorder = recorder_of(api, client, clock, overlap_seconds=1500)
    recorder.seen = SeenKeys(limit=10)
    recorder.poll()
    clock.turn(minutes=2)
    log.refuses = too_large(timedelta(minutes=10))
    return recorder, clock, log


def test_keys_of_the_window_before_survive_one_that_fails_and_is_halved(api: FakeApi, client: Client) -> None:
    recorder, clock, _ = overlapping(api, client)

    recorder.poll(12)

    assert recorder.delivered == list(range(122))
    assert recorder.position.watermark == clock.now


@pytest.mark.parametrize("polls", [1, 2, 3, 4, 5])
def test_keys_of_the_window_before_survive_a_restart_while_one_is_halved(
    api: FakeApi, client: Client, polls: int
) -> None:
    recorder, clock, log = overlapping(api, client)
    recorder.poll(polls)
    key = key_of("id")
    recorder.seen = SeenKeys([key({"id": number}) for number in recorder.delivered], limit=10)

    recorder.poll(12)
    log.refuses = too_large(timedelta(days=1))
    clock.turn(minutes=1)
    recorder.poll(3)

    assert recorder.delivered == list(range(123))
