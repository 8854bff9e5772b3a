"""What a preview finds about where the records are, and about going from page to page."""

from typing import Any

import pytest

from tests.core.polls import in_turn
from tests.core.previews import finding, item, proposed, report, settings_of
from tests.fake_api import Answer, Asked, FakeApi


def numbered(pages: int, size: int = 3) -> Any:
    """A handler of numbered pages; those after the last are empty."""

    def handler(asked: Asked) -> Answer:
        number = int(asked.params["page"])
        ids = range((number - 1) * size, number * size) if number <= pages else range(0)
        return Answer(json={"items": [item(one) for one in ids]})

    return handler


def by_page(url: str, **groups: Any) -> Any:
    """Settings of a source with numbered pages."""
    paging = {"pagination": "page", **groups.pop("paging", {})}
    return settings_of(url, paging=paging, records={"records_path": ["items"]}, **groups)


@pytest.mark.parametrize(
    ("wished", "content", "first"),
    [
        ("data.records", {"data": {"items": [item(1, name="a")], "tags": ["x", "y"]}}, "data.items"),
        ("results", {"users": [{"x": 1}], "events": [item(1, created_at="now"), item(2, created_at="now")]}, "events"),
        ("Items", {"items": [item(1)], "groups": [item(1)]}, "items"),
        ("data", {"data-list": [item(1)]}, '"data-list"'),
        ("rows", {"hosts": {"a": {"id": 1, "n": 1}, "b": {"id": 2, "n": 1}}}, "values(hosts)"),
        ("items", [item(1)], ""),
    ],
)
def test_a_wrong_path_gets_the_likeliest_places_of_the_records(
    api: FakeApi, wished: str, content: Any, first: str
) -> None:
    api.handler = lambda _: Answer(json=content)

    found = finding("Records", settings_of(api.url, records={"records_path": [wished]}))

    assert (found.verdict, found.settings) == ("fail", ["records_path"])
    assert proposed(found)[0] == first


def test_a_proposed_place_works() -> None:
    content = {"page": {"entries-1": [item(1), item(2)]}}
    with FakeApi(lambda _: Answer(json=content)) as api:
        wrong = finding("Records", settings_of(api.url, records={"records_path": ["entries"]}))
        right = finding("Records", settings_of(api.url, records={"records_path": proposed(wrong)[:1]}))

    assert right.verdict == "pass"


def test_a_whole_answer_taken_as_one_record_is_doubted(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json={"items": [item(1), item(2)], "total": 2})

    found = finding("Records", settings_of(api.url))

    assert (found.verdict, proposed(found)) == ("warn", ["items"])


def test_an_error_behind_a_good_status_is_told(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json={"ok": False, "error": "feature_not_enabled"})

    found = finding("Records", settings_of(api.url, records={"records_path": ["items"]}))

    assert found.verdict == "fail"
    assert "feature_not_enabled" in found.text
    assert "api_key" in found.settings


def test_a_missing_required_path_is_named_when_it_is_to_blame(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json={"items": []})

    found = finding("Records", settings_of(api.url, records={"records_path": ["items"], "required_path": "ok"}))

    assert (found.verdict, found.settings[0]) == ("fail", "required_path")


def test_an_empty_answer_is_a_matter_of_the_start(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json={"items": []})

    found = finding("Records", by_page(api.url))

    assert (found.verdict, found.settings[0]) == ("warn", "start_from")


def test_windows_are_read_until_one_has_records(api: FakeApi) -> None:
    api.handler = in_turn(Answer(json=[]), Answer(json=[]), Answer(json=[item(1)]))
    request = {"since_parameter": "since", "until_parameter": "until"}

    told = report(settings_of(api.url, request=request, windows={"window_minutes": 60}))

    assert [line.records for line in told.requests] == [0, 0, 1]


@pytest.mark.parametrize(
    ("answers", "paging", "words"),
    [
        ([{"items": [item(1)], "more": True}, {"items": [item(2)], "more": False}], {"has_more_path": "more"}, "more"),
        ([{"items": [item(1)], "n": 2}, {"items": [item(2)], "n": 2}], {"total_path": "n"}, "total_path 'n'"),
        ([{"items": [item(1), item(2)]}, {"items": [item(3)]}], {"page_size": 2}, "fewer than the page_size of 2"),
        ([{"items": [item(1)]}, {"items": []}], {}, "page 2 is empty"),
    ],
)
def test_the_rule_that_ended_the_pages_is_told(
    api: FakeApi, answers: list[Any], paging: dict[str, Any], words: str
) -> None:
    api.handler = in_turn(*(Answer(json=answer) for answer in answers))

    found = finding("Paging", by_page(api.url, paging=paging))

    assert found.verdict == "pass"
    assert words in found.text
    assert found.text.startswith("2 pages")


