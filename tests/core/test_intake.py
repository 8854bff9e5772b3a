"""When events have arrived at an intake, and what happens to those that have not."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from httpkit.errors import HttpkitError, RefusedError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.intake import Delivered
from tests.core.polls import in_turn
from tests.core.pushes import KEY, acknowledge, body_of, intake_at, keys_of, packed, refusing_bad_ones
from tests.fake_api import Answer, Asked, FakeApi, Handler


def deliver(api: FakeApi, *texts: str, patience: int = 0, **settings: Any) -> list[Delivered]:
    """Deliver some events to a server; after so many waits the first trouble is raised."""
    troubles: list[HttpkitError] = []

    def trouble(error: HttpkitError, seconds: float) -> None:
        assert seconds >= 1
        troubles.append(error)
        if len(troubles) > patience:
            raise error

    intake = intake_at(api.url, trouble=trouble, **settings)
    return [delivered for push in packed(intake, *texts) for delivered in intake.deliver(push)]


def taking(refused: str, status: int = 400) -> Handler:
    """An intake that refuses each push in which there is a certain event."""

    def handler(asked: Asked) -> Answer:
        return Answer(status=status) if refused in body_of(asked)["jsons"] else acknowledge(asked)

    return handler


def test_a_push_is_posted_to_the_batch_address_with_gzip(api: FakeApi) -> None:
    api.handler = acknowledge

    deliver(api, '{"id": 1}', "žluť")

    (asked,) = api.asked
    assert (asked.method, asked.target) == ("POST", "/batch")
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["content-encoding"] == "gzip"
    assert body_of(asked) == {"intake_key": KEY, "jsons": ['{"id": 1}', "žluť"]}


def test_a_push_that_was_begun_is_not_sent_again(api: FakeApi) -> None:
    api.handler = acknowledge
    intake = intake_at(api.url)
    (push,) = packed(intake, "a", "b")

    begun = intake.begin(push)

    assert [delivered.count for delivered in intake.deliver(push, begun)] == [2]
    assert begun.is_decided
    assert len(api.asked) == 1


def test_a_push_that_was_begun_and_failed_is_tried_again(api: FakeApi) -> None:
    api.handler = in_turn(Answer(status=503), Answer(json={"event_ids": ["id"]}))
    intake = intake_at(api.url, trouble=lambda error, seconds: None)
    (push,) = packed(intake, "a")

    assert [delivered.count for delivered in intake.deliver(push, intake.begin(push))] == [1]
    assert len(api.asked) == 2


def test_compression_can_be_switched_off(api: FakeApi) -> None:
    api.handler = acknowledge

    deliver(api, "a", compress=False)

    assert "content-encoding" not in api.asked[0].headers
    assert body_of(api.asked[0])["jsons"] == ["a"]


def test_a_slash_at_the_end_of_the_address_changes_nothing(api: FakeApi) -> None:
    api.handler = acknowledge
    intake = intake_at(f"{api.url}/region/")

    for push in packed(intake, "a"):
        assert [delivered.count for delivered in intake.deliver(push)] == [1]

    assert api.asked[0].target == "/region/batch"


def test_a_part_that_is_not_acknowledged_is_told_from_the_others_by_halving(api: FakeApi) -> None:
    """Which of the events the intake took cannot be seen from the number of its answers."""
    api.handler = lambda asked: Answer(json={"event_ids": ["id" for text in body_of(asked)["jsons"] if text != "c"]})

    delivered = deliver(api, "a", "b", "c", "d", patience=5)

    assert sum(one.count for one in delivered) == 3
    assert [refusal.text for one in delivered for refusal in one.refusals] == ["c"]


def test_an_answer_with_null_for_an_event_says_which_one_was_refused(api: FakeApi) -> None:
    api.handler = lambda asked: Answer(
        json={"event_ids": [None if text == "b" else "id" for text in body_of(asked)["jsons"]]}
    )

    delivered = deliver(api, "a", "b", "c", patience=2)

    assert sum(one.count for one in delivered) == 2
    assert [refusal.text for one in delivered for refusal in one.refusals] == ["b"]
    assert sorted(key for one in delivered for key in one.keys) == keys_of(3)
    assert [body_of(asked)["jsons"] for asked in api.asked] == [["a", "b", "c"], ["b"], ["b"]]


def test_an_event_without_an_acknowledgement_is_tried_again_before_it_is_given_up(api: FakeApi) -> None:
    api.handler = in_turn(
        Answer(json={"event_ids": []}), Answer(json={"event_ids": []}), Answer(json={"event_ids": ["id"]})
    )

    (delivered,) = deliver(api, "a", patience=5)

    assert delivered.count == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_intake_key_is_a_wrong_setting(api: FakeApi, status: int) -> None:
    api.handler = in_turn(Answer(status=status, json={"message": f"bad key {KEY}"}))

    with pytest.raises(SettingsError, match="intake_key") as caught:
        deliver(api, "a")

    assert KEY not in caught.value.message


@pytest.mark.parametrize("status", [404, 405, 408, 429, 500, 503])
def test_a_busy_or_misplaced_intake_is_tried_again(api: FakeApi, status: int) -> None:
    api.handler = in_turn(Answer(status=status), Answer(status=status), Answer(json={"event_ids": ["id"]}))

    (delivered,) = deliver(api, "a", patience=2)

    assert delivered.count == 1
    assert len(api.asked) == 3


def test_an_intake_is_not_asked_before_the_time_it_told(api: FakeApi) -> None:
    api.handler = in_turn(Answer(status=429, headers={"Retry-After": "77"}), Answer(json={"event_ids": ["id"]}))
    waits: list[float] = []
    intake = intake_at(api.url, trouble=lambda error, seconds: waits.append(seconds))
    for push in packed(intake, "a"):
        list(intake.deliver(push))

    assert waits == [77]


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("place", [0, 3, 6])
def test_an_event_that_is_refused_is_found_by_halving(api: FakeApi, status: int, place: int) -> None:
    texts = [f"event {number}" for number in range(7)]
    api.handler = taking(texts[place], status)

    delivered = deliver(api, *texts)

    assert sum(one.count for one in delivered) == 6
    assert [refusal.text for one in delivered for refusal in one.refusals] == [texts[place]]
    assert [key for one in delivered for key in one.keys] == keys_of(7)


def test_a_push_that_is_too_large_for_the_intake_goes_in_pieces(api: FakeApi) -> None:
    api.handler = lambda asked: Answer(status=413) if len(body_of(asked)["jsons"]) > 2 else acknowledge(asked)

    delivered = deliver(api, *(str(number) for number in range(9)))

    assert sum(one.count for one in delivered) == 9
    assert not any(one.refusals for one in delivered)


def test_an_intake_that_refuses_everything_is_doubted_and_not_the_events(api: FakeApi) -> None:
    api.handler = in_turn(Answer(status=400))

    with pytest.raises(RefusedError) as caught:
        deliver(api, *(str(number) for number in range(30)))

    assert caught.value.status == 400


@pytest.mark.parametrize("good", [1, 20])
@pytest.mark.parametrize("bad", [9, 10, 11, 25])
def test_many_refused_events_before_good_ones_are_no_doubt_about_the_intake(api: FakeApi, bad: int, good: int) -> None:
    texts = [*(f"bad {number}" for number in range(bad)), *(f"good {number}" for number in range(good))]
    arrived: list[str] = []
    api.handler = refusing_bad_ones(arrived)
    delivered = deliver(api, *texts)

    assert set(arrived) == set(texts[bad:])
    assert len(arrived) - good <= bad // 10, "one may come again after ten refusals"
    assert [refusal.text for one in delivered for refusal in one.refusals] == texts[:bad]
    assert sum(one.count for one in delivered) == good


def test_an_intake_that_gives_no_id_to_any_event_is_doubted_and_not_the_events(api: FakeApi) -> None:
    api.handler = lambda asked: Answer(json={"event_ids": [None for _ in body_of(asked)["jsons"]]})
    refusals: list[Any] = []

    with pytest.raises(RefusedError):
        refusals += deliver(api, *(str(number) for number in range(30)), patience=60)
    assert refusals == []


def test_tries_without_an_acknowledgement_are_counted_apart_from_outages(api: FakeApi) -> None:
    """An outage says nothing about the event."""
    outages = [Answer(status=503)] * 3
    api.handler = in_turn(*outages, *[Answer(json={"event_ids": []})] * 2, Answer(json={"event_ids": ["id"]}))

    (delivered,) = deliver(api, "a", patience=9)

    assert delivered.count == 1


@given(texts=st.lists(st.sampled_from(["good", "bad"]), min_size=1, max_size=24), batch_size=st.integers(1, 9))
def test_whatever_is_refused_everything_else_arrives_once_and_in_order(texts: list[str], batch_size: int) -> None:
    assume("bad" * 10 not in "".join(texts))
    texts = ["good", *(f"{text} {number}" for number, text in enumerate(texts))]
    arrived: list[str] = []
    with FakeApi(refusing_bad_ones(arrived)) as api:
        delivered = deliver(api, *texts, batch_size=batch_size)

    assert arrived == [text for text in texts if text.startswith("good")]
    refused = [refusal.text for one in delivered for refusal in one.refusals]
    assert refused == [text for text in texts if text.startswith("bad")]
    assert len({key for one in delivered for key in one.keys}) == len(texts)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"<html>welcome</html>"),
        Answer(body=b""),
        Answer(json=[]),
        Answer(json={"ok": True}),
        Answer(json={"event_ids": "id"}),
        Answer(json={"event_ids": 1}),
    ],
    ids=["html", "empty", "list", "other", "text", "number"],
)
def test_a_server_that_is_not_an_intake_acknowledges_nothing(api: FakeApi, answer: Answer) -> None:
    api.handler = in_turn(answer)

    with pytest.raises(UnexpectedShapeError, match="intake_server"):
        deliver(api, "a")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_intake_key_does_not_follow_a_redirect(api: FakeApi, status: int) -> None:
    with FakeApi(acknowledge) as elsewhere:
        api.handler = in_turn(Answer(status=status, headers={"Location": f"{elsewhere.url}/batch"}))

        with pytest.raises(SettingsError, match="intake_server"):
            deliver(api, "a")
        assert elsewhere.asked == []


def test_an_intake_that_cannot_be_reached_is_unavailable() -> None:
    with FakeApi(acknowledge) as gone:
        pass

    with pytest.raises(UnavailableError):
        deliver(gone, "a")


def test_an_answer_that_is_cut_acknowledges_nothing(api: FakeApi) -> None:
    api.handler = in_turn(Answer(json={"event_ids": ["id"]}, cut=5))

    with pytest.raises(HttpkitError) as caught:
        deliver(api, "a")

    assert isinstance(caught.value, UnavailableError)
