"""The rules of the relay's store, seen through its public methods."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from relay.errors import UnavailableError
from relay.store import LogLine, Store

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def run_id(store: Store) -> int:
    return store.open_run(component="Trigger", token="t", secrets={})


@pytest.fixture
def intake_id(store: Store) -> int:
    return store.open_intake(name="demo", key="k")


def test_the_same_token_opens_the_same_run(store: Store) -> None:
    first = store.open_run(component="A", token="one", secrets={})
    other = store.open_run(component="B", token="two", secrets={})
    again = store.open_run(component="A", token="one", secrets={"api_key": "new"})
    assert first == again != other
    assert store.secrets_of(first) == {"api_key": "new"}


def test_the_same_key_opens_the_same_intake(store: Store) -> None:
    first = store.open_intake(name="a", key="one")
    assert store.open_intake(name="a", key="one") == first
    assert store.open_intake(name="a", key="two") != first


def test_an_unknown_token_or_key_finds_nothing(store: Store) -> None:
    assert store.run_of_token("nobody") is None
    assert store.intake_of_key("nothing") is None


def test_tokens_keys_and_secrets_are_not_written_down(database: Path) -> None:
    store = Store(f"sqlite:///{database}")
    store.open_run(component="A", token="token-in-clear", secrets={"api_key": "secret-in-clear"})
    store.open_intake(name="a", key="key-in-clear")
    store.close()
    written = b"".join(path.read_bytes() for path in database.parent.iterdir())
    assert b"in-clear" not in written


def test_secrets_of_a_run_opened_elsewhere_are_not_known(store: Store, database: Path) -> None:
    run_id = store.open_run(component="A", token="t", secrets={"api_key": "s"})
    elsewhere = Store(f"sqlite:///{database}")
    assert elsewhere.secrets_of(run_id) == {}
    elsewhere.close()


@pytest.mark.parametrize("text", ["plain", "nul \x00 inside", "é €😀", '{"a": 1}', ""])
def test_an_event_comes_back_as_it_was_received(store: Store, intake_id: int, text: str) -> None:
    [event_id] = store.add_events(intake_id, [text])
    [event] = store.latest_events()
    assert (event.id, event.intake, event.text) == (event_id, "demo", text)
    assert event.received_at.utcoffset() == timedelta(0)


def test_events_are_shown_newest_first_up_to_the_limit(store: Store, intake_id: int) -> None:
    ids = store.add_events(intake_id, ["a", "b", "c"])
    assert [event.id for event in store.latest_events(2)] == [ids[2], ids[1]]


def test_no_events_leave_no_trace(store: Store, intake_id: int) -> None:
    assert store.add_events(intake_id, []) == []
    assert store.totals().events == 0


def test_what_was_stored_survives_a_restart(store: Store, intake_id: int, database: Path) -> None:
    store.add_events(intake_id, ["kept"])
    store.close()
    again = Store(f"sqlite:///{database}")
    assert [event.text for event in again.latest_events()] == ["kept"]
    assert again.intake_of_key("k") is not None
    again.close()


def test_threads_may_write_at_the_same_time(store: Store, intake_id: int) -> None:
    def push(number: int) -> int:
        return len(store.add_events(intake_id, [f"{number}-{place}" for place in range(20)]))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(push, range(40))) == 800
    assert store.totals().events == 800


def test_threads_opening_the_same_token_get_one_run(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: store.open_run(component="A", token="same", secrets={}), range(16)))
    assert len(ids) == 1
    assert store.totals().runs == 1


def test_a_database_in_memory_is_one_for_all_threads() -> None:
    store = Store("sqlite://")
    intake_id = store.open_intake(name="a", key="k")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: store.add_events(intake_id, [str(number)]), range(20)))
    assert store.totals().events == 20
    store.close()


def test_a_playbook_run_is_kept_once_per_request_id(store: Store, run_id: int) -> None:
    other = store.open_run(component="Other", token="u", secrets={})

    def keep(of_run: int, request_id: str) -> bool:
        return store.add_playbook_run(of_run, name="n", event={"a": [1]}, request_id=request_id, directory=None)

    assert [keep(run_id, "r1"), keep(run_id, "r1"), keep(run_id, "r2"), keep(other, "r1")] == [True, False, True, True]
    assert [(run.component, run.request_id) for run in store.latest_playbook_runs()] == [
        ("Other", "r1"),
        ("Trigger", "r2"),
        ("Trigger", "r1"),
    ]
    assert store.latest_playbook_runs(1)[0].event == {"a": [1]}


def test_only_the_first_finish_counts(store: Store, run_id: int) -> None:
    store.start_run(run_id)
    assert store.finish_run(run_id, results={"ok": True}, error=None, logs="l")
    assert not store.finish_run(run_id, results=None, error="late", logs=None)
    [run] = store.runs()
    assert (run.status, run.results, run.error, run.logs) == ("finished", {"ok": True}, None, "l")
    assert run.finished_at is not None


def test_a_run_that_starts_again_may_finish_again(store: Store, run_id: int) -> None:
    store.finish_run(run_id, results={"n": 1}, error=None, logs=None)
    store.start_run(run_id)
    [running] = store.runs()
    assert (running.status, running.results, running.finished_at) == ("running", None, None)
    assert store.finish_run(run_id, results={"n": 2}, error=None, logs=None)


def test_a_log_date_without_a_zone_is_utc(store: Store, run_id: int) -> None:
    east = timezone(timedelta(hours=2))
    dates = [datetime(2026, 1, 1, 8, 0, tzinfo=UTC).replace(tzinfo=None), datetime(2026, 1, 1, 8, 0, tzinfo=east)]
    store.add_logs(run_id, [LogLine(date=date, level="info", message="m") for date in dates])
    assert [line.date.hour for line in store.latest_logs()] == [6, 8]


def test_a_log_line_without_a_date_gets_the_moment_of_arrival(database: Path) -> None:
    store = Store(f"sqlite:///{database}", now=Clock())
    run_id = store.open_run(component="C", token="t", secrets={})
    store.add_logs(run_id, [LogLine(date=None, level="info", message="nul \x00")])
    [line] = store.latest_logs()
    assert (line.date, line.component, line.message) == (NOON, "C", "nul \N{SYMBOL FOR NULL}")
    store.close()


def test_log_lines_are_counted_by_level_for_one_run_or_all(store: Store, run_id: int) -> None:
    other = store.open_run(component="Other", token="u", secrets={})
    for run, level in ((run_id, "info"), (run_id, "info"), (run_id, "error"), (other, "info")):
        store.add_logs(run, [LogLine(date=None, level=level, message="m")])
    assert store.logs_by_level(run_id) == {"error": 1, "info": 2}
    assert store.logs_by_level() == {"error": 1, "info": 3}
    assert store.logs_by_level(12345) == {}


def test_totals_count_everything(store: Store, run_id: int, intake_id: int) -> None:
    store.add_events(intake_id, ["é", "abc"])
    store.add_events(intake_id, ["d"])
    store.add_logs(run_id, [LogLine(date=None, level="info", message="m")])
    store.add_playbook_run(run_id, name="n", event={}, request_id="r", directory=None)
    store.finish_run(run_id, results=None, error=None, logs=None)
    totals = store.totals()
    assert (totals.events, totals.event_bytes, totals.playbook_runs) == (3, 6, 1)
    assert (totals.log_lines, totals.actions_finished, totals.runs) == (1, 1, 1)


def test_received_events_are_counted_in_buckets_and_empty_ones_left_out(database: Path) -> None:
    clock = Clock()
    store = Store(f"sqlite:///{database}", now=clock)
    intake_id = store.open_intake(name="a", key="k")
    for seconds, events in ((0, 1), (4.9, 2), (5, 3), (21, 4)):
        clock.moment = NOON + timedelta(seconds=seconds)
        store.add_events(intake_id, ["x"] * events)
    after = _seconds_after_noon
    assert store.event_counts(since=NOON, bucket_seconds=5) == [(after(0), 3), (after(5), 3), (after(20), 4)]
    assert store.event_counts(since=after(5), bucket_seconds=5) == [(after(5), 3), (after(20), 4)]
    assert store.event_counts(since=after(60), bucket_seconds=5) == []
    store.close()


def _seconds_after_noon(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_file_that_cannot_be_opened_is_reported_as_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="database"):
        Store(f"sqlite:///{tmp_path}/no/such/folder/relay.sqlite3")
