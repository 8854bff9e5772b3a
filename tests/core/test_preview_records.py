"""What a preview finds about the records themselves: order, identity, time, window, details and events."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.clocks import Clocks
from httpkit.details import DetailSettings
from httpkit.documents import encode_json
from httpkit.preview_facts import Delivery
from httpkit.values import Response
from tests.core.previews import finding, item, proposed, report, settings_of
from tests.fake_api import Answer, FakeApi

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
CLOCKS = Clocks(monotonic=lambda: 0.0, now=lambda: NOW)
BOUNDS = {"since_parameter": "since", "until_parameter": "until"}


def ago(*minutes: int) -> list[dict[str, Any]]:
    """Records with these ages."""
    return [
        item(number, at=f"{NOW - timedelta(minutes=age):%Y-%m-%dT%H:%M:%SZ}") for number, age in enumerate(minutes)
    ]


def timed(url: str, **groups: Any) -> Any:
    """Settings of a source whose records have times."""
    return settings_of(url, request={**BOUNDS, **groups.pop("request", {})}, **{"timestamp_path": "at", **groups})


@pytest.mark.parametrize(
    ("ages", "words"),
    [((3, 2, 1), "Oldest first"), ((1, 2, 3), "Newest first"), ((2, 1, 3), "Unsorted"), ((1, 1), "All at the same")],
)
def test_the_order_is_told_and_is_no_fault(api: FakeApi, ages: tuple[int, ...], words: str) -> None:
    api.handler = lambda _: Answer(json=ago(*ages))

    found = finding("Order", timed(api.url), clocks=CLOCKS)

    assert found.verdict == "pass"
    assert found.text.startswith(words)


def test_an_identity_of_each_record_is_right(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(1), item(2)])

    assert finding("Identity", settings_of(api.url)).verdict == "pass"


@pytest.mark.parametrize(("path", "verdict"), [("uuid", "fail"), ("id", "warn")])
def test_a_wrong_id_path_gets_the_right_one_proposed(api: FakeApi, path: str, verdict: str) -> None:
    api.handler = lambda _: Answer(json=[{"event_id": f"e{number}", "kind": "x"} for number in range(3)])

    found = finding("Identity", settings_of(api.url, id_path=path))

    assert (found.verdict, found.settings, proposed(found)) == (verdict, ["id_path"], ["event_id"])


def test_identities_that_repeat_would_lose_records(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[record | {"id": 7} for record in ago(1, 2, 3)])

    found = finding("Identity", timed(api.url), clocks=CLOCKS)

    assert (found.verdict, found.settings, proposed(found)) == ("fail", ["id_path"], ["[id, at]"])
    assert found.text.startswith("2 of 3 records")


def test_a_record_that_comes_twice_is_no_repeated_identity(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(1), item(1)])

    assert finding("Identity", settings_of(api.url)).verdict == "pass"


def test_identities_do_not_matter_without_deduplication(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(1, a=1), item(1, a=2)])

    assert finding("Identity", settings_of(api.url, deduplicate=False)).verdict == "pass"


def test_a_time_in_another_form_gets_a_form_proposed_that_reads_it(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(1, at="31.12.2026 23:59"), item(2, at="01.01.2027 00:00")])

    found = finding("Time", timed(api.url))

    assert (found.verdict, found.settings, proposed(found)) == ("fail", ["timestamp_format"], ["%d.%m.%Y %H:%M"])
    assert "31.12.2026 23:59" in found.text


def test_a_time_that_only_some_records_have_is_a_warning(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[*ago(1), item(9)])

    found = finding("Time", timed(api.url))

    assert (found.verdict, found.settings) == ("warn", ["timestamp_path"])


@pytest.mark.parametrize(("path", "verdict"), [("time", "fail"), ("", "warn")])
def test_a_wrong_or_missing_timestamp_path_gets_the_right_one_proposed(api: FakeApi, path: str, verdict: str) -> None:
    api.handler = lambda _: Answer(json=ago(1, 2))

    found = finding("Time", timed(api.url, timestamp_path=path))

    assert (found.verdict, proposed(found)) == (verdict, ["at"])


def test_times_that_are_hardly_right_are_doubted(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(1, at=1_770_000_000)])

    found = finding("Time", timed(api.url, timestamp_format="epoch_ms"))

    assert (found.verdict, found.settings[0]) == ("warn", "timestamp_format")


def test_an_api_that_ignores_the_window_is_told(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=ago(1, 60, 60 * 24 * 2, 60 * 24 * 3))

    found = finding("Window", timed(api.url), clocks=CLOCKS)

    assert (found.verdict, found.settings[:2]) == ("warn", ["only_in_window", "since_parameter"])
    assert "of 4 records 2 are before its start" in found.text


def test_what_only_in_window_leaves_out_is_no_warning(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=ago(1, 60 * 24 * 2))

    told = report(timed(api.url, windows={"only_in_window": True}), clocks=CLOCKS)

    assert {one.topic: one.verdict for one in told.findings}["Window"] == "pass"
    assert told.events_in_all == 1


@pytest.mark.parametrize(
    ("request_settings", "age"),
    [
        (BOUNDS, 60 * 24),
        ({"params": {"q": "since:{since:%Y-%m-%d}"}, "since_parameter": "", "until_parameter": ""}, 60 * 24 + 700),
        ({**BOUNDS, "since_format": "%Y-%m-%dT%H:%M"}, 60 * 24),
    ],
)
def test_a_bound_counts_as_coarse_as_it_was_sent(api: FakeApi, request_settings: dict[str, Any], age: int) -> None:
    api.handler = lambda _: Answer(json=ago(age, 1))

    assert finding("Window", timed(api.url, request=request_settings), clocks=CLOCKS).verdict == "pass"


def test_paging_through_everything_at_each_poll_is_a_warning(api: FakeApi) -> None:
    api.handler = lambda asked: Answer(json=ago(1) if asked.params["page"] == "1" else [])
    settings = settings_of(api.url, paging={"pagination": "page"}, timestamp_path="at")

    found = finding("Window", settings, clocks=CLOCKS)

    assert (found.verdict, found.settings) == ("warn", ["since_parameter", "only_in_window"])


def test_a_list_that_is_read_whole_is_no_warning(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(1)])

    assert finding("Window", settings_of(api.url)).verdict == "pass"


def test_one_detail_is_tried_and_counts_as_a_request(api: FakeApi) -> None:
    api.handler = lambda asked: Answer(json={"more": "here"} if "/" in asked.path[1:] else [item(1), item(2)])
    detail = DetailSettings(detail_url=f"{api.url}/items/{{id}}")

    told = report(settings_of(f"{api.url}/items", detail=detail))

    assert [line.step for line in told.requests] == ["page 1", "detail"]
    assert told.events == [{"id": 1, "more": "here", "source": "test"}]
    assert {one.topic: one.verdict for one in told.findings}["Details"] == "pass"


def test_pages_leave_one_request_for_a_detail(api: FakeApi) -> None:
    api.handler = lambda asked: Answer(
        json={"more": 1} if asked.path == "/one" else [item(int(asked.params["page"]) * 2)]
    )
    detail = DetailSettings(detail_url=f"{api.url}/one")

    told = report(settings_of(f"{api.url}/items", paging={"pagination": "page"}, detail=detail))

    assert [line.step for line in told.requests] == [*(f"page {number}" for number in range(1, 8)), "detail"]


def test_a_detail_that_fails_is_a_matter_of_its_url(api: FakeApi) -> None:
    api.handler = lambda asked: Answer(status=400, json={}) if "/" in asked.path[1:] else Answer(json=[item(1)])
    detail = DetailSettings(detail_url=f"{api.url}/items/{{id}}")

    found = finding("Details", settings_of(f"{api.url}/items", detail=detail))

    assert (found.verdict, found.settings) == ("fail", ["detail_url", "detail_params"])


@pytest.mark.parametrize(("size", "verdict"), [(100, "pass"), (220_000, "warn"), (300_000, "fail")])
def test_events_are_measured_against_the_limit_of_the_intake(api: FakeApi, size: int, verdict: str) -> None:
    api.handler = lambda _: Answer(json=[item(1, blob="x" * size)])

    found = finding("Events", settings_of(api.url))

    assert found.verdict == verdict
    assert (found.settings[:1] == ["explode"]) == (verdict != "pass")


def test_an_event_that_the_receiver_does_not_take_is_told(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(1)])
    delivery = Delivery(form=lambda _: ("{}", "value: is required"), limit_bytes=0, receiver="a playbook run")

    found = finding("Events", settings_of(api.url), delivery=delivery)

    assert (found.verdict, found.settings) == ("fail", ["transform", "rename"])
    assert "value: is required" in found.text


def test_a_transform_that_does_not_fit_is_named(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(1)])

    found = finding("Events", settings_of(api.url, shaping={"transform": "nothing"}))

    assert (found.verdict, found.settings) == ("fail", ["transform"])


def test_records_that_are_all_dropped_are_a_warning(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(1)])

    found = finding("Events", settings_of(api.url, shaping={"drop": ["id"]}))

    assert (found.verdict, found.settings) == ("warn", ["drop", "only_in_window"])


def test_three_events_are_shown_without_secrets_and_cut(api: FakeApi) -> None:
    records = [item(number, password="hunter2!", note="n" * 500, many=list(range(50))) for number in range(9)]
    api.handler = lambda _: Answer(json=records)

    shown = report(settings_of(api.url)).events

    assert [event["id"] for event in shown] == [0, 1, 2]
    assert {event["password"] for event in shown} == {"***"}
    assert len(shown[0]["note"]) < 300
    assert len(shown[0]["many"]) < 15


def test_an_id_path_that_does_not_fit_is_named(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(1)])

    found = finding("Identity", settings_of(api.url, id_path="join('-', id)"))

    assert (found.verdict, found.settings) == ("fail", ["id_path"])


def test_a_drop_that_does_not_fit_is_named(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(1)])

    found = finding("Events", settings_of(api.url, shaping={"drop": ["starts_with(id, 'x')"]}))

    assert (found.verdict, found.settings) == ("fail", ["drop"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["items", "id", "at", "next", "a b", ""]) | st.text(max_size=3), inner)
    ),
    max_leaves=20,
)


@given(content=JSON, path=st.sampled_from(["", "items", "items[].id"]), paging=st.sampled_from(["none", "cursor"]))
def test_no_answer_breaks_the_preview(content: Any, path: str, paging: str) -> None:
    response = Response(
        status=200,
        reason="OK",
        url="http://127.0.0.1:9/",
        headers={},
        body=encode_json(content),
        elapsed=0.1,
        received_at=NOW,
    )
    settings = settings_of(
        response.url,
        records={"records_path": [path]},
        paging={"pagination": paging, "next_path": "next" if paging == "cursor" else ""},
        timestamp_path="at",
    )

    told = report(settings, clocks=CLOCKS, around=lambda _step, _request, _send: response)

    assert 0 < len(told.requests) <= 8
    assert {"Connection", "Answer"} <= {one.topic for one in told.findings}
