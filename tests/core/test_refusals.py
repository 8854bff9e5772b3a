"""What an intake refuses: when an event is given up, when the intake is doubted, and when a record is delivered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.errors import RefusedError, SettingsError
from httpkit.intake import Intake, Push
from tests.core.pushes import acknowledge, body_of, intake_at, packed, refusing_bad_ones
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


def patient_intake_at(url: str) -> Intake:
    """An intake that is tried again without a wait."""
    return intake_at(url, trouble=lambda error, seconds: None)


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


@given(
    records=st.lists(
        st.lists(st.sampled_from(["good", "bad", "never"]), min_size=1, max_size=5), min_size=1, max_size=8
    ),
    refused_before=st.integers(0, 12),
)
def test_whatever_is_refused_or_gets_no_id_no_key_is_given_too_early(
    records: list[list[str]], refused_before: int
) -> None:
    records = [["bad"]] * refused_before + records + [["good"]]
    named = [[f"{text} {place}/{number}" for number, text in enumerate(one)] for place, one in enumerate(records)]
    arrived: list[str] = []

    def handler(asked: Asked) -> Answer:
        texts = body_of(asked)["jsons"]
        if any(text.startswith("bad") for text in texts):
            return Answer(status=400)
        arrived.extend(text for text in texts if text.startswith("good"))
        return Answer(json={"event_ids": ["id" if text.startswith("good") else None for text in texts]})

    with FakeApi(handler) as api:
        check_keys(patient_intake_at(api.url), named, arrived)


# an intake that is doubted


def delivered_by(intake: Intake, *texts: str) -> tuple[int, list[str]]:
    """Deliver some events; the number that was taken, and those that were refused."""
    delivered = [one for push in packed(intake, *texts) for one in intake.deliver(push)]
    return sum(one.count for one in delivered), [refusal.text for one in delivered for refusal in one.refusals]


def numbered(word: str, count: int) -> list[str]:
    """Events that begin with a word."""
    return [f"{word} {number}" for number in range(count)]


def refusing_all(status: int = 400) -> Handler:
    """An intake that takes nothing."""
    return lambda _: Answer(status=status)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_an_intake_that_refuses_all_of_many_small_pushes_is_doubted(api: FakeApi, count: int) -> None:
    """Else a quiet source would lose everything to the quarantine while its intake is broken."""
    api.handler = refusing_all()
    intake = intake_at(api.url)
    given_up: list[str] = []
    for _ in range(9 // count):
        given_up += delivered_by(intake, *numbered("good", count))[1]
    for _ in range(3):
        with pytest.raises(RefusedError):
            delivered_by(intake, *numbered("good", count))
    assert len(given_up) == 9

    api.handler = acknowledge
    assert delivered_by(intake, *numbered("good", count)) == (count, [])


@pytest.mark.parametrize("bad", [10, 25])
def test_a_push_of_bad_events_alone_is_given_up_when_the_intake_still_takes_what_it_took(
    api: FakeApi, bad: int
) -> None:
    arrived: list[str] = []
    api.handler = refusing_bad_ones(arrived)
    intake = intake_at(api.url)
    assert delivered_by(intake, "first", "last") == (2, [])

    assert delivered_by(intake, *numbered("bad", bad)) == (0, numbered("bad", bad))

    assert arrived == ["first", "last", *["last"] * (bad // 10)]


def test_an_intake_that_refuses_what_it_took_is_doubted_and_not_the_events(api: FakeApi) -> None:
    api.handler = acknowledge
    intake = intake_at(api.url)
    delivered_by(intake, "good")
    api.handler = refusing_all()

    with pytest.raises(RefusedError):
        delivered_by(intake, *numbered("also good", 10))

    api.handler = acknowledge
    assert delivered_by(intake, *numbered("also good", 10)) == (10, [])


def test_each_event_that_is_taken_ends_the_doubt(api: FakeApi) -> None:
    arrived: list[str] = []
    api.handler = refusing_bad_ones(arrived)
    intake = intake_at(api.url, batch_size=9)
    texts = [*numbered("bad", 9), "good 1", *numbered("bad", 9), "good 2", *numbered("bad", 9)]

    assert delivered_by(intake, *texts) == (2, numbered("bad", 9) * 3)
    assert arrived == ["good 1", "good 2"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_a_wrong_setting_also_in_doubt(api: FakeApi, status: int) -> None:
    api.handler = acknowledge
    intake = intake_at(api.url)
    delivered_by(intake, "known")
    api.handler = lambda asked: Answer(status=status if body_of(asked)["jsons"] == ["known"] else 400)

    with pytest.raises(SettingsError):
        delivered_by(intake, *numbered("bad", 10))


def test_an_outage_while_an_intake_is_doubted_is_waited_for(api: FakeApi) -> None:
    api.handler = acknowledge
    intake = patient_intake_at(api.url)
    delivered_by(intake, "known")
    outage = [503, 503]

    def handler(asked: Asked) -> Answer:
        if body_of(asked)["jsons"] != ["known"]:
            return Answer(status=400)
        return Answer(status=outage.pop()) if outage else acknowledge(asked)

    api.handler = handler
    assert delivered_by(intake, *numbered("bad", 10)) == (0, numbered("bad", 10))


# events without an id


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


def test_many_events_that_get_no_id_are_tried_again_together(api: FakeApi) -> None:
    """Each by itself would keep the intake waiting for minutes."""
    arrived: list[str] = []
    never, others = numbered("never", 50), numbered("good", 50)
    api.handler = giving_no_id(arrived, dict.fromkeys(never, 99))
    waits: list[float] = []
    intake = intake_at(api.url, trouble=lambda error, seconds: waits.append(seconds))

    assert delivered_by(intake, *never, *others) == (50, never)

    assert arrived == others
    assert len(api.asked) == 3
    assert waits == [1, 2]


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
