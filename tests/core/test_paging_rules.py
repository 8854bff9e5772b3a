"""Paging tells which of its rules ended the pages."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from httpkit.errors import UnexpectedShapeError
from httpkit.pagination import Paging
from httpkit.paging_styles import PagingSettings
from httpkit.values import OpenWindow, Page, Request, Response

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CURSOR = {"pagination": "cursor", "next_path": "next"}


def paging_of(**settings: Any) -> Paging:
    """The paging of a plain request."""
    request = Request(method="GET", url="https://api.example.com/items")
    return Paging(
        PagingSettings(**settings), lambda _scope, _follows: request, window=OpenWindow(since=NOW, until=NOW)
    )


def page_of(*records: int, **content: Any) -> Page:
    """A page with these records."""
    response = Response(
        status=200, reason="OK", url="https://api.example.com/items", headers={}, body=b"", elapsed=0, received_at=NOW
    )
    request = Request(method="GET", url=response.url)
    return Page(request=request, response=response, content=content, records=records)


@pytest.mark.parametrize(
    ("settings", "page", "rule"),
    [
        ({}, page_of(1), "no pagination"),
        ({"pagination": "page"}, page_of(), "empty page"),
        ({"pagination": "page", "page_size": 2}, page_of(1), "short page"),
        ({"pagination": "page", "total_path": "total"}, page_of(1, total=1), "total reached"),
        ({"pagination": "page"}, replace(page_of(1), all_repeats=True), "all records repeat"),
        ({"pagination": "page", "has_more_path": "more"}, page_of(1, more=False), "has_more_path is false"),
        (CURSOR, page_of(1), "no next page named"),
        ({"pagination": "link_header"}, page_of(1), "no next page named"),
        (CURSOR, page_of(1, next="b"), ""),
    ],
)
def test_the_rule_that_ended_the_pages_is_told(settings: dict[str, Any], page: Page, rule: str) -> None:
    paging = paging_of(**settings)

    assert paging.advance(page) == (not rule)
    assert paging.ended_by == rule


def test_a_loop_is_told() -> None:
    paging = paging_of(**CURSOR)

    assert paging.advance(page_of(1, next="a"))
    assert not paging.advance(page_of(2, next="a"))
    assert paging.ended_by == "the next request was already sent"


def test_a_total_of_more_digits_than_can_be_read_is_no_number() -> None:
    paging = paging_of(pagination="page", total_path="total")

    with pytest.raises(UnexpectedShapeError, match="total_path finds str, not a number"):
        paging.advance(page_of(1, total="9" * 5000))


PAGES = st.builds(
    lambda count, **content: page_of(*range(count), **content),
    st.integers(0, 3),
    next=st.sampled_from(["a", "b", "c", None, {"no": "token"}]),
    total=st.sampled_from([2, 9, "many"]),
    more=st.booleans(),
)
NUMBERED = st.fixed_dictionaries(
    {"pagination": st.sampled_from(["page", "offset"])}, optional={"page_size": st.integers(1, 3)}
)
ENDS = st.fixed_dictionaries({}, optional={"total_path": st.just("total"), "has_more_path": st.just("more")})


@given(NUMBERED | st.just(CURSOR), ENDS, st.lists(st.tuples(PAGES, PAGES), max_size=6))
def test_a_page_that_is_taken_back_was_never_there(
    style: dict[str, Any], ends: dict[str, Any], pages: list[tuple[Page, Page]]
) -> None:
    paging, other = paging_of(**style, **ends), paging_of(**style, **ends)
    for wrong, right in pages:
        with suppress(UnexpectedShapeError):
            paging.advance(wrong)
        paging.take_back()
        try:
            more = other.advance(right)
        except UnexpectedShapeError:
            with pytest.raises(UnexpectedShapeError):
                paging.advance(right)
            return
        assert paging.advance(right) == more
        assert (paging.ended_by, paging.place, paging.received) == (other.ended_by, other.place, other.received)
        if not more:
            return
        assert paging.request() == other.request()


def test_empty_pages_are_counted_across_one_that_is_taken_back() -> None:
    paging = paging_of(**CURSOR)
    number = 0
    while paging.advance(page_of(next=f"t{number}")):
        number += 1
        paging.advance(page_of(1, next=f"w{number}"))
        paging.take_back()
        assert number < 100

    assert paging.ended_by == "empty page"
