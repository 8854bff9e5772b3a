"""From the records of an answer to the events that are delivered."""

from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.freshness import SeenKeys
from httpkit.records import RecordSettings
from httpkit.shaping import ShapingSettings
from httpkit.source import Source
from httpkit.source_settings import SourceSettings
from tests.core.polls import get, in_turn, poll, source_of
from tests.fake_api import Answer, FakeApi


def events_of(api: FakeApi, client: Client, document: Any, **fields: Any) -> list[Any]:
    """The events that one poll of one document gives."""
    api.handler = in_turn(Answer(json=document))
    source = source_of(client, get(api.url), **{"records_path": "", "id_path": "", **fields})
    return [event for batch in poll(source, SeenKeys()) for record in batch.records for event in source.events(record)]


@pytest.mark.parametrize(
    ("record", "explode", "expected"),
    [
        ({"a": [1, 2], "b": 0}, ["a"], [{"a": 1, "b": 0}, {"a": 2, "b": 0}]),
        (
            {"a": [1, 2], "b": [3, 4]},
            ["a", "b"],
            [{"a": 1, "b": 3}, {"a": 1, "b": 4}, {"a": 2, "b": 3}, {"a": 2, "b": 4}],
        ),
        ({"x": {"a": [1, 2], "c": 3}}, ["x.a"], [{"x": {"a": 1, "c": 3}}, {"x": {"a": 2, "c": 3}}]),
        (
            {"a": [{"b": [1, 2]}, {"b": [3]}]},
            ["a", "a.b"],
            [{"a": {"b": 1}}, {"a": {"b": 2}}, {"a": {"b": 3}}],
        ),
        ({"a.b": [1, 2]}, ['"a.b"'], [{"a.b": 1}, {"a.b": 2}]),
        ({"a": []}, ["a"], [{"a": []}]),
        ({"a": "text"}, ["a", "missing"], [{"a": "text"}]),
        ("text", ["a"], ["text"]),
    ],
)
def test_one_event_per_combination_of_elements(
    api: FakeApi, client: Client, record: Any, explode: list[str], expected: list[Any]
) -> None:
    assert events_of(api, client, [record], explode=explode) == expected


def test_events_are_reshaped_in_the_order_of_the_settings(api: FakeApi, client: Client) -> None:
    record = {"when": "01/02/2026 10:00 +0200", "gone": None, "in": {"none": None}, "many": [1, 2]}

    events = events_of(
        api,
        client,
        [record],
        explode=["many"],
        rename={"when": "time", "many": "one"},
        drop_nulls=True,
        dates={"time": "%d/%m/%Y %H:%M %z"},
        transform="{time: time, one: one, names: join(',', keys(@)), in: in}",
        tags=[{"kind": "x"}],
    )

    shaped = {"time": "2026-02-01T08:00:00Z", "names": "time,in,one", "in": {"none": None}, "kind": "x"}
    assert events == [{**shaped, "one": 1}, {**shaped, "one": 2}]


def test_a_transform_that_gives_a_list_gives_several_events(api: FakeApi, client: Client) -> None:
    assert events_of(api, client, [{"v": [1, {"a": 2}]}], transform="v", tags=[{"t": 1}]) == [1, {"a": 2, "t": 1}]
    assert events_of(api, client, [{"v": []}], transform="v") == []


def test_a_transform_that_finds_nothing_is_an_unexpected_answer(api: FakeApi, client: Client) -> None:
    with pytest.raises(UnexpectedShapeError, match="transform"):
        events_of(api, client, [{"v": 1}], transform="w")


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("2026-01-02 03:04:05", "%Y-%m-%d %H:%M:%S", "2026-01-02T03:04:05Z"),
        ("2026-01-02 03:04:05.120034009", "%Y-%m-%d %H:%M:%S.%f", "2026-01-02T03:04:05.120034Z"),
        (None, "%Y", None),
        ("", "%Y", ""),
        (5, "%Y", 5),
    ],
)
def test_dates_are_rewritten_where_they_are(
    api: FakeApi, client: Client, text: Any, pattern: str, expected: Any
) -> None:
    dates = {"x.at": pattern, "missing.at": pattern}
    assert events_of(api, client, [{"x": {"at": text}}], dates=dates) == [{"x": {"at": expected}}]


