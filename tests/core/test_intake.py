"""How events travel to an intake, and when they have arrived."""

import gzip
import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.errors import HttpkitError, RefusedError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.intake import EVENT_BYTES, Event, Intake
from tests.core.clients import local_client
from tests.core.polls import in_turn
from tests.fake_api import Answer, Asked, FakeApi

PAYLOAD_BYTES = 10 * 1024 * 1024
KEY = 'intake key with "quotes" and ž'


def event(text: str, number: int = 0) -> Event:
    """An event with a key of its own."""
    return Event(key=number.to_bytes(16, "big"), text=text)


def intake_at(url: str, **settings: Any) -> Intake:
    """An intake behind a client with short time limits."""
    return Intake(local_client(), url=url, key=KEY, **settings)


def body_of(asked: Asked) -> Any:
    """The JSON that was pushed."""
    compressed = asked.headers.get("content-encoding") == "gzip"
    return json.loads(gzip.decompress(asked.body) if compressed else asked.body)


def acknowledge(asked: Asked) -> Answer:
    """What an intake answers that has taken everything."""
    return Answer(json={"event_ids": [str(uuid4()) for _ in body_of(asked)["jsons"]]})


# packing


def test_events_travel_together_up_to_the_batch_size() -> None:
    pushes = list(intake_at("https://intake", batch_size=2).pushes(event(str(number), number) for number in range(5)))

    assert [json.loads(push.payload)["jsons"] for push in pushes] == [["0", "1"], ["2", "3"], ["4"]]
    assert [len(push.keys) for push in pushes] == [2, 2, 1]


def test_no_events_make_no_push() -> None:
    assert list(intake_at("https://intake").pushes([])) == []


def test_a_push_carries_the_intake_key_and_the_keys_of_its_events() -> None:
    (push,) = intake_at("https://intake").pushes([event("a", 1), event("b", 2)])

    assert json.loads(push.payload) == {"intake_key": KEY, "jsons": ["a", "b"]}
    assert list(push.keys) == [event("", 1).key, event("", 2).key]


@pytest.mark.parametrize("letter", ["x", '"', "ž", "漢", "\x01"], ids=["plain", "quote", "two", "three", "control"])
def test_no_payload_is_larger_than_ten_mebibytes_in_its_encoded_form(letter: str) -> None:
    """A quote takes one byte in the event, and two in the payload."""
    text = letter * (EVENT_BYTES // len(letter.encode()))
    pushes = list(intake_at("https://intake").pushes(event(text, number) for number in range(60)))

    assert [json.loads(push.payload)["jsons"] for push in pushes] == [[text] * len(push.keys) for push in pushes]
    assert sum(len(push.keys) for push in pushes) == 60
    assert all(len(push.payload) <= PAYLOAD_BYTES for push in pushes)
    one_more = len(json.dumps(text, ensure_ascii=False).encode()) + 1
    assert all(len(push.payload) + one_more > PAYLOAD_BYTES for push in pushes[:-1])


def test_a_payload_may_have_exactly_ten_mebibytes() -> None:
    """Two events fill it to the last byte; one byte more starts another push."""
    intake = intake_at("https://intake")
    (empty,) = intake.pushes([event(""), event("")])
    room = PAYLOAD_BYTES - len(empty.payload)

    assert [len(push.payload) for push in intake.pushes([event("x" * 9), event("x" * (room - 9))])] == [PAYLOAD_BYTES]
    assert len(list(intake.pushes([event("x" * 9), event("x" * (room - 8))]))) == 2


_texts = st.text(alphabet=st.characters(), max_size=20)


@given(st.lists(_texts, max_size=30), st.integers(1, 7))
def test_no_event_is_lost_doubled_or_moved(texts: list[str], batch_size: int) -> None:
    events = [event(text, number) for number, text in enumerate(texts)]
    pushes = list(intake_at("https://intake", batch_size=batch_size).pushes(events))

    assert [text for push in pushes for text in json.loads(push.payload)["jsons"]] == texts
    assert [key for push in pushes for key in push.keys] == [one.key for one in events]
    assert all(1 <= len(push.keys) <= batch_size for push in pushes)


@pytest.mark.parametrize(
    ("text", "too_large"),
    [
        ("x" * EVENT_BYTES, False),
        ("x" * (EVENT_BYTES + 1), True),
        ("ž" * (EVENT_BYTES // 2), False),
        ("ž" * (EVENT_BYTES // 2) + "x", True),
        ("\ud83d" * EVENT_BYTES, True),
        ("", False),
    ],
    ids=["at the limit", "above", "two bytes each", "two bytes each and above", "surrogates", "empty"],
)
def test_an_event_is_too_large_above_the_limit_in_bytes(text: str, *, too_large: bool) -> None:
    assert event(text).too_large == too_large


def test_a_batch_size_below_one_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="batch_size"):
        intake_at("https://intake", batch_size=0)


# delivery


def deliver(api: FakeApi, *texts: str, **settings: Any) -> None:
    """Deliver some events to a server."""
    intake = intake_at(api.url, **settings)
    for push in intake.pushes(event(text, number) for number, text in enumerate(texts)):
        intake.deliver(push)


def test_a_push_is_posted_to_the_batch_address_with_gzip(api: FakeApi) -> None:
    api.handler = acknowledge

    deliver(api, '{"id": 1}', "žluť")

    (asked,) = api.asked
    assert (asked.method, asked.target) == ("POST", "/batch")
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["content-encoding"] == "gzip"
    assert body_of(asked) == {"intake_key": KEY, "jsons": ['{"id": 1}', "žluť"]}


def test_compression_can_be_switched_off(api: FakeApi) -> None:
    api.handler = acknowledge

    deliver(api, "a", compress=False)

    assert "content-encoding" not in api.asked[0].headers
    assert body_of(api.asked[0])["jsons"] == ["a"]


def test_a_slash_at_the_end_of_the_address_changes_nothing(api: FakeApi) -> None:
    api.handler = acknowledge
    intake = intake_at(f"{api.url}/region/")

    for push in intake.pushes([event("a")]):
        intake.deliver(push)

    assert api.asked[0].target == "/region/batch"


@pytest.mark.parametrize("acknowledged", [0, 1])
def test_a_part_that_is_not_acknowledged_is_sent_again_later(api: FakeApi, acknowledged: int) -> None:
    api.handler = in_turn(Answer(json={"event_ids": ["id"] * acknowledged}))

    with pytest.raises(UnavailableError, match=f"{acknowledged} of 2"):
        deliver(api, "a", "b")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_intake_key_is_a_wrong_setting(api: FakeApi, status: int) -> None:
    api.handler = in_turn(Answer(status=status, json={"message": f"bad key {KEY}"}))

    with pytest.raises(SettingsError, match="intake_key") as caught:
        deliver(api, "a")

    assert KEY not in caught.value.message


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_intake_is_unavailable(api: FakeApi, status: int) -> None:
    api.handler = in_turn(Answer(status=status))

    with pytest.raises(UnavailableError):
        deliver(api, "a")


@pytest.mark.parametrize("status", [400, 404, 413])
def test_a_push_that_the_intake_does_not_take_is_a_refusal(api: FakeApi, status: int) -> None:
    api.handler = in_turn(Answer(status=status))

    with pytest.raises(RefusedError) as caught:
        deliver(api, "a")

    assert caught.value.status == status


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
