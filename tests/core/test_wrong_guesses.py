"""The next page is asked for while this one is a guess; where that was wrong, nothing is lost, or asked for twice."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import UnexpectedShapeError
from httpkit.freshness import SeenKeys
from httpkit.source import Source
from httpkit.values import JsonValue, Position
from tests.core.pages import LONG, page, records
from tests.core.polls import get, poll, records_of, source_of
from tests.fake_api import Answer, Asked, FakeApi

PARTS = {"parts": [{"a": LONG}, {"id": "e-1", "b": LONG}]}
"""Within a record it looks as if the next one began."""

CURSOR = {"pagination": "cursor", "next_path": "next"}


def source(api: FakeApi, client: Client, **settings: Any) -> Source:
    """One whose pages are cut, and guessed from the second one on."""
    return source_of(client, get(api.url), id_path="id", timestamp_path="time", **settings)


def serve(api: FakeApi, parameter: str, pages: Mapping[str, bytes]) -> None:
    """Pages by what the parameter says; for anything else an empty one."""

    def answer(asked: Asked) -> Answer:
        body = pages.get(asked.params.get(parameter, ""), b'{"items":[],"next":null}')
        return Answer(body=body, headers={"Content-Type": "application/json"})

    api.handler = answer


def with_parts(*numbers: int) -> list[JsonValue]:
    """Records, of which one in the middle looks like two."""
    first, *middle, last = numbers
    return [*records(first), *records(*middle, **PARTS), *records(last)]


def twice(between: str, *numbers: int, token: str | None) -> bytes:
    """A page whose list stands in it twice, of which the second one counts, with fields between that guesses miss."""
    first = json.dumps(records(90, 91), separators=(",", ":"))
    second = json.dumps(records(*numbers), separators=(",", ":"))
    return f'{{"items":{first},{between},"items":{second},"next":{json.dumps(token)}}}'.encode()


def asked_for(api: FakeApi, parameter: str) -> list[str]:
    """What the parameter said, request by request."""
    return [asked.params.get(parameter, "") for asked in api.asked]


def ids(found: list[JsonValue]) -> list[str]:
    """The identities of records."""
    return [record["id"] for record in found]


def numbered(*numbers: int) -> list[str]:
    """The identities that records of these numbers have."""
    return [f"e-{number}" for number in numbers]


def misleading() -> dict[str, bytes]:
    """Pages of which each second one is guessed wrongly."""
    return {
        "": page(records(1, 2), next="a"),
        "a": page(with_parts(3, 4, 5), next="b"),
        "b": page(records(6, 7), next="c"),
        "c": page(with_parts(8, 9, 10), next="d"),
        "d": page(records(11, 12), next=None),
    }


def test_the_same_page_is_not_asked_for_twice(api: FakeApi, client: Client) -> None:
    """There are servers that give the page after it then."""
    serve(api, "cursor", misleading())

    found = records_of(poll(source(api, client, **CURSOR), SeenKeys()))

    assert ids(found) == numbered(*range(1, 13))
    assert asked_for(api, "cursor") == ["", "a", "b", "c", "d"]


@pytest.mark.parametrize(("token", "asked"), [("wrong", ["wrong"]), ({"no": "token"}, [])])
def test_what_was_asked_for_wrongly_is_given_up(
    api: FakeApi, client: Client, token: JsonValue, asked: list[str]
) -> None:
    """Only where a list stands twice does a guess tell another page than the one that comes next."""

    def fields(token: JsonValue, *numbers: int) -> str:
        return f'"next":{json.dumps(token)},"items":{json.dumps(records(*numbers), separators=(",", ":"))}'

    serve(
        api,
        "cursor",
        {
            "": f"{{{fields('a', 1, 2)}}}".encode(),
            "a": f"{{{fields(token, 90, 91)},{fields('b', 3, 4)}}}".encode(),
            "wrong": f"{{{fields(None, 98, 99)}}}".encode(),
            "b": f"{{{fields(None, 5, 6)}}}".encode(),
        },
    )

    found = records_of(poll(source(api, client, **CURSOR), SeenKeys()))

    assert ids(found) == numbered(*range(1, 7))
    assert asked_for(api, "cursor") == ["", "a", *asked, "b"]


def test_where_records_tell_the_next_page_a_guess_of_them_does_not(api: FakeApi, client: Client) -> None:
    serve(
        api,
        "offset",
        {"0": page(records(1, 2)), "2": page(with_parts(3, 4, 5)), "5": page(records(6, 7))},
    )

    batches = poll(source(api, client, pagination="offset"), SeenKeys())

    assert ids(records_of(batches)) == numbered(*range(1, 8))
    assert asked_for(api, "offset") == ["0", "2", "5", "7"]
    assert [batch.received for batch in batches] == [2, 3, 2, 0]


@pytest.mark.parametrize(
    ("between", "settings"),
    [
        ('"more":true', {"has_more_path": "more"}),
        ('"total":6', {"total_path": "total"}),
        ('"good":1', {"required_path": "good"}),
    ],
)
def test_a_page_that_was_no_end_and_no_error_is_none(
    api: FakeApi, client: Client, between: str, settings: dict[str, str]
) -> None:
    name, value = between.split(":")
    beside = {name.strip('"'): json.loads(value)}
    serve(
        api,
        "cursor",
        {
            "": page(records(1, 2), **beside, next="a").replace(b'],"', b'],"next":null,"', 1),
            "a": twice(between, 3, 4, token="b"),
            "b": page(records(5, 6), **beside, next=None),
        },
    )

    found = records_of(poll(source(api, client, **CURSOR, **settings), SeenKeys()))

    assert ids(found) == numbered(1, 2, 3, 4, 5, 6)
    assert asked_for(api, "cursor") == ["", "a", "b"]


def test_what_is_required_of_the_last_record_is_asked_of_no_other_object(api: FakeApi, client: Client) -> None:
    included = {"included": [{"id": "i-1", "text": LONG}, {"id": "i-2", "text": LONG}]}
    serve(
        api,
        "cursor",
        {
            "": page(records(1, 2, tags=["a"]), next="a"),
            "a": page(records(3, 4, tags=["b"]), **included, next="b"),
            "b": page(records(5, 6, tags=["c"]), next=None),
        },
    )

    found = records_of(poll(source(api, client, **CURSOR, required_path="last:length(tags)"), SeenKeys()))

    assert ids(found) == numbered(*range(1, 7))
    assert asked_for(api, "cursor") == ["", "a", "b"]


def test_a_page_that_was_no_page_is_an_error(api: FakeApi, client: Client) -> None:
    """What was asked for meanwhile changes nothing: what was read before stays, and is not given again."""
    broken = page(records(3, 4, 5), next="b").replace(b'"e-4",', b'"e-4",,')
    pages = {"": page(records(1, 2), next="a"), "a": broken, "b": page(records(6, 7), next=None)}
    serve(api, "cursor", pages)
    one, seen = source(api, client, **CURSOR), SeenKeys()
    batches = one.poll(seen, Position())
    given = [next(batches)]
    seen.add(record.key for record in given[0].records)

    with pytest.raises(UnexpectedShapeError):
        next(batches)
    serve(api, "cursor", {**pages, "a": page(records(3, 4, 5), next="b")})

    assert ids(records_of(given)) == numbered(1, 2)
    assert ids(records_of(poll(one, seen, given[-1].position))) == numbered(3, 4, 5, 6, 7)


def test_no_page_is_asked_for_beyond_the_budget_after_a_wrong_guess(api: FakeApi, client: Client) -> None:
    serve(api, "cursor", misleading())

    found = records_of(poll(source(api, client, **CURSOR, max_pages=2), SeenKeys()))

    assert ids(found) == numbered(*range(1, 6))
    assert asked_for(api, "cursor") == ["", "a"]
