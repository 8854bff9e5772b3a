"""The rules of the sample API's failures on demand, seen by a real HTTP client."""

import time

import pytest
import requests

from tests.relay.live_relay import LiveRelay

SIGNED_IN = {"Authorization": "Bearer anything"}
PATHS = [
    "/sample",
    "/sample/link",
    "/sample/next",
    "/sample/cursor",
    "/sample/page",
    "/sample/offset",
    "/sample/entries",
]

every_path = pytest.mark.parametrize("path", PATHS)


def fail(relay: LiveRelay, path: str, how: str, **params: str) -> requests.Response:
    return relay.call("GET", path, params={"fail": how, **params}, headers=SIGNED_IN)


@every_path
def test_a_server_error_can_be_asked_for(relay: LiveRelay, path: str) -> None:
    assert fail(relay, path, "500").status_code == 500


@every_path
def test_throttling_says_how_long_to_wait(relay: LiveRelay, path: str) -> None:
    answer = fail(relay, path, "429")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")


@every_path
def test_a_truncated_answer_ends_before_its_announced_length(relay: LiveRelay, path: str) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        fail(relay, path, "truncated")
    assert relay.call("GET", path, headers=SIGNED_IN).status_code == 200


@every_path
def test_a_login_page_can_come_instead(relay: LiveRelay, path: str) -> None:
    answer = fail(relay, path, "html")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


@every_path
def test_broken_json_can_come_instead(relay: LiveRelay, path: str) -> None:
    answer = fail(relay, path, "invalid")
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


@every_path
def test_a_slow_answer_drips_but_is_complete(relay: LiveRelay, path: str) -> None:
    started = time.monotonic()
    answer = fail(relay, path, "slow", seconds="0.4")
    assert time.monotonic() - started >= 0.4
    assert answer.status_code == 200
    assert answer.json()


def test_a_slow_answer_has_the_headers_of_the_quick_one(relay: LiveRelay) -> None:
    assert "next" in fail(relay, "/sample/link", "slow", seconds="0").links


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "61", "soon", ""])
def test_a_wrong_duration_is_refused(relay: LiveRelay, seconds: str) -> None:
    answer = fail(relay, "/sample/entries", "slow", seconds=seconds)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("seconds: ")


@every_path
@pytest.mark.parametrize("how", ["", "404", "SLOW"])
def test_an_unknown_failure_names_the_known_ones(relay: LiveRelay, path: str, how: str) -> None:
    answer = fail(relay, path, how)
    assert answer.status_code == 400
    assert all(known in answer.json()["error"] for known in ("500", "429", "slow", "truncated", "html", "invalid"))
