"""The connector as the platform runs it: a real main.py, a real API, a real intake."""

import threading
from typing import Any

import pytest

from tests.fake_api import Answer, Asked, FakeApi
from tests.played_platform import API_KEY, Platform, eventually

FAST = {"polling_interval": 0.01}


def growing(records: list[Any]) -> FakeApi:
    """An API that shows a list, which the test may change."""
    return FakeApi(lambda _: Answer(json=list(records)))


def test_each_record_is_delivered_once_and_tagged(platform: Platform) -> None:
    records = [{"id": 1, "title": "one"}, {"id": 2, "title": "two", "source": "kept"}]
    with growing(records) as api:
        platform.start("TesthttpConnector", {"url": f"{api.url}/posts", **FAST})
        eventually(lambda: len(api.asked) >= 3, "three polls")
        records.append({"id": 3})
        eventually(lambda: len(platform.events()) >= 3, "the new record arrives")

    assert platform.events() == [
        {"id": 1, "title": "one", "source": "testhttp"},
        {"id": 2, "title": "two", "source": "kept"},
        {"id": 3, "source": "testhttp"},
    ]
    assert {asked.headers["authorization"] for asked in api.asked} == {f"Bearer {API_KEY}"}


def test_a_restarted_connector_does_not_deliver_again(platform: Platform) -> None:
    records = [{"id": number} for number in range(5)]
    with growing(records) as api:
        first = platform.start("TesthttpConnector", {"url": api.url})
        eventually(lambda: len(platform.events()) == 5, "the first poll is delivered")
        eventually(lambda: list(platform.data_folder.glob("*/state.json")), "the first poll is remembered")
        first.stop()
        records.append({"id": 5})
        asked_before = len(api.asked)
        platform.start("TesthttpConnector", {"url": api.url})
        eventually(lambda: len(platform.events()) >= 6 and len(api.asked) > asked_before, "the new record arrives")

    assert [event["id"] for event in platform.events()] == [0, 1, 2, 3, 4, 5]


def test_a_number_that_no_float_holds_is_delivered_and_ends_nothing(platform: Platform) -> None:
    """One record of a page has to be decoded, since it has a source of its own."""
    body = b'{"items":[{"id":1},{"id":2,"source":"firewall","n":1e400},{"id":3}]}'
    with FakeApi(lambda _: Answer(body=body, headers={"Content-Type": "application/json"})) as api:
        platform.start("TesthttpConnector", {"url": api.url, "records_path": "items", **FAST})
        eventually(lambda: len(platform.events()) >= 3, "the records arrive")
        eventually(lambda: len(api.asked) >= 2, "a further poll")

    assert platform.events() == [
        {"id": 1, "source": "testhttp"},
        {"id": 2, "source": "firewall", "n": "1e400"},
        {"id": 3, "source": "testhttp"},
    ]


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({"pagination": "cursor", "next_path": "next"}, "cursor"),
        ({"pagination": "page"}, "page"),
        ({"pagination": "offset"}, "offset"),
    ],
)
def test_all_pages_are_read(platform: Platform, settings: dict[str, Any], answer: str) -> None:
    def page(asked: Asked) -> Answer:
        start = {
            "cursor": int(asked.params.get("cursor", 0)),
            "page": (int(asked.params.get("page", 1)) - 1) * 2,
            "offset": int(asked.params.get("offset", 0)),
        }[answer]
        items = [{"id": number} for number in range(start, min(start + 2, 7))]
        return Answer(json={"items": items, "next": start + 2 if start + 2 < 7 else None})

    with FakeApi(page) as api:
        platform.start("TesthttpConnector", {"url": api.url, "records_path": "items", **settings})
        eventually(lambda: len(platform.events()) == 7, "seven records arrive")

    assert [event["id"] for event in platform.events()] == list(range(7))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Answer(status=500, body=b"oops"), "500 Internal Server Error (oops)"),
        (Answer(body=b"<html>Please sign in</html>"), "an HTML or XML page came instead of JSON"),
        (Answer(body=b'[{"id": 1'), "not valid JSON"),
        (Answer(json=[{"id": 1}], cut=5), "the answer was cut"),
    ],
)
def test_a_bad_answer_is_logged_and_the_next_poll_delivers(platform: Platform, bad: Answer, words: str) -> None:
    answers = [bad] * 4  # one try and the three retries of the client
    with FakeApi(lambda _: answers.pop() if answers else Answer(json=[{"id": 1}])) as api:
        platform.start("TesthttpConnector", {"url": f"{api.url}/a?token=hidden", **FAST})
        eventually(platform.events, "the record arrives after the bad answer")
        errors = eventually(lambda: platform.logs("error"), "the bad answer is logged")

    assert words in errors[0]
    assert "hidden" not in errors[0]
    assert platform.events() == [{"id": 1, "source": "testhttp"}]


