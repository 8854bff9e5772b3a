"""Which span of time each poll asks for, and when the next one begins."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import HttpkitError, SettingsError, UnavailableError
from httpkit.freshness import SeenKeys
from httpkit.source import Source
from httpkit.values import Position
from tests.core.clocks import Clock
from tests.core.polls import get, in_turn, page, poll, source_of
from tests.core.recorders import START, recorder_of
from tests.fake_api import Answer, Asked, FakeApi, Handler

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
BOUNDS = {"since_parameter": "since", "until_parameter": "until"}


@pytest.fixture
def clock() -> Clock:
    """A clock that stands at noon."""
    return Clock(NOON)


def windowed(api: FakeApi, client: Client, clock: Clock, **fields: Any) -> Source:
    """A source that sends both bounds."""
    return source_of(client, get(api.url, **BOUNDS), clocks=clock.clocks, **fields)


def position_after(source: Source, seen: SeenKeys, position: Position | None = None) -> Position:
    """The position after one poll, which may fail."""
    position = source.opened(position or Position())
    with suppress(HttpkitError):
        for batch in source.poll(seen, position):
            position = batch.position
    return position


def bounds(api: FakeApi) -> list[tuple[str, str]]:
    """The hours and minutes of both bounds of each request, when they lie on the day of the test."""
    return [(short(asked.params["since"]), short(asked.params["until"])) for asked in api.asked]


def short(moment: str) -> str:
    """The time of day of a bound."""
    return moment.removeprefix("2026-01-10T").removesuffix(":00Z")


@pytest.mark.parametrize(
    ("start_from", "since"),
    [
        ("1 day", "2026-01-09T12:00:00Z"),
        ("10 minutes", "2026-01-10T11:50:00Z"),
        ("90 seconds", "2026-01-10T11:58:30Z"),
        ("1.5 Hours", "2026-01-10T10:30:00Z"),
        ("2weeks", "2025-12-27T12:00:00Z"),
        ("2026-01-01", "2026-01-01T00:00:00Z"),
        ("2026-01-01T10:00:00+02:00", "2026-01-01T08:00:00Z"),
    ],
)
def test_the_first_window_starts_at_a_date_or_an_age(
    api: FakeApi, client: Client, clock: Clock, start_from: str, since: str
) -> None:
    api.handler = in_turn(page())
    poll(windowed(api, client, clock, start_from=start_from), SeenKeys())

    assert api.asked[0].params == {"since": since, "until": "2026-01-10T12:00:00Z"}


@pytest.mark.parametrize("start_from", ["", "yesterday", "5", "-1 day", "day", "2026-13-01"])
def test_a_start_that_is_no_moment_is_refused(client: Client, start_from: str) -> None:
    with pytest.raises(SettingsError, match="start_from"):
        source_of(client, get("https://a.test"), start_from=start_from)


def test_the_next_window_overlaps_the_last_one(api: FakeApi, client: Client, clock: Clock) -> None:
    api.handler = in_turn(page())
    source, seen = windowed(api, client, clock, start_from="1 hour", overlap_seconds=600), SeenKeys()
    position = position_after(source, seen)
    clock.turn(minutes=30)
    position_after(source, seen, position)

    assert bounds(api) == [("11:00", "12:00"), ("11:50", "12:30")]


def test_without_deduplication_windows_do_not_overlap(api: FakeApi, client: Client, clock: Clock) -> None:
    api.handler = in_turn(page())
    source, seen = windowed(api, client, clock, start_from="1 hour", deduplicate=False), SeenKeys()
    position = position_after(source, seen)
    clock.turn(minutes=30)
    position_after(source, seen, position)

    assert bounds(api) == [("11:00", "12:00"), ("12:00", "12:30")]


def test_the_newest_part_is_left_to_settle(api: FakeApi, client: Client, clock: Clock) -> None:
    api.handler = in_turn(page())
    source, seen = windowed(api, client, clock, start_from="1 hour", settle_seconds=300), SeenKeys()
    position = position_after(source, seen)
    clock.turn(minutes=30)
    position_after(source, seen, position)

    assert bounds(api) == [("11:00", "11:55"), ("11:50", "12:25")]


def test_one_poll_reads_as_many_windows_as_it_takes_to_catch_up(api: FakeApi, client: Client, clock: Clock) -> None:
    api.handler = in_turn(page())
    poll(windowed(api, client, clock, start_from="3 hours", window_minutes=60, overlap_seconds=0), SeenKeys())

    assert bounds(api) == [("09:00", "10:00"), ("10:00", "11:00"), ("11:00", "12:00")]


def test_no_more_than_the_window_is_asked_at_once_overlap_included(api: FakeApi, client: Client, clock: Clock) -> None:
    api.handler = in_turn(page())
    poll(windowed(api, client, clock, start_from="2 hours", window_minutes=60, overlap_seconds=600), SeenKeys())

    assert bounds(api) == [("10:00", "11:00"), ("10:50", "11:50"), ("11:40", "12:00")]


def test_a_window_as_short_as_the_overlap_still_goes_forward(api: FakeApi, client: Client, clock: Clock) -> None:
    api.handler = in_turn(page())
    poll(windowed(api, client, clock, start_from="15 minutes", window_minutes=5, overlap_seconds=300), SeenKeys())

    assert bounds(api) == [("11:45", "11:50"), ("11:45", "11:55"), ("11:50", "12:00")]


def test_a_slow_api_does_not_make_a_poll_endless(api: FakeApi, client: Client, clock: Clock) -> None:
    """What happens while a poll is under way is for the next poll."""

    def slow(_: Asked) -> Answer:
        clock.turn(seconds=20)
        return page()

    api.handler = slow
    poll(windowed(api, client, clock, start_from="50 minutes", window_minutes=60), SeenKeys())

    assert len(api.asked) == 1


def test_a_page_that_repeats_what_the_last_window_showed_does_not_end_the_window(
    api: FakeApi, client: Client, clock: Clock
) -> None:
    """The overlap may fill whole pages; what is new comes behind it."""
    api.handler = in_turn(page(1, 2), page(), page(1, 2), page(3, 4), page())
    source = windowed(api, client, clock, start_from="110 minutes", window_minutes=60, pagination="page")

    batches = poll(source, SeenKeys())

    assert [record.value["id"] for batch in batches for record in batch.records] == [1, 2, 3, 4]


def test_the_bounds_stay_fixed_until_the_window_is_closed(api: FakeApi, client: Client, clock: Clock) -> None:
    answers = [page(1), Answer(status=500), Answer(status=500), page(2), page(), page()]
    api.handler = lambda _: answers.pop(0)
    source, seen, position = windowed(api, client, clock, start_from="1 hour", pagination="page"), SeenKeys(), None
    for _ in range(4):
        position = position_after(source, seen, position)
        clock.turn(minutes=10)

    assert bounds(api) == [("11:00", "12:00")] * 5 + [("11:55", "12:30")]
    assert [asked.params["page"] for asked in api.asked] == ["1", "2", "2", "2", "3", "1"]


def test_the_bounds_stay_fixed_when_the_first_page_fails(api: FakeApi, client: Client, clock: Clock) -> None:
    api.handler = in_turn(Answer(status=503), page())
    source, seen = windowed(api, client, clock, start_from="10 minutes"), SeenKeys()
    position = position_after(source, seen)
    clock.turn(hours=2)
    position_after(source, seen, position)

    assert bounds(api) == [("11:50", "12:00")] * 2


def test_an_error_is_reported_and_closes_no_window(api: FakeApi, client: Client, clock: Clock) -> None:
    api.handler = in_turn(page(1), Answer(status=500))
    source = windowed(api, client, clock, pagination="page")
    batches = source.poll(SeenKeys(), Position())
    position = next(batches).position

    with pytest.raises(UnavailableError):
        next(batches)
    assert position.watermark is None
    assert position.window is not None


@pytest.mark.parametrize("wrong_by", [-3600, 3600])
def test_a_clock_that_is_corrected_leaves_no_gap(api: FakeApi, client: Client, clock: Clock, wrong_by: float) -> None:
    """As long as the next poll comes sooner than the overlap is long: how wrong the clock was is not known."""
    api.handler = in_turn(page())
    source, seen = windowed(api, client, clock, start_from="1 hour"), SeenKeys()
    position = position_after(source, seen)
    clock.turn(minutes=10, seconds=wrong_by)
    position = position_after(source, seen, position)
    clock.turn(minutes=4, seconds=-wrong_by)
    position_after(source, seen, position)

    read = [(asked.params["since"], asked.params["until"]) for asked in api.asked]
    assert all(since < until for since, until in read)
    assert read[2][0] <= "2026-01-10T12:10:00Z"
    assert read[2][1] == "2026-01-10T12:14:00Z"


@pytest.mark.parametrize("name", ["window_minutes", "overlap_seconds", "settle_seconds"])
def test_a_negative_span_is_refused_by_name(client: Client, name: str) -> None:
    fields: dict[str, Any] = {name: -1}

    with pytest.raises(SettingsError, match=name):
        source_of(client, get("https://a.test"), **fields)


def timed(*minutes: int, written: Callable[[datetime], Any] = datetime.isoformat) -> Answer:
    """Records that happened so many minutes after noon; their identity is the minute."""
    return Answer(json={"items": [{"id": m, "t": written(NOON + timedelta(minutes=m))} for m in minutes]})


@pytest.mark.parametrize(
    "written",
    [datetime.isoformat, lambda moment: moment.timestamp(), lambda moment: f"{moment.timestamp() * 1000:.0f}"],
    ids=["iso", "seconds", "milliseconds as text"],
)
def test_only_what_lies_in_the_window_is_taken(
    api: FakeApi, client: Client, clock: Clock, written: Callable[[datetime], Any]
) -> None:
    api.handler = in_turn(timed(-61, -60, -30, -3, -2, 5, written=written))
    fields: dict[str, Any] = {
        "start_from": "1 hour",
        "only_in_window": True,
        "settle_seconds": 150,
        "timestamp_path": "t",
    }
    (batch,) = poll(windowed(api, client, clock, **fields), SeenKeys())

    assert [record.value["id"] for record in batch.records] == [-60, -30, -3]


def test_a_record_without_a_readable_time_is_taken(api: FakeApi, client: Client, clock: Clock) -> None:
    api.handler = in_turn(Answer(json={"items": [{"id": 1, "t": "soon"}, {"id": 2}]}))
    source = windowed(api, client, clock, only_in_window=True, timestamp_path="t")

    assert [len(batch.records) for batch in poll(source, SeenKeys())] == [2]


def test_without_deduplication_a_record_on_the_border_of_two_windows_is_given_once(
    api: FakeApi, client: Client, clock: Clock
) -> None:
    api.handler = in_turn(timed(0))
    fields: dict[str, Any] = {
        "start_from": "1 hour",
        "only_in_window": True,
        "timestamp_path": "t",
        "deduplicate": False,
    }
    source, seen, given = windowed(api, client, clock, **fields), SeenKeys(), 0
    position = Position()
    for _ in range(3):
        for batch in source.poll(seen, position):
            given, position = given + len(batch.records), batch.position
        clock.turn(minutes=5)

    assert given == 1


NOT_ON_A_SECOND = {"hours": 2, "milliseconds": 700}


def at(*moments: datetime) -> Handler:
    """An API of records that happened at some moments, and whose bounds are whole seconds."""

    def handler(asked: Asked) -> Answer:
        since, until = (datetime.fromisoformat(asked.params[name]) for name in ("since", "until"))
        shown = [(number, moment) for number, moment in enumerate(moments) if since <= moment <= until]
        return Answer(json={"items": [{"id": number, "t": moment.isoformat()} for number, moment in shown]})

    return handler


@pytest.mark.parametrize(
    "fields",
    [
        {"overlap_seconds": 0, "only_in_window": True},
        {"overlap_seconds": 300, "only_in_window": True, "deduplicate": False},
        {"overlap_seconds": 0},
    ],
    ids=["no overlap", "no deduplication", "not only in the window"],
)
@pytest.mark.parametrize("start_from", ["2026-01-01", "1 hour"])
def test_a_record_of_the_second_in_which_a_window_ends_is_given_once(
    api: FakeApi, client: Client, fields: dict[str, Any], start_from: str
) -> None:
    """The clock knows fractions of a second, which a bound does not."""
    clock = Clock(START + timedelta(**NOT_ON_A_SECOND))
    ends = clock.now.replace(microsecond=0)
    api.handler = at(*(ends + timedelta(milliseconds=number) for number in (-1, 1, 300, 699, 701, 999, 1001)))
    recorder = recorder_of(api, client, clock, **{"timestamp_path": "t", "start_from": start_from, **fields})

    for _ in range(3):
        recorder.poll()
        clock.turn(minutes=10)

    assert sorted(recorder.delivered) == [0, 1, 2, 3, 4, 5, 6]


def test_a_record_of_the_second_at_which_a_window_is_halved_is_given_once(api: FakeApi, client: Client) -> None:
    """The parts of a halved window have no overlap between them."""
    clock = Clock(START + timedelta(**NOT_ON_A_SECOND))
    moments = [START + timedelta(hours=1, milliseconds=number) for number in (-1, 1, 300, 350, 351, 999, 1001)]
    shows = at(*moments)

    def handler(asked: Asked) -> Answer:
        since, until = (datetime.fromisoformat(asked.params[name]) for name in ("since", "until"))
        return Answer(status=413) if until - since > timedelta(minutes=70) else shows(asked)

    api.handler = handler
    recorder = recorder_of(api, client, clock, timestamp_path="t", only_in_window=True, start_from="2 hours")

    recorder.poll(8)

    assert sorted(recorder.delivered) == [0, 1, 2, 3, 4, 5, 6]


def test_records_that_come_late_are_counted(api: FakeApi, client: Client, clock: Clock) -> None:
    api.handler = in_turn(timed(-5), timed(-4, 1))
    source, seen = windowed(api, client, clock, timestamp_path="t", overlap_seconds=600), SeenKeys()
    position = position_after(source, seen)
    clock.turn(minutes=5)
    (batch,) = poll(source, seen, position)

    assert (batch.late, batch.latest_delay) == (1, 240.0)
