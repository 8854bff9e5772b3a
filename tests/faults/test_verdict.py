"""The harness itself: it notices what is lost, repeated or changed, and it allows what the promise allows."""

import json
from typing import Any

import pytest

from tests.faults.plan import plan_of
from tests.faults.verdict import Key, Push, Verdict, missing, verdict_on

SHOWN: dict[Key, Any] = {("", number): {"id": number, "big": 2**64 + 1, "text": "é"} for number in range(4)}


def push(*numbers: int, process: int = 1, stored: int | None = None, acknowledged: bool = True) -> Push:
    events = [json.dumps(SHOWN["", number]) for number in numbers]
    return Push(
        process=process,
        events=events,
        stored=len(events) if stored is None else stored,
        acknowledged=acknowledged,
    )


def verdict(*pushes: Push, source: str = "", batch_size: int = 2, at_once: int = 1) -> Verdict:
    return verdict_on(SHOWN, pushes, source=source, batch_size=batch_size, at_once=at_once)


def test_each_event_once_is_good() -> None:
    assert verdict(push(0, 1), push(2, 3)) == Verdict(problems=[], lost=0, repeated=0, again=frozenset())


def test_a_lost_event_is_noticed() -> None:
    found = verdict(push(0, 1), push(2))

    assert found.lost == 1
    assert found.problems == ["1 of 4 events were lost: ('', 3)"]
    assert missing(SHOWN, [push(0, 1), push(2)]) == {("", 3)}


def test_an_event_that_was_pushed_but_not_stored_is_lost() -> None:
    assert verdict(push(0, 1), push(2, 3, stored=1, acknowledged=False)).lost == 1


def test_an_event_that_comes_twice_without_a_reason_is_noticed() -> None:
    found = verdict(push(0, 1), push(2, 3), push(3))

    assert found.repeated == 1
    assert found.again == {("", 3)}
    assert found.problems == ["1 events came again without a reason: ('', 3)"]


def test_a_push_whose_acknowledgement_was_lost_may_come_again() -> None:
    assert verdict(push(0, 1, acknowledged=False), push(0, 1), push(2, 3)).problems == []


def test_the_last_push_before_a_crash_may_come_again() -> None:
    assert verdict(push(0, 1), push(2, 3), push(2, 3, process=2)).problems == []


def test_an_earlier_push_must_not_come_again_after_a_crash() -> None:
    pushes = (push(0, 1), push(2, 3), push(0, process=2))

    assert verdict(*pushes).problems == ["1 events came again without a reason: ('', 0)"]
    assert verdict(*pushes, at_once=2).problems == [], "unless two were under way at one moment"


def test_a_crash_repeats_one_batch_at_most() -> None:
    found = verdict(push(0, 1, 2, 3), push(0, 1, 2, process=2))

    assert found.problems == ["3 events came again after the end of process 1, more than a batch of 2"]


@pytest.mark.parametrize("changed", [{"big": float(2**64)}, {"text": "e"}, {"more": None}, {"source": "testhttp"}])
def test_a_changed_event_is_noticed(changed: dict[str, Any]) -> None:
    event = json.dumps({**SHOWN["", 3], **changed})
    bad = Push(process=1, events=[event], stored=1, acknowledged=True)

    (problem,) = verdict(push(0, 1), push(2), bad).problems
    assert problem.startswith("the event ('', 3) was changed on its way")


@pytest.mark.parametrize("text", ['{"id": 9}', "[]", "half of a", '{"text": "x"}'])
def test_an_event_that_was_never_shown_is_noticed(text: str) -> None:
    strange = Push(process=1, events=[text], stored=1, acknowledged=True)

    assert verdict(push(0, 1), push(2, 3), strange).problems == [f"an event that was never shown: {text}"]


def test_the_source_belongs_to_an_event() -> None:
    events = [json.dumps({**entry, "source": "testhttp"}) for entry in SHOWN.values()]
    whole = Push(process=1, events=events, stored=4, acknowledged=True)

    assert verdict(whole, source="testhttp").problems == []


def test_a_seed_always_gives_the_same_plan() -> None:
    assert plan_of(7) == plan_of(7)
    assert str(plan_of(7)) != str(plan_of(8))
