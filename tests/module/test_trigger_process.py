"""The trigger as the platform runs it: a real main.py, a real API, real playbook runs."""

from typing import Any

import pytest

from tests.fake_api import Answer, FakeApi
from tests.played_platform import Platform, eventually

FAST = {"polling_interval": 0.01}


def entry(number: int) -> dict[str, Any]:
    return {"id": number, "value": f"entry {number}", "timestamp": 1_700_000_000 + number}


def test_only_entries_not_sent_before_start_a_run(platform: Platform) -> None:
    entries = [entry(1), entry(2)]
    with FakeApi(lambda _: Answer(json=list(entries))) as api:
        platform.start("NewEntriesTrigger", {"url": api.url, **FAST})
        eventually(lambda: len(api.asked) >= 3, "three polls")
        entries.insert(0, entry(3))
        eventually(lambda: len(platform.playbook_runs()) >= 2, "the run for the new entry")

    assert platform.playbook_runs() == [{"entries": [entry(1), entry(2)]}, {"entries": [entry(3)]}]
    assert platform.store.latest_playbook_runs(1)[0].name == "Pushing 1 new entries"
    assert "authorization" not in api.asked[0].headers


def test_a_restarted_trigger_does_not_send_again(platform: Platform) -> None:
    entries = [entry(1)]
    with FakeApi(lambda _: Answer(json=list(entries))) as api:
        first = platform.start("NewEntriesTrigger", {"url": api.url})
        eventually(platform.playbook_runs, "the first run")
        eventually(lambda: list(platform.data_folder.glob("*/state.json")), "it is remembered")
        first.stop()
        entries.append(entry(2))
        platform.start("NewEntriesTrigger", {"url": api.url})
        eventually(lambda: len(platform.playbook_runs()) >= 2, "the second run")

    assert platform.playbook_runs() == [{"entries": [entry(1)]}, {"entries": [entry(2)]}]


@pytest.mark.parametrize(
    "bad", [Answer(status=503), Answer(body=b"{not json"), Answer(json=[entry(1)], cut=3), Answer(json="oops")]
)
def test_a_bad_answer_is_logged_and_the_next_poll_sends(platform: Platform, bad: Answer) -> None:
    """The three ways in which the tutorial's trigger crashes, and one more."""
    answers = [bad] * 4  # one try and the three retries of the client
    with FakeApi(lambda _: answers.pop() if answers else Answer(json=[entry(1)])) as api:
        platform.start("NewEntriesTrigger", {"url": api.url, **FAST})
        eventually(platform.playbook_runs, "the run after the bad answer")
        eventually(lambda: platform.logs("error"), "the bad answer is logged")


def test_a_server_that_is_not_there_is_logged_and_asked_again(platform: Platform) -> None:
    platform.start("NewEntriesTrigger", {"url": "http://127.0.0.1:9/", "polling_interval": 1})

    eventually(lambda: len([line for line in platform.logs() if "Poll failed" in line]) >= 2, "two tries are logged")


def test_an_entry_that_does_not_fit_goes_to_quarantine_and_the_others_are_sent(platform: Platform) -> None:
    odd = {"id": "not a number", "value": "x", "timestamp": 1}
    with FakeApi(lambda _: Answer(json=[entry(1), odd, entry(2)])) as api:
        platform.start("NewEntriesTrigger", {"url": api.url, **FAST})
        eventually(lambda: len(api.asked) >= 2, "a second poll")
        warnings = eventually(lambda: platform.logs("warning"), "the odd entry is reported")

    assert platform.playbook_runs() == [{"entries": [entry(1), entry(2)]}]
    assert len(warnings) == 1
    assert "id: " in warnings[0]
    assert len(list(platform.data_folder.glob("*/quarantine/*.json"))) == 1


def test_sigterm_ends_a_waiting_trigger_within_two_seconds(platform: Platform) -> None:
    with FakeApi(lambda _: Answer(json=[entry(1)])) as api:
        started = platform.start("NewEntriesTrigger", {"url": api.url})
        eventually(platform.playbook_runs, "the first run")
        status, seconds = started.stop()

    assert status == 0
    assert seconds < 2