def test_a_server_that_is_not_there_is_logged_and_asked_again(platform: Platform) -> None:
    platform.start("TesthttpConnector", {"url": "http://127.0.0.1:9/a", "polling_interval": 1})

    eventually(lambda: len([line for line in platform.logs() if "Poll failed" in line]) >= 2, "two tries are logged")
    (error,) = platform.logs("error")
    assert "could not connect" in error, "what lasts is an error once"


def test_an_event_over_the_limit_goes_to_quarantine_and_the_others_arrive(platform: Platform) -> None:
    records = [{"id": 1}, {"id": 2, "text": "x" * 250_000}, {"id": 3}]
    with growing(records) as api:
        platform.start("TesthttpConnector", {"url": api.url, **FAST})
        eventually(lambda: len(api.asked) >= 2, "a second poll")
        warnings = eventually(lambda: platform.logs("warning"), "the quarantine is reported")

    assert [event["id"] for event in platform.events()] == [1, 3]
    assert len(list(platform.data_folder.glob("*/quarantine/*.json"))) == 1
    assert len(warnings) == 1
    assert "an intake takes at most 250000" in warnings[0]


def test_nothing_is_remembered_that_the_intake_did_not_take(platform: Platform) -> None:
    """The intake refuses the first push: the records are delivered by a later poll."""
    failures = [503]

    def intake(_: Asked) -> Answer:
        if failures:
            return Answer(status=failures.pop(), json={"error": "busy"})
        return Answer(json={"event_ids": [str(number) for number in range(2)]})

    with growing([{"id": 1}, {"id": 2}]) as api, FakeApi(intake) as sink:
        settings = {"url": api.url, "intake_server": sink.url, "compress": False, **FAST}
        platform.start("TesthttpConnector", settings)
        eventually(lambda: len(sink.asked) >= 2, "a second push")
        eventually(lambda: len(api.asked) >= 4, "more polls")

    assert len(sink.asked) == 2
    assert sink.asked[0].json == sink.asked[1].json


def test_sigterm_ends_a_waiting_connector_within_two_seconds(platform: Platform) -> None:
    with growing([{"id": 1}]) as api:
        started = platform.start("TesthttpConnector", {"url": api.url, "polling_interval": 60})
        eventually(platform.events, "the first poll")
        status, seconds = started.stop()

    assert status == 0
    assert seconds < 2


def test_sigterm_ends_a_connector_whose_api_does_not_answer_within_two_seconds(platform: Platform) -> None:
    release = threading.Event()
    with FakeApi(lambda _: Answer(json=[], wait=release)) as api:
        started = platform.start("TesthttpConnector", {"url": api.url})
        eventually(lambda: api.asked, "the request under way")
        status, seconds = started.stop()
        release.set()

    assert status == 0
    assert seconds < 2


def test_a_wrong_intake_key_ends_in_one_critical_line(platform: Platform) -> None:
    with growing([{"id": 1}]) as api:
        platform.start("TesthttpConnector", {"url": api.url, "intake_key": "wrong", **FAST})
        critical = eventually(lambda: platform.logs("critical"), "the wrong key is reported")

    assert critical == ["Configuration error: intake_key: the intake refused it (401); copy it from Sekoia.io again"]
