"""What the playbook gets: the results of the action for every kind of answer."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from httpkit.errors import UnexpectedShapeError
from tests.fake_api import Answer, FakeApi
from tests.module.actions import Outcome, run_action
from tests.played_platform import API_KEY

PNG = b"\x89PNG\r\n\x1a\n\0\0"


def answered(answer: Answer, *, folder: Path | None = None, **arguments: Any) -> Outcome:
    """Run the action against a server that always gives this answer."""
    with FakeApi(lambda _: answer) as api:
        outcome = run_action({"url": f"{api.url}/x", **arguments}, folder=folder)
    # The SDK keeps back all results when there is one value that this encoder refuses.
    orjson.dumps(outcome.raw)
    return outcome


def test_all_results_are_there() -> None:
    results = answered(Answer(json={"items": [{"id": 7}]}), extract="items[0].id").results

    assert results.status_code == 200
    assert results.headers["Content-Type"] == "application/json"
    assert results.text == '{"items": [{"id": 7}]}'
    assert results.url is not None
    assert results.url.endswith("/x")
    assert results.reason == "OK"
    assert results.encoding == "utf-8"
    assert results.elapsed is not None
    assert results.elapsed >= 0
    assert results.json_body == {"items": [{"id": 7}]}
    assert results.extracted == 7
    assert results.file_path is None


@pytest.mark.parametrize(
    ("body", "kind", "value"),
    [
        (b'{"title": "no"}', "application/problem+json", {"title": "no"}),
        (b"[1, 2]", "application/json", [1, 2]),
        (b'\xef\xbb\xbf{"a": 1}', "application/json", {"a": 1}),
        (b' {"a": 1}', "text/plain", {"a": 1}),
        (b"false", "application/json", False),
        (b"<p>1</p>", "text/html", None),
        (b"", "application/json", None),
        (b'{"a": ', "application/json", None),
    ],
)
def test_json_is_found_whatever_the_server_calls_it(body: bytes, kind: str, value: Any) -> None:
    assert answered(Answer(body=body, headers={"Content-Type": kind})).results.json_body == value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"[12345678901234567890123]", ["12345678901234567890123"]),
        (b"[18446744073709551615, -9223372036854775808]", [18446744073709551615, -(2**63)]),
        (rb'{"\ud800": "\udfff!"}', {"?": "?!"}),
        (b"[1e999]", ["1e999"]),
        (b"[" * 300 + b"]" * 300, None),
        (b"[" * 100_000 + b"]" * 100_000, None),
    ],
)
def test_what_the_sdk_refuses_to_send_costs_nothing_else(body: bytes, value: Any) -> None:
    results = answered(Answer(body=body, headers={"Content-Type": "application/json"})).results

    assert results.json_body == value
    assert results.text == body.decode()


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("é".encode("latin-1"), "text/plain; charset=iso-8859-1", "é"),
        ("é".encode(), "text/plain", "é"),
        (b"a\0b", "text/plain", "a\0b"),
        (b"a\xff\xfeb", "text/plain; charset=utf-8", None),
        (b"abc", "text/plain; charset=no-such-charset", "abc"),
        (rb"\ud800", "text/plain; charset=unicode_escape", "?"),
        (b"", "text/plain", ""),
    ],
)
def test_text_is_always_text(body: bytes, kind: str, text: str | None) -> None:
    results = answered(Answer(body=body, headers={"Content-Type": kind})).results

    assert results.file_path is None
    assert results.text.startswith("a") if text is None else results.text == text


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=404, body=b"no such thing"), "404 Not Found (no such thing)"),
        (Answer(status=500, body=PNG), "500 Internal Server Error"),
        (Answer(status=418, json={"why": "x" * 500}), '418 I\'m a Teapot ({"why": "' + "x" * 191 + "…)"),
    ],
)
def test_an_http_error_fails_the_action_with_status_url_and_the_start_of_the_body(
    answer: Answer, error: str, tmp_path: Path
) -> None:
    outcome = answered(answer, folder=tmp_path, extract="a.b")

    assert outcome.error is not None
    assert outcome.error.startswith("HTTP Request failed: GET http://127.0.0.1:")
    assert outcome.error.endswith(f"/x with {error}")
    assert outcome.results.status_code == answer.status
    assert outcome.results.extracted is None


def test_an_http_error_is_an_answer_like_others_when_asked_for() -> None:
    outcome = answered(Answer(status=404, json={"code": 1}), fail_on_http_error=False)

    assert outcome.error is None
    assert outcome.results.json_body == {"code": 1}


def test_an_error_page_that_is_not_json_is_reported_as_the_http_error() -> None:
    outcome = answered(Answer(status=502, body=b"<p>bad</p>"), output="json")

    assert outcome.error is not None
    assert outcome.error.endswith("502 Bad Gateway (<p>bad</p>)")
    assert outcome.results.text == "<p>bad</p>"


@pytest.mark.parametrize(
    ("extract", "value"),
    [
        ("a.b", [1, 2]),
        ("a.none", None),
        ("length(a.b)", 2),
        ("to_number(nan)", "nan"),
        ('"big"', "99999999999999999999"),
    ],
)
def test_extract_finds_a_value(extract: str, value: Any) -> None:
    body = {"a": {"b": [1, 2]}, "nan": "NaN", "big": 99999999999999999999}

    assert answered(Answer(json=body), extract=extract).results.extracted == value


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"extract": "a"}, "extract 'a' needs a JSON answer"),
        ({"output": "json"}, "output 'json' needs a JSON answer"),
    ],
)
def test_an_answer_that_is_not_json_is_told_where_json_is_needed(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(UnexpectedShapeError, match=error):
        answered(Answer(body=b"<p>", headers={"Content-Type": "text/html"}), **arguments)


def test_a_path_that_does_not_fit_the_answer_is_told() -> None:
    with pytest.raises(UnexpectedShapeError, match=r"extract 'length\(a\)' does not fit the answer"):
        answered(Answer(json={}), extract="length(a)")


@pytest.mark.parametrize(
    ("answer", "arguments"),
    [
        (Answer(body=PNG, headers={"Content-Type": "image/png"}), {}),
        (Answer(body=PNG), {}),
        (Answer(body=b"x" * (1024 * 1024 + 1), headers={"Content-Type": "text/plain"}), {}),
        (Answer(body=b"small", headers={"Content-Type": "text/plain"}), {"output": "file"}),
        (Answer(body=b"", headers={"Content-Type": "text/plain"}), {"output": "file"}),
    ],
)
def test_large_and_binary_bodies_go_into_a_file_of_the_run(
    answer: Answer, arguments: dict[str, Any], tmp_path: Path
) -> None:
    results = answered(answer, folder=tmp_path, **arguments).results

    assert results.file_path is not None
    assert (tmp_path / results.file_path).read_bytes() == answer.body
    assert (results.text, results.json_body, results.encoding) == ("", None, None)


def test_text_of_one_mebibyte_still_goes_into_the_results() -> None:
    body = b"x" * (1024 * 1024)

    assert answered(Answer(body=body, headers={"Content-Type": "text/plain"})).results.text == body.decode()


def test_output_text_keeps_any_body_out_of_files() -> None:
    results = answered(Answer(body=PNG, headers={"Content-Type": "image/png"}), output="text").results

    assert "PNG" in results.text
    assert results.file_path is None


def test_an_extract_is_read_from_a_body_that_goes_into_a_file(tmp_path: Path) -> None:
    results = answered(Answer(json={"a": 1}), folder=tmp_path, output="file", extract="a").results

    assert results.extracted == 1


@pytest.mark.parametrize("name", ["../../escape", "/etc/passwd", "a/b", "x\\..\\y", ".."])
def test_a_name_from_the_server_never_becomes_a_path(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": "application/zip"}
    results = answered(Answer(body=PNG, headers=headers), folder=folder).results

    assert [path.name for path in folder.iterdir()] == [results.file_path]
    assert list(tmp_path.iterdir()) == [folder]
    assert results.file_path is not None
    assert results.file_path.startswith("response-")


@pytest.mark.parametrize(
    ("arguments", "secret"),
    [
        ({"authenticate": True}, API_KEY),
        ({"auth_type": "Bearer", "auth_token": "tok-12345"}, "tok-12345"),
        ({"auth_type": "Basic", "auth_username": "me", "auth_password": "pass word"}, "pass word"),
        ({"headers": {"Authorization": "Bearer tok-12345"}}, "tok-12345"),
        ({"headers": {"X-Api-Key": "tok-12345"}}, "tok-12345"),
        ({"params": {"api_key": "tok-12345"}}, "tok-12345"),
        ({"params": "a=1&api_key=tok-12345"}, "tok-12345"),
        ({"method": "post", "form": {"password": "tok-12345"}}, "tok-12345"),
        ({"method": "post", "json": {"client": {"secret": "tok-12345"}}}, "tok-12345"),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_secret_that_the_server_echoes_is_masked(arguments: dict[str, Any], secret: str, status: int) -> None:
    def echo(_: Any) -> Answer:
        return Answer(status=status, json={secret: [f"it was {secret}"]}, headers={"X-Echo": secret})

    with FakeApi(echo) as api:
        outcome = run_action({"url": api.url, "extract": "keys(@)", **arguments})

    assert secret not in repr(outcome)
    assert outcome.results.json_body == {"***": ["it was ***"]}
    assert outcome.results.headers["X-Echo"] == "***"


def test_a_secret_in_the_url_is_masked() -> None:
    with FakeApi(lambda _: Answer(json=1)) as api:
        address = api.url.replace("://", "://me:pa%24%24word@")
        outcome = run_action({"url": f"{address}/x?token=tok-12345"})

    assert outcome.results.url == f"{api.url.replace('://', '://me:***@')}/x?token=***"
