"""What becomes an entry, what it holds, and what happens to a record that cannot be one."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from httpkit.errors import HttpkitError, SettingsError
from httpkit.freshness import SeenKeys
from httpkit.stopping import Stopped
from testhttp_modules.entries import EntryMapping
from testhttp_modules.models import TriggerConfiguration
from tests.core.clients import local_client
from tests.core.polls import get, poll, source_of
from tests.core.test_feeds import ATOM, RSS
from tests.fake_api import Answer, FakeApi
from tests.module.watched import Watched, entry

TICKET = {"key": "OPS-7", "fields": {"summary": "Disk full", "created": "2026-01-06T10:00:00Z"}}
TICKET_PATHS = {"id_path": "key", "value_path": "fields.summary", "timestamp_path": "fields.created"}
TEN_O_CLOCK = 1_767_693_600


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi(lambda _: Answer(json=[])) as api:
        yield api


def entries_of(api: FakeApi, folder: Path, answer: Any, **configuration: Any) -> list[Any]:
    """The entries that one poll gives."""
    api.handler = lambda _: answer if isinstance(answer, Answer) else Answer(json=answer)
    watched = Watched(folder, api.url, **configuration)
    watched.poll()
    return [one for run in watched.runs for one in run]


def is_now(timestamp: int) -> bool:
    """Is it the present time, in seconds?"""
    return abs(timestamp - datetime.now(UTC).timestamp()) < 30


def test_an_entry_of_the_seed_comes_as_it_is(api: FakeApi, tmp_path: Path) -> None:
    assert entries_of(api, tmp_path, [entry(1)]) == [entry(1)]


def test_a_record_that_holds_more_is_there_as_data(api: FakeApi, tmp_path: Path) -> None:
    record = entry(1, severity="high")

    assert entries_of(api, tmp_path, [record]) == [{**entry(1), "data": record}]


def test_an_entry_without_a_time_has_the_one_at_which_it_was_found(api: FakeApi, tmp_path: Path) -> None:
    first, second = entries_of(api, tmp_path, [{"id": 1, "value": "a"}, {"id": 2, "value": "b", "timestamp": None}])

    assert is_now(first["timestamp"])
    assert (first["id"], second["id"]) == (1, 2)


def test_entries_without_an_identity_have_the_number_of_what_they_hold(api: FakeApi, tmp_path: Path) -> None:
    records = [{"value": "a", "timestamp": 5}, {"value": "b", "timestamp": 5}, {"value": "a", "timestamp": 5}]
    first = entries_of(api, tmp_path / "1", records)
    second = entries_of(api, tmp_path / "2", list(reversed(records)))

    assert [one["value"] for one in first] == ["a", "b"]
    assert {one["id"] for one in first} == {one["id"] for one in second}
    assert len({one["id"] for one in first}) == 2
    assert all(0 <= one["id"] < 2**53 for one in first)


def test_entries_of_the_same_second_all_come(api: FakeApi, tmp_path: Path) -> None:
    records = [{**entry(number), "timestamp": 5} for number in range(5)]

    assert entries_of(api, tmp_path, records) == records


def test_any_record_becomes_an_entry_by_paths(api: FakeApi, tmp_path: Path) -> None:
    [found] = entries_of(api, tmp_path, [TICKET], **TICKET_PATHS)

    assert found == {"id": found["id"], "value": "Disk full", "timestamp": TEN_O_CLOCK, "data": TICKET}


def test_identities_that_are_no_numbers_are_always_mapped_to_the_same(api: FakeApi, tmp_path: Path) -> None:
    other = {**TICKET, "key": "OPS-8"}
    first = entries_of(api, tmp_path / "1", [TICKET, other], **TICKET_PATHS)
    second = entries_of(api, tmp_path / "2", [other, {**TICKET, "fields": {"summary": "x"}}], **TICKET_PATHS)

    assert [one["id"] for one in first] == [one["id"] for one in reversed(second)]
    assert first[0]["id"] != first[1]["id"]


@pytest.mark.parametrize(
    ("identity", "number"), [(7, 7), ("7", 7), (-7, -7), ("007", None), (7.5, None), (2**80, None), (True, None)]
)
def test_identities_that_are_numbers_stay_what_they_are(
    api: FakeApi, tmp_path: Path, identity: object, number: int | None
) -> None:
    [found] = entries_of(api, tmp_path, [{"key": identity, "value": "x"}], id_path="key")

    assert found["id"] == number if number is not None else 1000 < found["id"] < 2**53


@pytest.mark.parametrize(
    ("value", "text"), [("x", "x"), (7, "7"), (False, "false"), ({"a": [1]}, '{"a":[1]}'), ("", "")]
)
def test_a_value_that_is_no_text_is_its_json(api: FakeApi, tmp_path: Path, value: object, text: str) -> None:
    [found] = entries_of(api, tmp_path, [{"id": 1, "what": value}], value_path="what")

    assert found["value"] == text


def test_lines_of_text_become_entries(api: FakeApi, tmp_path: Path) -> None:
    answer = Answer(body=b"192.0.2.1\n192.0.2.2\n", headers={"Content-Type": "text/plain"})
    found = entries_of(api, tmp_path, answer, response_format="text", value_path="@", id_path="@")

    assert [one["value"] for one in found] == ["192.0.2.1", "192.0.2.2"]
    assert all(set(one) == {"id", "value", "timestamp"} for one in found)


def test_mapping_reads_the_value_after_reshaping(api: FakeApi, tmp_path: Path) -> None:
    record = {"id": 1, "rows": [{"name": "a"}, {"name": "b"}]}
    found = entries_of(api, tmp_path, [record], explode="rows", value_path="rows.name")

    assert [one["value"] for one in found] == ["a", "b"]


@pytest.mark.parametrize(
    ("misfit", "reason"),
    [
        ({"id": "seven", "value": "x", "timestamp": 1}, "id: "),
        ({"id": 7, "timestamp": 1}, "value: is required"),
        ({"id": 7, "value": ["x"], "timestamp": 1}, "value: "),
        ({"id": 7, "value": "x", "timestamp": "yesterday"}, "timestamp: "),
        ({"id": 7, "value": "x", "timestamp": 10**30}, "timestamp: "),
        ("seven", "it is str and not an object"),
        (None, "it is NoneType"),
    ],
)
def test_what_does_not_fit_is_told_once_and_kept_and_the_others_go_on(
    api: FakeApi, tmp_path: Path, misfit: object, reason: str
) -> None:
    api.handler = lambda _: Answer(json=[entry(1), misfit, entry(2)])
    watched = Watched(tmp_path, api.url)
    watched.poll()
    watched.restart()
    watched.poll()

    [warning] = watched.component.logged("warning")
    assert reason in warning
    assert watched.ids == [1, 2]
    assert len(list(tmp_path.glob("*/quarantine/*.json"))) == 1


def test_a_record_without_a_value_at_its_path_does_not_fit(api: FakeApi, tmp_path: Path) -> None:
    api.handler = lambda _: Answer(json=[{"key": "a", "title": "x"}, {"key": "b"}])
    watched = Watched(tmp_path, api.url, id_path="key", value_path="title")
    watched.poll()

    assert [one["value"] for run in watched.runs for one in run] == ["x"]
    assert "value_path 'title' finds nothing" in watched.component.logged("warning")[0]


def test_a_record_that_cannot_be_reshaped_does_not_stop_the_others(api: FakeApi, tmp_path: Path) -> None:
    api.handler = lambda _: Answer(json=[{"id": 1, "n": "x"}, {"id": 2, "n": 5}])
    watched = Watched(tmp_path, api.url, transform="{id: id, value: to_string(abs(n))}")
    watched.poll()

    assert watched.ids == [2]
    assert len(watched.component.logged("warning")) == 1


def test_a_record_that_cannot_be_decoded_does_not_stop_the_others(api: FakeApi, tmp_path: Path) -> None:
    body = b'[{"id": 1, "value": "a", "n": %s}, {"id": 2, "value": "b"}]' % (b"9" * 5000)
    api.handler = lambda _: Answer(body=body, headers={"Content-Type": "application/json"})
    watched = Watched(tmp_path, api.url)
    watched.poll()

    assert watched.ids == [2]
    assert len(watched.component.logged("warning")) == 1


def test_a_stop_ends_the_work_on_a_large_page(api: FakeApi) -> None:
    """To reshape and map its records may take many seconds."""
    api.handler = lambda _: Answer(json=[entry(number) for number in range(1000)])
    source = source_of(local_client(), get(api.url), records_path="")
    records = [record for batch in poll(source, SeenKeys()) for record in batch.records]
    stop = threading.Event()
    mapping = EntryMapping(TriggerConfiguration(url=api.url, polling_interval=1), stop)
    assert len(mapping.found(source, records, datetime.now(UTC)).entries) == 1000

    stop.set()
    with pytest.raises(Stopped):
        mapping.found(source, records, datetime.now(UTC))


def test_data_that_nothing_can_read_is_made_readable(api: FakeApi, tmp_path: Path) -> None:
    body = b'[{"id": 1, "value": "a\\ud800", "timestamp": 1, "n": 123456789012345678901234567890}]'
    [found] = entries_of(api, tmp_path, Answer(body=body, headers={"Content-Type": "application/json"}))

    assert found["value"] == "a?"
    assert found["data"]["n"] == "123456789012345678901234567890"


def test_a_record_nested_too_deeply_does_not_fit(api: FakeApi, tmp_path: Path) -> None:
    deep: Any = "x"
    for _ in range(95):
        deep = [deep]
    api.handler = lambda _: Answer(json=[entry(1, deep=deep), entry(2)])
    watched = Watched(tmp_path, api.url)
    watched.poll()

    assert watched.ids == [2]
    assert "nested too deeply" in watched.component.logged("warning")[0]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"<html><body>Sign in</body></html>", headers={"Content-Type": "text/html"}),
        Answer(json="not a list"),
        Answer(json=5),
        Answer(body=b"{", headers={"Content-Type": "application/json"}),
    ],
    ids=["html", "text", "number", "cut"],
)
def test_an_answer_that_is_no_list_is_an_error_and_the_next_one_is_read(
    api: FakeApi, tmp_path: Path, answer: Answer
) -> None:
    api.handler = lambda _: answer
    watched = Watched(tmp_path, api.url)
    with pytest.raises(HttpkitError):
        watched.poll()
    api.handler = lambda _: Answer(json=[entry(1)])
    watched.poll()

    assert watched.ids == [1]


def test_identities_that_repeat_within_a_page_or_with_other_content_come_once(api: FakeApi, tmp_path: Path) -> None:
    api.handler = lambda _: Answer(json=[entry(1), entry(1), entry(1, value="other")])
    watched = Watched(tmp_path, api.url)
    watched.poll()
    api.handler = lambda _: Answer(json=[entry(1, value="changed"), entry(2)])
    watched.poll()

    assert [[one["value"] for one in run] for run in watched.runs] == [["entry 1"], ["entry 2"]]


def test_a_list_that_shrinks_and_grows_again_starts_nothing_twice(api: FakeApi, tmp_path: Path) -> None:
    watched = Watched(tmp_path, api.url)
    for numbers in ([1, 2, 3], [], [3], [1, 2, 3, 4], [], [1, 5]):
        api.handler = lambda _, numbers=numbers: Answer(json=[entry(number) for number in numbers])  # type: ignore[misc]
        watched.poll()

    assert watched.ids == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("response_format", ["auto", "xml"])
def test_the_entries_of_a_feed_start_runs_once(api: FakeApi, tmp_path: Path, response_format: str) -> None:
    api.handler = lambda _: Answer(body=RSS, headers={"Content-Type": "application/rss+xml"})
    watched = Watched(tmp_path, api.url, response_format=response_format)
    watched.poll()
    api.handler = lambda _: Answer(body=ATOM, headers={"Content-Type": "application/atom+xml"})
    watched.poll()
    watched.poll()

    found = [one for run in watched.runs for one in run]
    assert [one["value"] for one in found] == ["A & B", "only a description", "no identity", "<b>One</b>"]
    assert found[0]["data"]["guid"] == "adv-1"
    assert found[3]["timestamp"] == 1_767_657_600


def test_with_a_path_to_the_records_a_feed_is_xml(api: FakeApi, tmp_path: Path) -> None:
    answer = Answer(body=RSS, headers={"Content-Type": "application/rss+xml"})
    found = entries_of(api, tmp_path, answer, records_path="[0].item", id_path="link", value_path="link")

    assert [one["value"] for one in found] == ["https://example.com/1", "/2"]


def test_a_feed_can_be_mapped_by_paths_of_its_own(api: FakeApi, tmp_path: Path) -> None:
    answer = Answer(body=RSS, headers={"Content-Type": "application/rss+xml"})
    found = entries_of(api, tmp_path, answer, id_path="guid", value_path="link")

    assert [one["value"] for one in found] == ["https://example.com/1", f"{api.url}/2"]


@pytest.mark.parametrize("name", ["value_path", "id_path", "timestamp_path"])
def test_a_path_that_is_none_is_a_configuration_error(api: FakeApi, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Watched(tmp_path, api.url, **{name: "a[["})