def test_at_most_eight_requests_are_sent(api: FakeApi) -> None:
    api.handler = numbered(20)

    found = finding("Paging", by_page(api.url))

    assert len(api.asked) == 8
    assert found.verdict == "pass"
    assert "8 pages" in found.text


def test_a_page_budget_that_ended_the_pages_is_named(api: FakeApi) -> None:
    api.handler = numbered(5)

    found = finding("Paging", by_page(api.url, max_pages=2))

    assert (found.verdict, found.settings) == ("warn", ["max_pages"])


def test_a_page_parameter_that_is_ignored_is_named(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json={"items": [item(1), item(2)]})

    found = finding("Paging", by_page(api.url))

    assert (found.verdict, found.settings[0]) == ("warn", "page_parameter")
    assert "Page 2 has only records of page 1" in found.text


def test_a_last_page_that_is_given_again_is_told(api: FakeApi) -> None:
    api.handler = lambda asked: numbered(3)(
        Asked(**{**_fields(asked), "params": {"page": str(min(int(asked.params["page"]), 3))}})
    )

    found = finding("Paging", by_page(api.url))

    assert found.verdict == "warn"
    assert "page 4 has only records of earlier ones" in found.text


def test_a_loop_of_tokens_is_told(api: FakeApi) -> None:
    api.handler = lambda asked: Answer(json={"items": [item(len(asked.target))], "next": "same"})
    paging = {"pagination": "cursor", "next_path": "next"}

    found = finding("Paging", settings_of(api.url, paging=paging, records={"records_path": ["items"]}))

    assert (found.verdict, found.settings[:2]) == ("warn", ["next_parameter", "next_path"])


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (Answer(json={"items": [item(1)], "meta": {"next_cursor": "abc"}}), "cursor with next_path meta.next_cursor"),
        (Answer(json={"items": [item(1)], "next": "/items?p=2"}), "next_url with next_path next"),
        (Answer(json={"items": [item(1)]}, headers={"Link": "</items?p=2>; rel=next"}), "link_header"),
    ],
)
def test_a_next_page_that_no_setting_asks_for_is_proposed(api: FakeApi, answer: Answer, value: str) -> None:
    api.handler = lambda _: answer

    found = finding("Paging", settings_of(api.url, records={"records_path": ["items"]}))

    assert (found.verdict, found.settings) == ("warn", ["pagination"])
    assert proposed(found) == [value]


def test_a_full_page_without_paging_is_doubted(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[item(number) for number in range(100)])

    assert finding("Paging", settings_of(api.url)).verdict == "warn"


def test_a_wrong_next_path_gets_the_right_one_proposed(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json={"items": [item(1)], "meta": {"cursor": "abc"}})
    paging = {"pagination": "cursor", "next_path": "next"}

    found = finding("Paging", settings_of(api.url, paging=paging, records={"records_path": ["items"]}))

    assert (found.verdict, proposed(found)) == ("warn", ["meta.cursor"])


def test_a_short_page_of_a_round_number_is_doubted(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json={"items": [item(number) for number in range(100)]})

    found = finding("Paging", by_page(api.url, paging={"page_size": 1000}))

    assert (found.verdict, found.settings) == ("warn", ["page_size", "stop_on_short_page"])


def test_a_later_page_that_fails_leaves_the_rest_judged(api: FakeApi) -> None:
    api.handler = in_turn(Answer(json={"items": [item(1)]}), Answer(status=400, json={"error": "no parameter page"}))

    told = report(by_page(api.url))
    verdicts = {one.topic: one.verdict for one in told.findings}

    assert (verdicts["Records"], verdicts["Identity"], verdicts["Paging"]) == ("pass", "pass", "fail")


def test_records_on_two_pages_are_counted(api: FakeApi) -> None:
    api.handler = in_turn(
        Answer(json={"items": [item(1), item(2)]}),
        Answer(json={"items": [item(2), item(3)]}),
        Answer(json={"items": []}),
    )

    found = finding("Overlap", by_page(api.url))

    assert found.verdict == "warn"
    assert found.text.startswith("1 of 4 records")


def _fields(asked: Asked) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in ("method", "target", "path", "params", "headers", "body")}
