"""The times of records, in the many forms in which APIs write them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from httpkit.times import event_moment, moment_text

MOMENT = datetime(2026, 2, 25, 6, 13, 20, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2026-02-25T06:13:20.123Z", "auto"),
        ("2026-02-25T06:13:20.123000999Z", "iso8601"),
        ("2026-02-25 07:13:20,123 +0100", "auto"),
        ("2026-02-25t06:13:20.123z", "auto"),
        ("2026-02-25T06:13:20.123", "auto"),
        (1772000000.123, "auto"),
        ("1772000000.123", "auto"),
        (1772000000123, "auto"),
        ("1772000000123", "auto"),
        (1772000000123000, "auto"),
        ("1772000000123000000", "auto"),
        ("1772000000.123", "epoch"),
        ("1772000000123", "epoch_ms"),
        ("25/02/2026 06:13:20.123", "%d/%m/%Y %H:%M:%S.%f"),
        ("2026-02-25T06:13:20.1230009Z", "%Y-%m-%dT%H:%M:%S.%fZ"),
        ("25 Feb 2026 07:13:20.123000 +0100", "%d %b %Y %H:%M:%S.%f %z"),
    ],
)
def test_a_time_is_read_in_its_form(value: Any, form: str) -> None:
    moment = event_moment(value, form)

    assert moment is not None
    assert abs(moment - MOMENT) < timedelta(milliseconds=1)


@pytest.mark.parametrize("value", [None, "", "yesterday", True, [], {}, "nan", "inf", 1e30, "2026-13-01"])
def test_what_is_no_time_is_none(value: Any) -> None:
    assert event_moment(value, "auto") is None


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("0001-01-01T00:00:00+0200", "%Y-%m-%dT%H:%M:%S%z"),
        ("9999-12-31T23:59:59-0200", "%Y-%m-%dT%H:%M:%S%z"),
        ("0001-01-01T00:00:00+02:00", "auto"),
        ("9999-12-31T23:59:59-02:00", "iso8601"),
        *((number, form) for number in (10**400, -(10**400)) for form in ("auto", "epoch", "epoch_ms")),
        ("1" * 400, "auto"),
        ("1" * 400, "epoch_ms"),
    ],
)
def test_a_time_that_no_calendar_holds_is_none(value: Any, form: str) -> None:
    assert event_moment(value, form) is None


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("iso8601", "2026-02-25T06:13:20Z"),
        ("iso8601_ms", "2026-02-25T06:13:20.123Z"),
        ("iso8601_us", "2026-02-25T06:13:20.123000Z"),
        ("iso8601_offset", "2026-02-25T06:13:20+00:00"),
        ("epoch", 1772000000),
        ("epoch_ms", 1772000000123),
        ("%Y%m%d-%H%M", "20260225-0613"),
    ],
)
def test_a_bound_is_written_in_its_form(form: str, text: str | int) -> None:
    assert moment_text(MOMENT, form) == text


@pytest.mark.parametrize("millisecond", range(0, 1000, 7))
def test_a_millisecond_is_never_rounded_away(millisecond: int) -> None:
    moment = MOMENT.replace(microsecond=millisecond * 1000)

    assert moment_text(moment, "epoch_ms") == 1772000000000 + millisecond
