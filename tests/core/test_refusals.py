"""What an intake refuses: when an event is given up, when the intake is doubted, and when a record is delivered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.intake import Intake, Push
from tests.core.pushes import body_of, intake_at, packed, refusing_bad_ones
from tests.fake_api import Answer, Asked, FakeApi, Handler


def giving_no_id(arrived: list[str], nulls: dict[str, int]) -> Handler:
    """An intake that gives some events null instead of an id, each so many times, and lists what arrives."""

    def handler(asked: Asked) -> Answer:
        ids: list[str | None] = []
        for text in body_of(asked)["jsons"]:
            left = nulls.get(text, 0)
            nulls[text] = left - 1
            ids.append(None if left > 0 else "id")
            arrived.extend([text] * (left <= 0))
        return Answer(json={"event_ids": ids})

    return handler


def push_of(records: list[list[str]]) -> tuple[Push, dict[bytes, list[str]]]:
    """One push of some records with several events each, and the events by the key of their record."""
    keys = [number.to_bytes(16, "big") for number in range(len(records))]
    texts = [text for events in records for text in events]
    marks = [mark for key, events in zip(keys, records, strict=True) for mark in [*[None] * (len(events) - 1), key]]
    return Push(texts=texts, marks=marks), dict(zip(keys, records, strict=True))


def check_keys(intake: Intake, records: list[list[str]], arrived: list[str]) -> None:
    """Deliver records, and look at each key when it is given: a kill right after it must lose nothing."""
    push, events_of = push_of(records)
    given_keys: list[bytes] = []
    refused: list[str] = []
    for delivered in intake.deliver(push):
        refused += [refusal.text for refusal in delivered.refusals]
        for key in delivered.keys:
            assert set(events_of[key]) <= {*arrived, *refused}
        given_keys += delivered.keys
    assert sorted(given_keys) == list(events_of)


def test_a_key_is_given_once_all_events_of_its_record_are_decided(api: FakeApi) -> None:
    """After ten refusals an event is sent before those of its own record that wait."""
    arrived: list[str] = []
    api.handler = refusing_bad_ones(arrived)
    records = [*([f"bad {number}"] for number in range(10)), ["e1", "e2", "bad e3", "e4"]]

    check_keys(intake_at(api.url), records, arrived)

    assert sorted(arrived) == ["e1", "e2", "e4"]


_records = st.lists(st.lists(st.sampled_from(["good", "bad"]), min_size=1, max_size=5), min_size=1, max_size=8)


@given(records=_records, refused_before=st.integers(8, 12))
def test_whatever_is_refused_no_key_is_given_too_early(records: list[list[str]], refused_before: int) -> None:
    records = [["bad"]] * refused_before + records + [["good"]]
    named = [[f"{text} {place}/{number}" for number, text in enumerate(one)] for place, one in enumerate(records)]
    arrived: list[str] = []
    with FakeApi(refusing_bad_ones(arrived)) as api:
        check_keys(intake_at(api.url), named, arrived)


# events without an id


def patient_intake_at(url: str) -> Intake:
    """An intake that is tried again without a wait."""
    return intake_at(url, trouble=lambda error, seconds: None)


@pytest.mark.parametrize("others", [0, 1, 6])
@pytest.mark.parametrize("times", [1, 2])
def test_an_event_that_got_no_id_is_tried_again_also_beside_others(api: FakeApi, others: int, times: int) -> None:
    arrived: list[str] = []
    texts = ["late", *map(str, range(others))]
    api.handler = giving_no_id(arrived, {"late": times})
    intake = patient_intake_at(api.url)

    delivered = [one for push in packed(intake, *texts) for one in intake.deliver(push)]

    assert sorted(arrived) == sorted(texts)
    assert sum(one.count for one in delivered) == len(texts)
    assert not any(one.refusals for one in delivered)


def test_a_record_is_not_delivered_while_one_of_its_events_has_no_id(api: FakeApi) -> None:
    arrived: list[str] = []
    api.handler = giving_no_id(arrived, {"b1": 1, "b3": 2, "never": 99})

    check_keys(patient_intake_at(api.url), [["a"], ["b1", "b2", "b3", "b4"], ["never", "c"]], arrived)

    assert sorted(arrived) == ["a", "b1", "b2", "b3", "b4", "c"]


def test_an_intake_that_gives_only_the_first_of_a_push_an_id_gets_everything_once(api: FakeApi) -> None:
    arrived: list[str] = []

    def handler(asked: Asked) -> Answer:
        jsons = body_of(asked)["jsons"]
        arrived.append(jsons[0])
        return Answer(json={"event_ids": ["id", *[None] * (len(jsons) - 1)]})

    api.handler = handler
    texts = [str(number) for number in range(7)]
    intake = patient_intake_at(api.url)
    (push,) = packed(intake, *texts)

    assert sum(delivered.count for delivered in intake.deliver(push)) == 7
    assert arrived == texts
