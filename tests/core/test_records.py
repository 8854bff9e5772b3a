"""What is found in an answer, and what is not an answer at all."""

import json
from datetime import UTC, datetime

import pytest

from httpkit.errors import HttpkitError, RefusedError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.records import RecordSelector, RecordSettings, Selected
from httpkit.redaction import Redactor
from httpkit.values import JsonValue, Request, Response

NOW = datetime(2026, 1, 2, tzinfo=UTC)
REQUEST = Request(method="GET", url="https://user:secret@api.example.com/items?token=secret")


def answer(body: bytes, status: int = 200, reason: str = "OK") -> Response:
    """A complete answer with a body."""
    return Response(status=status, reason=reason, url=REQUEST.url, headers={}, body=body, elapsed=0.1, received_at=NOW)


def selector(path: str) -> RecordSelector:
    """The selector for one records path."""
    return RecordSelector(RecordSettings(records_path=[path] if path else []))


def select(document: JsonValue, path: str = "") -> Selected:
    """What a path selects in a document."""
    return selector(path).select(REQUEST, answer(json.dumps(document).encode()))


def test_without_a_path_a_list_is_the_records() -> None:
    assert select([{"id": 1}, {"id": 2}]).records == [{"id": 1}, {"id": 2}]


def test_without_a_path_an_object_is_one_record() -> None:
    assert list(select({"id": 1}).records) == [{"id": 1}]


def test_a_path_leads_to_the_records() -> None:
    selected = select({"data": {"items": [{"id": 1}]}, "next": "t"}, "data.items")

    assert selected.records == [{"id": 1}]
    assert selected.content == {"data": {"items": [{"id": 1}]}, "next": "t"}


def test_a_path_to_one_object_gives_one_record() -> None:
    assert list(select({"data": {"id": 1}}, "data").records) == [{"id": 1}]


def test_an_expression_may_rearrange_the_records() -> None:
    assert select({"a": [{"v": 1}], "b": [{"v": 2}]}, "[a, b][]").records == [{"v": 1}, {"v": 2}]


def test_an_empty_list_is_no_records() -> None:
    assert select({"items": []}, "items").records == []


def test_records_may_be_any_json_values() -> None:
    assert select(["text", 1, None, [2]]).records == ["text", 1, None, [2]]


@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_an_empty_body_is_no_records(body: bytes) -> None:
    selected = selector("items").select(REQUEST, answer(body))

    assert list(selected.records) == []
    assert selected.content is None


@pytest.mark.parametrize("path", ["items", "data.items"])
def test_a_plain_path_that_finds_nothing_is_an_unexpected_answer(path: str) -> None:
    with pytest.raises(UnexpectedShapeError, match="records_path") as caught:
        select({"entries": [], "data": {}}, path)

    assert "entries, data" in caught.value.message


def test_the_error_for_a_list_says_to_leave_the_path_empty() -> None:
    with pytest.raises(UnexpectedShapeError, match="leave records_path empty"):
        select([{"id": 1}], "items")


def test_an_expression_may_find_nothing_on_purpose() -> None:
    assert list(select({"a": None}, "a || b").records) == []


@pytest.mark.parametrize("document", ["text", 5, True])
def test_a_single_value_is_not_records(document: JsonValue) -> None:
    with pytest.raises(UnexpectedShapeError, match="records_path"):
        select({"items": document}, "items")


@pytest.mark.parametrize("expression", ["sort_by(items, &id)", "items[?id > `0`]", "items[::0]"])
def test_an_expression_that_does_not_fit_the_answer_is_an_unexpected_answer(expression: str) -> None:
    with pytest.raises(UnexpectedShapeError, match="records_path"):
        select({"items": [{"id": "a"}, {"id": 1}]}, expression)


@pytest.mark.parametrize("expression", ["items[", "a b", "unknown(", "'"])
def test_a_wrong_expression_is_refused_by_name(expression: str) -> None:
    with pytest.raises(SettingsError, match="records_path") as caught:
        selector(expression)

    assert "\n" not in caught.value.message


@pytest.mark.parametrize("body", [b"<html><body>Please log in</body></html>", b"\n <!doctype html>", b"<?xml?>"])
def test_a_page_for_people_is_an_unexpected_answer(body: bytes) -> None:
    with pytest.raises(UnexpectedShapeError, match="HTML"):
        selector("").select(REQUEST, answer(body))


@pytest.mark.parametrize("body", [b'{"items": [{"id": 1}, {"i', b"[1, 2", b"OK", b'{"id": NaN}', b"\xff\xfe[\x00"])
def test_what_is_not_json_is_an_unexpected_answer(body: bytes) -> None:
    with pytest.raises(UnexpectedShapeError, match="not valid JSON"):
        selector("").select(REQUEST, answer(body))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_status_that_means_later_is_unavailable(status: int) -> None:
    with pytest.raises(UnavailableError) as caught:
        selector("").select(REQUEST, answer(b"[]", status))

    assert caught.value.status == status


@pytest.mark.parametrize("status", [301, 304, 400, 401, 403, 404, 405, 410, 422])
def test_any_other_status_is_a_refusal(status: int) -> None:
    with pytest.raises(RefusedError) as caught:
        selector("").select(REQUEST, answer(b"[]", status))

    assert caught.value.status == status


@pytest.mark.parametrize(("status", "remedy"), [(401, "api_key"), (403, "api_key"), (404, "url"), (422, "params")])
def test_a_refusal_says_what_to_check(status: int, remedy: str) -> None:
    with pytest.raises(RefusedError, match=f"check .*{remedy}"):
        selector("").select(REQUEST, answer(b"", status))


def test_every_success_is_read() -> None:
    response = answer(b"[1]", 206, "Partial Content")

    assert selector("").select(REQUEST, response).records == [1]


@pytest.mark.parametrize(
    "response",
    [answer(b"no", 500), answer(b"no", 404), answer(b"no"), answer(b"<html>"), answer(b"{}")],
    ids=["unavailable", "refused", "no json", "html", "nothing found"],
)
def test_an_error_names_the_request_without_its_secrets(response: Response) -> None:
    with pytest.raises(HttpkitError) as caught:
        selector("items").select(REQUEST, response)

    assert caught.value.message.startswith("GET https://api.example.com/items: ")
    assert "secret" not in caught.value.message


def test_an_error_shows_the_beginning_of_the_answer_on_one_line() -> None:
    with pytest.raises(UnavailableError) as caught:
        selector("").select(REQUEST, answer(b"out of\n  order " + b"x" * 10_000, 503, "Busy"))

    assert "503 Busy (out of order xxx" in caught.value.message
    assert len(caught.value.message) < 400
    assert "\n" not in caught.value.message


def test_the_beginning_of_an_answer_that_is_not_json_is_shown_without_secrets() -> None:
    redactor = Redactor(["s3cr3t-value"])
    selecting = RecordSelector(RecordSettings(records_path=[]), clean=redactor.clean)

    with pytest.raises(UnexpectedShapeError, match="not valid JSON") as caught:
        selecting.select(REQUEST, answer(b"Unknown key s3cr3t-value, sorry"))
    assert "Unknown key" in caught.value.message
    assert "s3cr3t" not in caught.value.message
