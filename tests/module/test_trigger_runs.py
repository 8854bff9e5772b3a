"""How entries become playbook runs: which, how many, in which order, and what the platform's answers mean."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from httpkit.clocks import Clocks
from httpkit.errors import RefusedError, SettingsError
from tests.fake_api import Answer, FakeApi
from tests.module.watched import AT_ONCE, Watched, away, entry

SHORT = 0.05
"""Minutes of an interval in which the platform is asked again once."""


class Shown:
    """An API that shows a list, and the watch over it."""

    def __init__(self, folder: Path, api: FakeApi) -> None:
        self.entries: list[Any] = []
        self._folder = folder
        self._url = api.url
        api.handler = lambda _: Answer(json=list(self.entries))

    def watched(self, **configuration: Any) -> Watched:
        """The watch with a configuration."""
        return Watched(self._folder, self._url, **configuration)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi(lambda _: Answer(json=[])) as api:
        yield api


@pytest.fixture
def shown(tmp_path: Path, api: FakeApi) -> Shown:
    return Shown(tmp_path, api)


def test_more_entries_than_fit_become_several_runs_and_the_surplus_waits(shown: Shown) -> None:
    shown.entries = [entry(number) for number in range(12)]
    watched = shown.watched(max_entries_per_run=3, max_runs_per_poll=2)

    assert watched.poll() == "6 new entries sent, 6 wait for the next polls"
    assert watched.poll() == "6 new entries sent"
    assert [[one["id"] for one in run] for run in watched.runs] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert [run.name for run in watched.platform.accepted] == ["Pushing 3 new entries"] * 4


def test_the_surplus_survives_a_restart_and_goes_out_before_what_is_new(shown: Shown) -> None:
    shown.entries = [entry(number) for number in (9, 8, 7)]
    watched = shown.watched(max_entries_per_run=1, max_runs_per_poll=2)
    watched.poll()
    shown.entries = [entry(1)]
    watched.restart()
    watched.poll()

    assert watched.ids == [9, 8, 7, 1]


def test_the_surplus_goes_out_while_the_api_is_away(shown: Shown, api: FakeApi) -> None:
    shown.entries = [entry(1), entry(2)]
    watched = shown.watched(max_entries_per_run=1, max_runs_per_poll=1)
    watched.poll()
    api.handler = lambda _: Answer(status=404)
    with pytest.raises(RefusedError):
        watched.poll()

    assert watched.ids == [1, 2]


def test_polls_that_come_early_after_a_failure_start_no_more_runs_than_one(shown: Shown) -> None:
    shown.entries = [entry(number) for number in range(5)]
    watched = shown.watched(max_entries_per_run=1, max_runs_per_poll=2, polling_interval=60)
    for _ in range(3):
        watched.poll()

    assert watched.ids == [0, 1]


def test_streams_share_the_runs_of_a_poll_in_turns(tmp_path: Path, api: FakeApi) -> None:
    api.handler = lambda asked: Answer(json=[entry(number, value=asked.path) for number in range(3)])
    watched = Watched(
        tmp_path,
        f"{api.url}/{{stream.of}}",
        streams=[{"of": "a"}, {"of": "b"}, {"of": "c"}],
        max_entries_per_run=1,
        max_runs_per_poll=2,
    )
    for _ in range(5):
        watched.poll()

    sent = [(one["value"], one["id"]) for run in watched.runs for one in run]
    assert sent == [(path, number) for number in range(3) for path in ("/a", "/b", "/c")]


def test_a_run_whose_acceptance_is_unknown_is_repeated_as_it_was(shown: Shown) -> None:
    """The platform took it, but its answer was lost; meanwhile there are more entries."""
    shown.entries = [entry(1)]
    watched = shown.watched()
    watched.platform.after = {1: away(500)}
    watched.poll()
    shown.entries.append(entry(2))
    watched.platform.troubles = [away()]
    watched.poll()
    watched.poll()

    assert [[one["id"] for one in run] for run in watched.runs] == [[1], [1], [2]]
    assert watched.request_ids[0] == watched.request_ids[1] != watched.request_ids[2]


def test_equal_entries_of_two_streams_have_a_request_id_each(tmp_path: Path, api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[entry(1)])
    streams = [{"name": "a"}, {"name": "b"}]
    watched = Watched(tmp_path, f"{api.url}/{{stream.name}}", streams=streams, max_entries_per_run=1)
    watched.poll()

    assert watched.ids == [1, 1]
    assert len(set(watched.request_ids)) == 2


def test_the_request_id_of_a_source_without_streams_is_that_of_all_versions(shown: Shown) -> None:
    """What waits when the module is updated may have been sent already, and a repeat must be recognised."""
    shown.entries = [entry(1)]
    watched = shown.watched()
    watched.poll()

    assert watched.request_ids == ["63f6ae63-0a29-5901-badb-dee5c95f8ef6"]


def test_other_entries_have_another_request_id_and_the_same_ones_the_same(tmp_path: Path, shown: Shown) -> None:
    shown.entries = [entry(1)]
    first = shown.watched()
    first.poll()
    again = Watched(tmp_path / "elsewhere", f"{first.url}/")
    again.poll()
    shown.entries = [entry(2)]
    first.poll()

    assert first.request_ids[0] == again.request_ids[0]
    assert first.request_ids[0] != first.request_ids[1]


def test_entries_that_repeat_on_purpose_are_other_runs_and_a_repeat_is_still_recognised(shown: Shown) -> None:
    shown.entries = [entry(1)]
    watched = shown.watched(deduplicate=False)
    watched.platform.after = {2: away(500)}
    for _ in range(3):
        watched.poll()

    first, second, repeat, *_ = watched.request_ids
    assert first != second == repeat


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_platform_that_is_away_is_told_once_and_asked_again(shown: Shown, status: int) -> None:
    shown.entries = [entry(1)]
    watched = shown.watched(polling_interval=SHORT)
    watched.platform.troubles = [away(status)]

    assert watched.poll() == "1 new entries sent"
    assert watched.ids == [1]
    assert len(watched.component.logged("warning")) == 1
    assert watched.component.logged("error") == []
    assert "works again" in watched.component.logged("info")[-1]


def test_while_the_platform_is_away_the_api_is_read_on(shown: Shown) -> None:
    watched = shown.watched()
    for number in range(4):
        shown.entries = [entry(number)]  # a short feed, in which an entry does not stay
        watched.platform.troubles = [away(), away()]
        watched.poll()
    watched.platform.troubles = []
    watched.poll()

    assert watched.ids == [0, 1, 2, 3]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_a_platform_that_refuses_ends_the_trigger_and_keeps_the_entries(shown: Shown, status: int) -> None:
    shown.entries = [entry(1)]
    watched = shown.watched()
    watched.platform.troubles = [away(status)]
    with pytest.raises(SettingsError, match=rf"refuses its events \({status}\).* 1 entries wait"):
        watched.poll()
    watched.restart()
    watched.poll()

    assert watched.ids == [1]


def test_first_poll_none_only_remembers_what_is_there(shown: Shown) -> None:
    shown.entries = [entry(1), {"id": 2}]
    watched = shown.watched(first_poll="none")
    watched.poll()
    shown.entries.append(entry(3))
    watched.restart()
    watched.poll()

    assert watched.ids == [3]
    assert watched.component.logged("warning") == []


def test_first_poll_none_holds_until_a_poll_has_read_everything(shown: Shown, api: FakeApi) -> None:
    """The first poll breaks off on its second page."""
    answers = [Answer(json=[entry(1)]), Answer(status=404), Answer(json=[entry(2)]), Answer(json=[])]
    api.handler = lambda _: answers.pop(0) if answers else Answer(json=[])
    watched = shown.watched(first_poll="none", pagination="page")
    with pytest.raises(RefusedError):
        watched.poll()
    watched.poll()
    assert answers == []
    answers += [Answer(json=[entry(3)])]
    watched.poll()

    assert watched.ids == [3]


def test_a_large_run_carries_its_data_in_a_file(shown: Shown) -> None:
    records = [entry(number, text="x" * 3000) for number in range(100)]
    shown.entries = records
    watched = shown.watched()
    watched.poll()

    [run] = watched.platform.accepted
    event = run.event.model_dump()
    assert event == {"entries": [entry(number) for number in range(100)], "file_path": "entries.json"}
    assert [one["data"] for one in msgspec.json.decode(run.file)] == records


def test_entries_that_are_large_without_their_data_become_more_runs(shown: Shown) -> None:
    shown.entries = [entry(number, value="x" * 60_000) for number in range(10)]
    watched = shown.watched()
    watched.poll()

    assert [len(run) for run in watched.runs] == [4, 4, 2]
    assert [run.directory for run in watched.platform.accepted] == ["", "", ""]


def test_an_entry_larger_than_a_run_is_cut_and_is_whole_in_the_file(shown: Shown) -> None:
    shown.entries = [entry(1, value="x" * 400_000), entry(2)]
    watched = shown.watched()
    watched.poll()

    large, small = watched.platform.accepted
    assert 1000 < len(large.event.entries[0].value) < 256 * 1024
    assert msgspec.json.decode(large.file) == shown.entries[:1]
    assert small.event.model_dump() == {"entries": [entry(2)]}


def test_a_silent_source_is_warned_of_once_and_not_again_after_a_restart(shown: Shown) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    clocks = Clocks(monotonic=time.monotonic, now=lambda: now)
    shown.entries = [entry(1)]
    watched = shown.watched(expected_update_hours=48)
    watched.restart(clocks=clocks)

    def polled_after(hours: int) -> list[str]:
        nonlocal now
        now += timedelta(hours=hours)
        watched.poll()
        return watched.component.logged("warning")

    assert polled_after(0) == polled_after(47) == []
    [warning] = polled_after(2)
    assert "since 2026-01-01 00:00 UTC" in warning
    assert "expected_update_hours" in warning
    watched.restart(clocks=clocks)
    assert len(polled_after(100)) == 1
    shown.entries = [entry(2)]
    assert len(polled_after(1)) == 1
    assert "The source shows new entries again" in watched.component.logged("info")
    assert len(polled_after(49)) == 2


def test_a_clock_that_is_set_back_warns_of_nothing_and_loses_nothing(shown: Shown) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    shown.entries = [entry(1)]
    watched = shown.watched(expected_update_hours=1)
    watched.restart(clocks=Clocks(monotonic=time.monotonic, now=lambda: now))
    watched.poll()
    now -= timedelta(days=300)
    shown.entries.append(entry(2))
    watched.poll()
    now += timedelta(days=600)
    shown.entries.append(entry(3))
    watched.poll()

    assert watched.ids == [1, 2, 3]
    assert watched.component.logged("warning") == []


def test_an_outbox_file_that_is_damaged_stops_the_trigger_with_a_remedy(shown: Shown, tmp_path: Path) -> None:
    shown.entries = [entry(1), entry(2)]
    watched = shown.watched(max_entries_per_run=1, max_runs_per_poll=1, polling_interval=60)
    watched.poll()
    [file] = tmp_path.glob("*/outbox-*")
    file.write_bytes(b"[]")
    watched.restart()
    with pytest.raises(SettingsError, match=r"outbox-.* is damaged; restore it"):
        watched.poll()


def test_files_of_the_outbox_are_removed_once_they_are_sent(shown: Shown, tmp_path: Path) -> None:
    watched = shown.watched()
    for number in range(5):
        shown.entries.append(entry(number))
        watched.poll()

    assert len(list(tmp_path.glob("*/outbox-*"))) <= 1


def test_the_interval_of_the_tests_is_shorter_than_any_pause() -> None:
    assert AT_ONCE * 60 < 1 < SHORT * 60
