"""Pages that are cut where the page before tells, beside the same pages cut by one who has seen none before."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.slicing import Slicer
from tests.core.pages import LONG, page, records


def slicer(records_path: str = "items") -> Slicer:
    """One that has seen no page yet."""
    return Slicer(
        records_path=records_path,
        id_path="id",
        timestamp_path="time",
        added=["source"],
        in_answer=["next", "meta.total"],
    )


def seen_by(one: Slicer, body: bytes) -> Any:
    """All that is told of a page; None when it has to be decoded."""
    cut = one.cut(body)
    slices = one.read(cut) if cut else None
    if slices is None:
        return None
    records = slices.records
    return slices.content, list(records.slices), list(records.identities), list(records.times), records.plain


def is_guessed(one: Slicer, body: bytes) -> bool:
    """Is a page cut in one look, and was that right?"""
    cut = one.cut(body)
    slices = one.read(cut) if cut else None
    return cut is not None and cut.guessed and slices is not None and slices.content is cut.content


STYLES = {
    "compact": lambda items, token: page(items, next=token),
    "with spaces": lambda items, token: json.dumps({"items": items, "next": token}).encode(),
    "list last": lambda items, token: json.dumps({"next": token, "items": items}).encode(),
    "line end": lambda items, token: page(items, next=token) + b"\r\n",
    "letters": lambda items, token: json.dumps({"items": items, "next": token}, ensure_ascii=False).encode(),
}


@pytest.mark.parametrize("style", STYLES)
def test_the_second_page_is_cut_in_one_look(style: str) -> None:
    one = slicer()
    pages = [STYLES[style](records(*range(start, start + 30), who="ä"), f"t{start}") for start in (0, 30, 60)]

    assert not is_guessed(one, pages[0])
    assert is_guessed(one, pages[1])
    assert is_guessed(one, pages[2])
    assert seen_by(one, pages[2]) == seen_by(slicer(), pages[2])


@pytest.mark.parametrize("path", ["", "data.items"])
def test_the_list_may_be_the_page_or_lie_deeper(path: str) -> None:
    def body(*numbers: int) -> bytes:
        items = records(*numbers)
        return json.dumps({"data": {"items": items}, "next": numbers[0]} if path else items).encode()

    one = slicer(path)
    assert not is_guessed(one, body(1, 2))
    assert is_guessed(one, body(3, 4, 5))
    assert seen_by(one, body(3, 4, 5)) == seen_by(slicer(path), body(3, 4, 5))


@pytest.mark.parametrize(
    "odd",
    [
        page([{"time": 1, "parts": [{"a": 1}, {"id": "x"}], "id": "x"}, *records(3)], next="t"),
        page([*records(1, parts=[{"a": 1}, {"id": "e-1"}]), {"time": 1, "id": "e-2"}], next="t"),
        page(records(1, 2), other=records(3, 4), next="t"),
        page(records(1, 2), items2=[], next={"items": records(3)}),
        b'{"items":[{"id":"e-1"},{"id":"e-2"}],"items":[{"id":"e-3"},{"id":"e-4"}],"next":"t"}',
        b'{"a":{"items":[{"id":"e-1"},{"id":"e-2"}]},"items":[{"id":"e-3"}],"next":"t"}',
        page([*records(1, 2), 3, *records(4)], next="t"),
        page([{}, *records(1, 2)], next="t"),
        page(records(1, 2, source="theirs"), next="t"),
        page([*records(1), *records(2, source="theirs")], next="t"),
        page([], next=None),
        page(records(1), next="t"),
        page(records(1, text='"},{"id":"e-1"}],"next":'), next="t"),
        page(records(1, 2), next="t")[:-20],
        page(records(1, 2), next="t") + b"]",
        page(records(1, 2), next="t").replace(b"xx", b"x\xff"),
        page(records(1, 2), next="t").replace(b"e-2", b"e-\xff"),
        page(records(1, 2), next="t").replace(b"},{", b"}\n,{"),
        page(records(1, 2), next="t").replace(b"},{", b"} , {"),
        page(records(1, 2), next="t").replace(b"},{", b"}{"),
        page(records(1, 2), next="t").replace(b"},{", b"},,{"),
    ],
)
def test_an_odd_page_among_others_is_seen_as_it_is(odd: bytes) -> None:
    one = slicer()
    assert not is_guessed(one, page(records(1, 2), next="t"))
    assert is_guessed(one, page(records(3, 4), next="t"))
    for body in (page(records(5, 6), next="u"), odd, page(records(7, 8), next="v"), odd):
        assert seen_by(one, body) == seen_by(slicer(), body)


def test_records_that_become_shorter_are_not_taken_together() -> None:
    one = slicer()
    for length in (5000, 2000, 1000, 999, 520, 50, 0, 300):
        body = page([{"id": number, "text": "x" * length} for number in range(20)], next="t")
        assert seen_by(one, body) == seen_by(slicer(), body)


def test_short_records_are_not_guessed_since_they_are_found_as_fast_without() -> None:
    one = slicer()
    for start in (0, 20, 40):
        assert not is_guessed(one, page([{"id": number} for number in range(start, start + 20)], next="t"))


def test_the_oftener_guesses_are_wrong_the_rarer_they_become() -> None:
    usual = page(records(*range(20)), next="t")
    odd = page(records(*range(20), parts=[{"a": "x" * 600}, {"id": "e-1"}]), next="t")

    def rest_after(number: int) -> int:
        """How many pages are not guessed after so many on which every guess is wrong."""
        one = slicer()
        for body in [usual, *[odd] * number]:
            one.cut(body)
        return next(pages for pages in range(100) if is_guessed(one, usual))

    assert rest_after(1) == 0
    assert rest_after(5) < rest_after(20) < rest_after(150) < 70


def test_the_longest_search_takes_no_longer_than_a_look_at_the_page() -> None:
    """A page may be made to be searched slowly: backwards, each byte is compared with all of what is searched for."""
    spaces = b" " * 400_000
    one = slicer()
    one.cut(page(records(1, 2)) + spaces)
    start = time.monotonic()
    one.cut(page(records(1, 2, text="}" * 400_000)) + spaces[:-1])
    assert time.monotonic() - start < 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "e-1", '"},{"id":"', "}]", "ä", "{"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "time", "items", "next", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)
RECORDS = st.lists(
    st.fixed_dictionaries({"id": VALUES}, optional={"time": VALUES, "a": VALUES, "source": VALUES})
    | st.dictionaries(st.sampled_from(["id", "time", "a"]), VALUES, max_size=3)
    | st.just({"id": "e-1", "a": [{"b": 1}, {"id": "e-1"}]}),
    max_size=4,
)
BESIDE = st.dictionaries(st.sampled_from(["a", "next", "meta", "other"]), VALUES, max_size=2)
GAPS = st.sampled_from([(",", ":"), (", ", ": ")])


def pages_of(before: Any, after: Any, gap: tuple[str, str]) -> st.SearchStrategy[list[bytes]]:
    """Pages of one API, which are alike but for their records."""
    return st.lists(
        RECORDS.map(
            lambda items: json.dumps(
                {**before, "items": [{**item, "text": LONG} for item in items], **after},
                ensure_ascii=False,
                separators=gap,
            ).encode()
        ),
        min_size=2,
        max_size=6,
    )


@given(st.tuples(BESIDE, BESIDE, GAPS).flatmap(lambda api: pages_of(*api)))
def test_whatever_came_before_a_page_is_cut_as_by_one_who_has_seen_none(bodies: list[bytes]) -> None:
    one = slicer()
    for body in bodies:
        assert seen_by(one, body) == seen_by(slicer(), body)
