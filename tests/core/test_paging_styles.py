"""How each paging style asks for the next page."""

from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import UnexpectedShapeError
from tests.core.polls import in_turn, items, page, read
from tests.fake_api import Answer, Asked, FakeApi

# none


def test_without_pagination_one_request_is_made(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, 2, next="/items?page=2"))

    assert read(api, client) == [1, 2]
    assert len(api.asked) == 1


def test_without_pagination_the_page_size_is_sent_when_it_is_set(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1))

    read(api, client, page_size=50, page_size_parameter="limit")

    assert api.asked[0].params == {"limit": "50"}


def test_a_page_size_without_a_parameter_is_not_sent(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1))

    read(api, client, page_size=50)

    assert api.asked[0].params == {}


# link_header


def test_a_link_header_names_the_next_page(api: FakeApi, client: Client) -> None:
    linked = Answer(json={"items": items(1)}, headers={"Link": f'<{api.url}/items?page=2>; rel="next"'})
    api.handler = in_turn(linked, page(2))

    assert read(api, client, pagination="link_header") == [1, 2]
    assert api.asked[1].target == "/items?page=2"


def test_several_link_headers_are_read_together(api: FakeApi, client: Client) -> None:
    headers = {"Link": ["</items?page=1>; rel=first", "/items?page=2; rel=next"]}
    api.handler = in_turn(Answer(json={"items": items(1)}, headers=headers), page(2))

    assert read(api, client, pagination="link_header") == [1, 2]


def test_a_link_header_without_a_next_relation_ends_the_poll(api: FakeApi, client: Client) -> None:
    headers = {"Link": '</items?page=1>; rel="prev"'}
    api.handler = in_turn(Answer(json={"items": items(1)}, headers=headers))

    assert read(api, client, pagination="link_header") == [1]
    assert len(api.asked) == 1


# next_url


def test_a_next_url_is_followed(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next=f"{api.url}/more"), page(2, next=None))

    assert read(api, client, pagination="next_url", next_path="next") == [1, 2]


@pytest.mark.parametrize(
    ("relative", "target"),
    [
        ("?after=1", "/v1/items?after=1"),
        ("more", "/v1/more"),
        ("/v2/items", "/v2/items"),
        ("../v2/items", "/v2/items"),
    ],
)
def test_a_relative_next_url_is_resolved_against_the_request(
    api: FakeApi, client: Client, relative: str, target: str
) -> None:
    api.handler = in_turn(page(1, next=relative), page(2))

    read(api, client, path="/v1/items?x=1", pagination="next_url", next_path="next")

    assert api.asked[1].target == target


def test_a_next_url_is_used_as_it_is(api: FakeApi, client: Client) -> None:
    """Nothing is added: neither the configured parameters nor the page size."""
    api.handler = in_turn(page(1, next="/items?after=a%2Fb+c&limit=7"), page(2))

    read(
        api,
        client,
        request={"params": {"kind": "login"}},
        pagination="next_url",
        next_path="next",
        page_size=5,
        page_size_parameter="limit",
    )

    assert api.asked[0].params == {"kind": "login", "limit": "5"}
    assert api.asked[1].target == "/items?after=a%2Fb+c&limit=7"


def test_configured_headers_go_with_a_next_url_of_the_same_origin(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next="/more"), page(2))

    read(api, client, request={"headers": {"X-Key": "k"}}, pagination="next_url", next_path="next")

    assert api.asked[1].headers["x-key"] == "k"


@pytest.mark.parametrize("style", ["next_url", "link_header"])
def test_configured_headers_and_body_stay_behind_when_the_next_page_is_elsewhere(
    api: FakeApi, client: Client, style: str
) -> None:
    """Any of them may hold a credential, and another port is another origin."""
    with FakeApi(in_turn(page(2))) as elsewhere:
        named = {"Link": f'<{elsewhere.url}/>; rel="next"'}
        api.handler = in_turn(Answer(json={"items": items(1), "next": elsewhere.url}, headers=named))
        path: dict[str, Any] = {"next_path": "next"} if style == "next_url" else {}

        secrets = {"headers": {"X-Key": "k"}, "body": {"key": "k"}}
        assert read(api, client, request=secrets, pagination=style, **path) == [1, 2]
        assert "x-key" not in elsewhere.asked[0].headers
        assert elsewhere.asked[0].body == b""


