"""Which records are the same, and which of them are remembered for how long."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.errors import SettingsError
from httpkit.freshness import SeenKeys, key_of

_scalars = st.none() | st.booleans() | st.integers() | st.text(alphabet=st.characters())
_records = st.dictionaries(st.text(max_size=5), _scalars | st.lists(_scalars, max_size=3), max_size=5)


def key(number: int) -> bytes:
    """A key as `key_of` makes them."""
    return number.to_bytes(16, "big")


def test_a_record_is_known_by_its_identity_alone() -> None:
    of = key_of("id")

    assert of({"id": 7, "state": "new"}) == of({"id": 7, "state": "old"})
    assert of({"id": 7}) != of({"id": 8})


def test_an_identity_may_lie_deeper() -> None:
    of = key_of("meta.uuid")

    assert of({"meta": {"uuid": "a"}, "n": 1}) == of({"meta": {"uuid": "a"}, "n": 2})


def test_an_identity_may_have_several_parts() -> None:
    of = key_of("[host, number]")

    assert of({"host": "a", "number": 1, "n": 1}) == of({"host": "a", "number": 1, "n": 2})
    assert of({"host": "a", "number": 1}) != of({"host": "b", "number": 1})
    assert of({"host": "a"}) != of({"host": "b"})


@pytest.mark.parametrize("other", ["1", 1.5, True, [1], {"id": 1}], ids=["text", "fraction", "true", "list", "object"])
def test_identities_of_different_types_are_different(other: object) -> None:
    of = key_of("id")

    assert of({"id": 1}) != of({"id": other})


def test_a_key_has_sixteen_bytes() -> None:
    assert len(key_of("id")({"id": 1})) == len(key_of("id")("text")) == 16


@pytest.mark.parametrize("path", ["id", "", "[id, number]", "{a: id, b: number}", "ids[*]", "[ids[*], id]"])
@pytest.mark.parametrize("fields", [{}, {"id": None}, {"id": ""}, {"ids": []}])
def test_a_record_without_an_identity_is_known_by_all_it_holds(path: str, fields: dict[str, Any]) -> None:
    of = key_of(path)

    assert of({**fields, "text": "a"}) != of({**fields, "text": "b"})
    assert of({**fields, "text": "a"}) == of({"text": "a", **fields})


def test_zero_and_false_are_identities() -> None:
    of = key_of("id")

    assert of({"id": 0, "n": 1}) == of({"id": 0, "n": 2})
    assert of({"id": False, "n": 1}) == of({"id": False, "n": 2})


def test_a_record_that_is_an_identity_is_not_the_record_with_that_identity() -> None:
    of = key_of("id")

    assert of("a") != of({"id": "a"})


@given(_records)
def test_the_order_of_fields_does_not_matter(record: dict[str, Any]) -> None:
    of = key_of("")

    assert of(record) == of(dict(reversed(record.items())))


@given(_records)
def test_any_record_has_the_key_of_its_copy(record: dict[str, Any]) -> None:
    of = key_of("id")

    assert of(record) == of(json.loads(json.dumps(record)))


@given(_records, _records)
def test_different_records_have_different_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    of = key_of("")

    assert (of(one) == of(other)) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


def test_an_identity_larger_than_any_machine_number_has_a_key() -> None:
    of = key_of("id")

    assert of({"id": 2**100}) != of({"id": 2**100 + 1})


def test_a_wrong_path_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="id_path"):
        key_of("id[")


def test_added_keys_are_seen_in_their_order() -> None:
    seen = SeenKeys([key(1)])
    seen.add([key(3), key(2), key(1)])

    assert key(2) in seen
    assert key(4) not in seen
    assert list(seen) == [key(1), key(3), key(2)]
    assert len(seen) == 3


def test_keys_from_before_were_not_shown_in_a_poll() -> None:
    seen = SeenKeys([key(1)])
    seen.begin_poll()

    assert not seen.shown_in_poll(key(1))


def test_a_key_is_shown_until_the_next_poll_begins() -> None:
    seen = SeenKeys([key(1)])
    seen.begin_poll()
    seen.show([key(1)])
    seen.add([key(2)])

    assert seen.shown_in_poll(key(1))
    assert seen.shown_in_poll(key(2))

    seen.begin_poll()

    assert not seen.shown_in_poll(key(1))
    assert not seen.shown_in_poll(key(2))


def test_showing_a_key_that_was_not_delivered_does_not_remember_it() -> None:
    seen = SeenKeys()
    seen.begin_poll()
    seen.show([key(1)])

    assert key(1) not in seen
    assert not seen.shown_in_poll(key(1))


def test_nothing_is_forgotten_up_to_the_limit() -> None:
    seen = SeenKeys([key(1), key(2)], limit=2)
    seen.begin_poll()

    assert seen.forget_beyond_limit() == 0
    assert len(seen) == 2


def test_the_oldest_keys_that_are_no_longer_shown_are_forgotten_first() -> None:
    seen = SeenKeys([key(1), key(2), key(3), key(4)], limit=3)
    seen.begin_poll()
    seen.show([key(1)])

    assert seen.forget_beyond_limit() == 1
    assert list(seen) == [key(1), key(3), key(4)]


def test_keys_that_the_api_still_shows_are_never_forgotten() -> None:
    """Forgetting one would deliver its record again at the next poll, and for ever."""
    seen = SeenKeys([key(number) for number in range(50)], limit=10)
    seen.begin_poll()
    seen.show([key(number) for number in range(30)])
    seen.add([key(number) for number in range(50, 60)])

    assert seen.forget_beyond_limit() == 20
    assert list(seen) == [key(number) for number in (*range(30), *range(50, 60))]


@given(st.lists(st.integers(0, 60), unique=True), st.sets(st.integers(0, 60)), st.integers(0, 40))
def test_forgetting_keeps_what_is_shown_and_otherwise_the_newest(
    remembered: list[int], shown: set[int], limit: int
) -> None:
    seen = SeenKeys(map(key, remembered), limit=limit)
    seen.begin_poll()
    seen.show(map(key, shown))
    gone = seen.forget_beyond_limit()
    left = set(seen)

    assert {key(number) for number in remembered if number in shown} <= left
    assert gone == len(remembered) - len(left)
    assert len(left) <= max(limit, len(shown))
    hidden = [key(number) for number in remembered if number not in shown]
    assert [one for one in hidden if one in left] == hidden[gone:]
