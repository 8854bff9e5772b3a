"""Which records are the same, and which of them are remembered for how long."""

import json
import tracemalloc
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.errors import SettingsError
from httpkit.freshness import SeenKeys, key_of
from httpkit.key_sets import KeySet

_scalars = st.none() | st.booleans() | st.integers() | st.text(alphabet=st.characters())
_records = st.dictionaries(st.text(max_size=5), _scalars | st.lists(_scalars, max_size=3), max_size=5)


def key(number: int) -> bytes:
    """A key as `key_of` makes them."""
    return blake2b(number.to_bytes(16, "big"), digest_size=16).digest()


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


def test_added_keys_are_seen() -> None:
    seen = SeenKeys([key(1)])
    seen.add([key(3), key(2), key(1)])

    assert key(2) in seen
    assert key(4) not in seen
    assert len(seen) == 3


def test_a_key_that_is_given_is_not_new_and_not_yet_seen() -> None:
    seen = SeenKeys()
    seen.begin("window")
    seen.give([key(1)])

    assert seen.show([key(1)])[0]
    assert key(1) not in seen

    seen.add([key(1)])

    assert key(1) in seen


def test_what_was_given_and_never_confirmed_is_new_in_the_next_poll() -> None:
    seen = SeenKeys()
    seen.begin("window")
    seen.give([key(1)])
    seen.begin_poll()

    assert not seen.show([key(1)])[0]


def test_keys_from_before_were_not_shown_in_a_window() -> None:
    seen = SeenKeys([key(1)])
    seen.begin("window")

    assert not seen.all_shown([key(1)])


def test_a_key_is_shown_until_the_next_reading_begins() -> None:
    seen = SeenKeys([key(1)])
    seen.begin("window")
    assert seen.show([key(1)])[0]
    seen.give([key(2)])

    assert seen.all_shown([key(1)])
    assert seen.all_shown([key(2)])

    seen.begin("another window")

    assert not seen.all_shown([key(1)])
    assert not seen.all_shown([key(2)])


def test_a_key_that_is_confirmed_after_its_window_was_not_shown_in_the_next_one() -> None:
    """Delivery runs behind reading; a late confirmation must not make the next window look read already."""
    seen = SeenKeys()
    seen.begin("window")
    seen.give([key(1)])
    seen.begin("another window")
    seen.add([key(1)])

    assert not seen.all_shown([key(1)])
    assert key(1) in seen


def test_showing_a_key_that_was_not_delivered_does_not_remember_it() -> None:
    seen = SeenKeys()
    seen.begin("window")

    assert not seen.show([key(1)])[0]
    assert key(1) not in seen
    assert not seen.all_shown([key(1)])


def test_repeats_are_the_keys_of_earlier_windows() -> None:
    seen = SeenKeys()
    windows(seen, [1, 2])
    for number in (1, 1, 2, 3):
        seen.show([key(number)])

    assert seen.repeats == 2


def windows(seen: SeenKeys, *shown: list[int]) -> None:
    """Read windows one after the other; each shows some records, and delivers those that are new."""
    for number, numbers in enumerate(shown):
        seen.begin(f"window {number}")
        for one in numbers:
            if not seen.show([key(one)])[0]:
                seen.give([key(one)])
                seen.add([key(one)])
    seen.begin("the end")


def test_nothing_is_forgotten_up_to_the_limit() -> None:
    seen = SeenKeys(limit=4)
    windows(seen, [1, 2], [], [], [3], [], [])

    assert seen.forget_beyond_limit() == 0
    assert len(seen) == 3


def test_the_keys_that_were_not_shown_for_longest_are_forgotten_first() -> None:
    seen = SeenKeys(limit=4)
    windows(seen, [1, 2, 3], [4], [5, 6], [7], [8], [9])

    assert seen.forget_beyond_limit() == 3
    assert seen.forget_beyond_limit() == 0
    assert [number for number in range(10) if key(number) in seen] == [4, 5, 6, 7, 8, 9]


def test_keys_that_the_api_still_shows_are_never_forgotten() -> None:
    """Forgetting one would deliver its record again at the next poll, and for ever."""
    seen, always = SeenKeys(limit=10), list(range(50))
    windows(seen, *([*always, 100 + number, 200 + number] for number in range(40)))

    assert seen.forget_beyond_limit() > 0
    assert all(key(number) in seen for number in always)


def test_going_on_with_a_window_keeps_what_its_first_part_showed() -> None:
    seen = SeenKeys(limit=2)
    windows(seen, [1, 2, 3], [4, 5, 6])
    for number in range(7, 20):
        seen.begin("one long window")
        seen.give([key(number)])
        seen.add([key(number)])

    assert all(key(number) in seen for number in range(7, 20))


def test_reading_a_gap_again_forgets_nothing() -> None:
    seen = SeenKeys(limit=2)
    windows(seen, [1, 2, 3])
    for _ in range(5):
        seen.begin(None)

    assert all(key(number) in seen for number in (1, 2, 3))


@given(st.lists(st.tuples(st.sampled_from(["add", "discard"]), st.integers(0, 300)), max_size=200), st.integers(0, 2))
def test_a_compact_set_is_a_set(steps: list[tuple[str, int]], crowding: int) -> None:
    """With crowding all keys fall into few buckets, and their bytes overlap."""

    def crowded(number: int) -> bytes:
        stored: bytes = (number % 256 ** (3 - crowding)).to_bytes(3, "big")
        return bytes([0, 0, 0, 0, 0, 0, 0, number % 2, 0]) + stored.ljust(7, b"\x01")

    compact, plain = KeySet(), set[bytes]()
    for step, number in steps:
        one = crowded(number)
        if step == "add":
            compact.add([one])
            plain.add(one)
        else:
            assert compact.discard(one) == (one in plain)
            plain.discard(one)
        assert len(compact) == len(plain)
    assert all((crowded(number) in compact) == (crowded(number) in plain) for number in range(301))


@given(st.sets(st.integers(0, 500)), st.sets(st.integers(0, 500)))
def test_absorbing_a_set_gives_the_union(one: set[int], other: set[int]) -> None:
    union = KeySet(map(key, one))
    union.absorb(KeySet(map(key, other)))

    assert len(union) == len(one | other)
    assert all((key(number) in union) == (number in one | other) for number in range(501))


def test_a_set_that_absorbed_another_shares_nothing_with_it() -> None:
    absorbed, union = KeySet([key(1)]), KeySet()
    union.absorb(absorbed)
    union.add([key(2)])
    union.discard(key(1))

    assert (key(1) in absorbed, key(2) in absorbed, len(absorbed)) == (True, False, 1)
    assert (key(1) in union, key(2) in union, len(union)) == (False, True, 1)


def test_large_pages_of_ever_other_sizes_leave_nothing_behind() -> None:
    keys, compact = list(map(key, range(20_016))), KeySet()
    compact.add(keys)

    tracemalloc.start()
    for size in range(20_000, 20_016):
        compact.holds(keys[:size])
    left = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert left < 1_000_000
