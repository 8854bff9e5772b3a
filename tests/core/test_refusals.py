"""What an intake refuses: when an event is given up, when the intake is doubted, and when a record is delivered."""

from hypothesis import given
from hypothesis import strategies as st

from httpkit.intake import Intake, Push
from tests.core.pushes import intake_at, refusing_bad_ones
from tests.fake_api import FakeApi


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
