"""How events are packed into pushes, within the limits of an intake."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.errors import SettingsError
from httpkit.intake import EVENT_BYTES, too_large
from tests.core.pushes import KEY, intake_at, keys_of, packed, payload_of

PAYLOAD_BYTES = 10 * 1024 * 1024


def test_events_travel_together_up_to_the_batch_size() -> None:
    pushes = packed(intake_at("https://intake", batch_size=2), *map(str, range(5)))

    assert [json.loads(payload_of(push))["jsons"] for push in pushes] == [["0", "1"], ["2", "3"], ["4"]]
    assert [len(push.keys) for push in pushes] == [2, 2, 1]


def test_no_events_make_no_push() -> None:
    assert packed(intake_at("https://intake")) == []


def test_a_push_carries_the_intake_key_and_the_keys_of_its_events() -> None:
    (push,) = packed(intake_at("https://intake"), "a", "b")

    assert json.loads(payload_of(push)) == {"intake_key": KEY, "jsons": ["a", "b"]}
    assert list(push.keys) == keys_of(2)


@pytest.mark.parametrize("letter", ["x", '"', "ž", "漢", "\x01"], ids=["plain", "quote", "two", "three", "control"])
def test_no_payload_is_larger_than_ten_mebibytes_in_its_encoded_form(letter: str) -> None:
    """A quote takes one byte in the event, and two in the payload."""
    text = letter * (EVENT_BYTES // len(letter.encode()))
    pushes = packed(intake_at("https://intake"), *[text] * 60)

    assert [json.loads(payload_of(push))["jsons"] for push in pushes] == [[text] * len(push.keys) for push in pushes]
    assert sum(len(push.keys) for push in pushes) == 60
    assert all(len(payload_of(push)) <= PAYLOAD_BYTES for push in pushes)
    one_more = len(json.dumps(text, ensure_ascii=False).encode()) + 1
    assert all(len(payload_of(push)) + one_more > PAYLOAD_BYTES for push in pushes[:-1])


def test_a_payload_may_have_exactly_ten_mebibytes() -> None:
    """Two events fill it to the last byte; one byte more starts another push."""
    intake = intake_at("https://intake")
    (empty,) = packed(intake, "", "")
    room = PAYLOAD_BYTES - len(payload_of(empty))

    (full,) = packed(intake, "x" * 9, "x" * (room - 9))
    assert len(payload_of(full)) == PAYLOAD_BYTES
    assert len(packed(intake, "x" * 9, "x" * (room - 8))) == 2


_texts = st.text(alphabet=st.characters(), max_size=20)


@given(st.lists(_texts, max_size=30), st.integers(1, 7))
def test_no_event_is_lost_doubled_or_moved(texts: list[str], batch_size: int) -> None:
    pushes = packed(intake_at("https://intake", batch_size=batch_size), *texts)

    assert [text for push in pushes for text in json.loads(payload_of(push))["jsons"]] == texts
    assert [key for push in pushes for key in push.keys] == keys_of(len(texts))
    assert all(1 <= len(push.keys) <= batch_size for push in pushes)


@pytest.mark.parametrize(
    ("text", "is_too_large"),
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
def test_an_event_is_too_large_above_the_limit_in_bytes(text: str, *, is_too_large: bool) -> None:
    assert too_large(text) == is_too_large


def test_a_batch_size_below_one_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="batch_size"):
        intake_at("https://intake", batch_size=0)