@pytest.mark.parametrize("target", ["ftp://example.com/more", "http://[half", "http://host:port/", "mailto:a@b"])
def test_a_next_url_that_cannot_be_followed_is_an_unexpected_answer(api: FakeApi, client: Client, target: str) -> None:
    api.handler = in_turn(page(1, next=target))

    with pytest.raises(UnexpectedShapeError, match="next_path"):
        read(api, client, pagination="next_url", next_path="next")


def test_a_next_url_that_is_not_text_is_an_unexpected_answer(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next={"href": "/more?sig=hidden"}))

    with pytest.raises(UnexpectedShapeError, match="next_path 'next' finds dict, not a URL") as caught:
        read(api, client, pagination="next_url", next_path="next")
    assert "hidden" not in caught.value.message


@pytest.mark.parametrize("nothing", [None, "", False, 0, [], {}])
@pytest.mark.parametrize("style", ["next_url", "cursor"])
def test_a_next_path_that_finds_nothing_ends_the_poll(
    api: FakeApi, client: Client, style: str, nothing: object
) -> None:
    api.handler = in_turn(page(1, next=nothing))

    assert read(api, client, pagination=style, next_path="next") == [1]
    assert len(api.asked) == 1


# cursor


def test_a_cursor_is_sent_as_a_query_parameter(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, meta={"after": "t/1=="}), page(2))

    read(api, client, request={"params": {"kind": "login"}}, pagination="cursor", next_path="meta.after")

    assert [asked.params for asked in api.asked] == [{"kind": "login"}, {"kind": "login", "cursor": "t/1=="}]


def test_a_cursor_is_sent_in_a_field_of_the_body(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next=17), page(2))

    read(
        api,
        client,
        request={"body": {"query": "q", "paging": {"size": 5}}},
        pagination="cursor",
        next_path="next",
        next_parameter="body:paging.after",
    )

    assert api.asked[0].json == {"query": "q", "paging": {"size": 5}}
    assert api.asked[1].json == {"query": "q", "paging": {"size": 5, "after": 17}}


def test_a_cursor_is_sent_in_a_body_that_was_empty(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next="t"), page(2))

    read(api, client, pagination="cursor", next_path="next", next_parameter="body:a.b")

    assert api.asked[0].body == b""
    assert api.asked[1].json == {"a": {"b": "t"}}


def test_a_cursor_is_sent_in_a_header(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next=17), page(2))

    read(api, client, pagination="cursor", next_path="next", next_parameter="header:X-Next")

    assert "x-next" not in api.asked[0].headers
    assert api.asked[1].headers["x-next"] == "17"


def test_a_cursor_that_is_an_object_is_an_unexpected_answer(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next={"token": "t"}))

    with pytest.raises(UnexpectedShapeError, match="next_path"):
        read(api, client, pagination="cursor", next_path="next")


def test_a_repeated_cursor_ends_the_poll(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next="a"), page(2, next="a"))

    assert read(api, client, pagination="cursor", next_path="next") == [1, 2]
    assert len(api.asked) == 2


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_a_cycle_of_cursors_ends_the_poll(api: FakeApi, client: Client, length: int) -> None:
    """Each page has new records, so that only the tokens show the cycle."""
    asked_pages = iter(range(1000))

    def handler(_: Asked) -> Answer:
        number = next(asked_pages)
        return page(number, next=f"t{number % length}")

    api.handler = handler

    assert read(api, client, pagination="cursor", next_path="next") == list(range(length + 1))


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_cycle_of_next_urls_ends_the_poll(api: FakeApi, client: Client, length: int) -> None:
    asked_pages = iter(range(1000))

    def handler(_: Asked) -> Answer:
        number = next(asked_pages)
        return page(number, next=f"/items/{number % length}")

    api.handler = handler

    assert read(api, client, pagination="next_url", next_path="next") == list(range(length + 1))


def test_a_next_url_that_is_the_first_request_ends_the_poll(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next="/items"))

    assert read(api, client, pagination="next_url", next_path="next") == [1]
    assert len(api.asked) == 1