def test_a_date_of_another_form_is_an_unexpected_answer(api: FakeApi, client: Client) -> None:
    with pytest.raises(UnexpectedShapeError, match=r"dates\.at"):
        events_of(api, client, [{"at": "soon"}], dates={"at": "%Y"})


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+0200", "9999-12-31T23:59:59-0200"])
def test_a_date_that_no_calendar_holds_is_an_error(api: FakeApi, client: Client, text: str) -> None:
    with pytest.raises(UnexpectedShapeError, match=r"dates\.at"):
        events_of(api, client, [{"at": text}], dates={"at": "%Y-%m-%dT%H:%M:%S%z"})


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        ("state == 'closed'", [1, 3]),
        ("n > `1`", [1]),
        ("list", [1]),
        ("state", []),
        ("missing", [1, 2, 3]),
    ],
)
def test_a_record_for_which_an_expression_is_true_is_skipped(
    api: FakeApi, client: Client, expression: str, kept: list[int]
) -> None:
    records = [
        {"n": 1, "state": "open", "list": []},
        {"n": 2, "state": "closed", "list": [0]},
        {"n": 3, "state": "new", "list": [1]},
    ]

    assert [event["n"] for event in events_of(api, client, records, drop=["never", expression])] == kept


def test_identity_time_and_drop_read_the_record_as_received(api: FakeApi, client: Client) -> None:
    records = [{"id": 1, "s": "x"}, {"id": 1, "s": "x"}, {"id": 2, "s": "y"}]

    events = events_of(
        api, client, records, id_path="id", drop=["s == 'y'"], rename={"id": "n", "s": "state"}, tags=[{"id": 9}]
    )

    assert events == [{"n": 1, "state": "x", "id": 9}]


def tagged(api: FakeApi, client: Client, paths: list[str], tags: list[dict[str, Any]], document: Any) -> list[Any]:
    """The events of several records paths with their tags."""
    api.handler = in_turn(Answer(json=document))
    settings = SourceSettings(
        request=get(api.url),
        records=RecordSettings(records_path=paths),
        shaping=ShapingSettings(tags=tags),
        scope={"stream.name": "s", "stream.n": 7},
    )
    source = Source(settings, client)
    return [event for batch in poll(source, SeenKeys()) for record in batch.records for event in source.events(record)]


def test_each_records_path_has_its_own_tags(api: FakeApi, client: Client) -> None:
    document = {"a": [{"id": 1}], "b": {"c": [{"id": 2}]}}

    assert tagged(api, client, ["a", "b.c"], [{}, {"kind": "b"}], document) == [{"id": 1}, {"id": 2, "kind": "b"}]


def test_one_object_of_tags_is_for_all_paths(api: FakeApi, client: Client) -> None:
    document = {"a": [{"id": 1}], "b": [{"id": 2}]}
    tags = {"n": "{stream.n}", "null": None, "{stream.name}": "x {stream.name}"}

    expected = {"n": 7, "null": None, "s": "x s"}
    assert tagged(api, client, ["a", "b"], [tags], document) == [{"id": 1, **expected}, {"id": 2, **expected}]


def test_of_several_paths_one_may_lead_nowhere_and_not_all(api: FakeApi, client: Client) -> None:
    assert tagged(api, client, ["a", "b"], [], {"b": [{"id": 1}]}) == [{"id": 1}]
    with pytest.raises(UnexpectedShapeError, match="'a' or 'b'"):
        tagged(api, client, ["a", "b"], [], {"c": []})


def test_tags_that_do_not_match_the_paths_are_refused(client: Client, api: FakeApi) -> None:
    with pytest.raises(SettingsError, match="tags"):
        tagged(api, client, ["a", "b", "c"], [{"x": 1}, {"x": 2}], {})


@pytest.mark.parametrize(
    ("path", "document", "fine"),
    [
        ("meta.ok", {"meta": {"ok": None}}, True),
        ("meta.ok", {"meta": {}}, False),
        ("meta.ok && items", {"items": [], "meta": {}}, False),
        ("length(items) >= `0`", {"items": []}, True),
        ("header:X-Total", {"items": []}, True),
        ("header:X-Other", {"items": []}, False),
        ("last:id", {"items": [{"id": 1}]}, True),
        ("last:uuid", {"items": [{"id": 1}]}, False),
        ("last:id", {"items": []}, True),
    ],
)
def test_what_is_required_must_be_in_each_answer(
    api: FakeApi, client: Client, path: str, document: Any, *, fine: bool
) -> None:
    api.handler = in_turn(Answer(json=document, headers={"X-Total": "0"}))
    source = source_of(client, get(api.url), records_path="items || `[]`", required_path=path)
    if fine:
        poll(source, SeenKeys())
        return
    with pytest.raises(UnexpectedShapeError, match="required_path"):
        poll(source, SeenKeys())
