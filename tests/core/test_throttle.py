"""What servers say about waiting, and which requests may be repeated."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from httpkit.throttle import Pace, RateLimit, RetryPolicy, asks_for_later, rate_limit_of, told_wait
from httpkit.values import Request, Response

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def answer(status: int = 429, **headers: str) -> Response:
    """An answer that came at noon; underscores in names of headers stand for dashes."""
    return Response(
        status=status,
        reason="",
        url="https://api.example.com/",
        headers=CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()}),
        body=b"",
        elapsed=0.1,
        received_at=NOW,
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "0.5"}, 0.5),
        ({"Retry_After": "-7"}, 0),
        ({"Retry_After": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30),
        ({"Retry_After": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0),
        ({"Retry_After": "Sun, 01 Mar 2026 12:00:30 GMT", "Date": "Sun, 01 Mar 2026 12:00:10 GMT"}, 20),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "inf"}, None),
        ({"Retry_After": "nan"}, None),
        ({"Retry_After": "9" * 400}, None),
        ({"Retry_After": "1 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"X_RateLimit_Reset": "15"}, 15),
        ({"X_RateLimit_Reset": str(EPOCH + 40)}, 40),
        ({"X_RateLimit_Reset": str((EPOCH + 40) * 1000)}, 40),
        ({"X_Rate_Limit_Reset": str(EPOCH - 40)}, 0),
        ({"RateLimit_Reset": "9"}, 9),
        ({"X_RateLimit_Reset_After": "1.5"}, 1.5),
        ({"RateLimit": "limit=100, remaining=0, reset=12"}, 12),
        ({"RateLimit": '"default";r=0;t=13'}, 13),
        ({"RateLimit": "reset=" + "9" * 400}, None),
        ({"Retry_After": "7", "X_RateLimit_Reset": "99"}, 7),
    ],
)
def test_the_wait_is_read_from_every_usual_header(headers: dict[str, Any], seconds: float | None) -> None:
    assert told_wait(answer(429, **headers)) == seconds


def test_a_success_never_asks_to_wait() -> None:
    assert told_wait(answer(200, Retry_After="7")) is None


@pytest.mark.parametrize(
    ("status", "headers", "later"),
    [
        *((status, {}, True) for status in (408, 425, 429, 500, 502, 503, 504)),
        *((status, {}, False) for status in (200, 301, 400, 401, 403, 404, 409, 422, 501)),
        (403, {"X_RateLimit_Remaining": "0"}, True),
        (403, {"X_RateLimit_Remaining": "5"}, False),
        (403, {"RateLimit": "limit=1, remaining=0, reset=5"}, True),
        (403, {"RateLimit": '"default";r=4;t=5'}, False),
        (403, {"Retry_After": "5"}, True),
    ],
)
def test_an_answer_that_means_later_is_told_from_a_refusal(status: int, headers: dict[str, str], later: bool) -> None:
    assert asks_for_later(answer(status, **headers)) is later


_texts = st.text(max_size=40) | st.from_regex(r"[-+]?[0-9.eE_]{1,30}|(reset|t|r)=[0-9]{1,400}|inf|nan", fullmatch=True)


@given(
    status=st.sampled_from([403, 429, 500, 503]),
    headers=st.dictionaries(
        st.sampled_from(["Retry_After", "Date", "RateLimit", "RateLimit_Reset", "X_RateLimit_Reset"]), _texts
    ),
)
def test_no_header_makes_an_impossible_wait(status: int, headers: dict[str, str]) -> None:
    response = answer(status, **headers)
    asks_for_later(response)

    wait = told_wait(response)

    assert wait is None or (wait >= 0 and math.isfinite(wait))


@given(told=st.floats(0, 120), attempt=st.integers(1, 3), random=st.floats(0, 1))
def test_the_wait_is_never_shorter_than_told(told: float, attempt: int, random: float) -> None:
    wait = RetryPolicy().wait_before(attempt, told, lambda: random)

    assert wait is not None
    assert told <= wait <= told + 1


def test_back_off_doubles_up_to_a_minute() -> None:
    policy = RetryPolicy(retries=20)

    assert [policy.wait_before(attempt, None, lambda: 1.0) for attempt in (1, 2, 3, 20)] == [1, 2, 4, 60]


def test_after_the_last_retry_or_for_too_long_a_wait_there_is_no_next_try() -> None:
    policy = RetryPolicy(retries=2, longest_wait=10)

    assert policy.wait_before(3, None, lambda: 0.0) is None
    assert policy.wait_before(1, 10.5, lambda: 0.0) is None


@pytest.mark.parametrize(
    ("method", "fields", "never_opened", "unsafe", "repeated"),
    [
        ("GET", {}, False, False, True),
        ("HEAD", {}, False, False, True),
        ("OPTIONS", {}, False, False, True),
        *((method, {}, False, False, False) for method in ("POST", "PUT", "PATCH", "DELETE")),
        ("POST", {}, True, False, True),
        ("POST", {}, False, True, True),
        ("POST", {"safe": True}, False, False, True),
        ("POST", {"headers": {"idempotency-KEY": "1"}}, False, False, True),
    ],
)
def test_a_request_is_repeated_only_when_that_changes_nothing(
    method: str, fields: dict[str, object], never_opened: bool, unsafe: bool, repeated: bool
) -> None:
    request = Request(method=method, url="https://api.example.com/", **fields)  # type: ignore[arg-type]  # of the table

    assert RetryPolicy(retry_unsafe=unsafe).may_repeat(request, never_opened=never_opened) is repeated


def test_the_pace_spreads_requests_evenly() -> None:
    pace = Pace(30)

    assert [pace.reserve(now) for now in (100.0, 100.0, 101.0, 200.0)] == [0, 2, 3, 0]


def test_without_a_rate_nothing_waits() -> None:
    assert [Pace(0).reserve(1.0) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-ratelimit-remaining": "no number"}, None),
        ({"x-ratelimit-remaining": "5"}, RateLimit(remaining=5, most=None, reset=None)),
        (
            {"ratelimit-remaining": "5", "ratelimit-limit": "100, 100;w=60", "ratelimit-reset": "30"},
            RateLimit(remaining=5, most=100, reset=30.0),
        ),
        ({"ratelimit": '"default";r=7;t=9'}, RateLimit(remaining=7, most=None, reset=9.0)),
    ],
)
def test_what_is_left_of_a_rate_limit_is_read_from_any_answer(
    headers: dict[str, str], expected: RateLimit | None
) -> None:
    assert rate_limit_of(answer(200, **headers)) == expected
