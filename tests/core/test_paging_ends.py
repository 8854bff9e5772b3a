"""What ends the pages of an API, whatever the style, and what does not."""

from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.freshness import SeenKeys
from httpkit.paging_styles import PagingSettings
from tests.core.polls import get, in_turn, items, page, poll, read, records_of, source_of
from tests.fake_api import Answer, Asked, FakeApi

# empty pages


@pytest.mark.parametrize("empties", [1, 10])
def test_up_to_ten_empty_pages_with_new_tokens_are_passed_over(api: FakeApi, client: Client, empties: int) -> None:
    empty = [page(next=f"t{number}") for number in range(empties)]
    api.handler = in_turn(*empty, page(1))

    assert read(api, client, pagination="cursor", next_path="next") == [1]


@pytest.mark.parametrize(
    ("style", "settings"),
    [
        ("cursor", {"next_path": "next"}),
        ("next_url", {"next_path": "next"}),
        ("link_header", {}),
    ],
)
def test_empty_pages_with_new_tokens_for_ever_end_the_poll(
    api: FakeApi, client: Client, style: str, settings: dict[str, Any]
) -> None:
    def handler(_: Asked) -> Answer:
        target = f"/items/{len(api.asked)}"
        return Answer(json={"items": [], "next": target}, headers={"Link": f"<{target}>; rel=next"})

    api.handler = handler

    assert read(api, client, pagination=style, **settings) == []
    assert len(api.asked) == 11


def test_only_empty_pages_in_a_row_are_counted(api: FakeApi, client: Client) -> None:
    def handler(_: Asked) -> Answer:
        number = len(api.asked)
        return page(*([number] if number % 8 == 0 else []), next=f"t{number}" if number < 40 else None)

    api.handler = handler

    assert read(api, client, pagination="cursor", next_path="next") == [8, 16, 24, 32, 40]


def test_an_empty_page_with_a_repeated_token_ends_the_poll(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next="a"), page(next="a"))

    assert read(api, client, pagination="cursor", next_path="next") == [1]
    assert len(api.asked) == 2


@pytest.mark.parametrize("style", ["page", "offset"])
def test_an_empty_page_ends_numbered_pages_even_when_more_is_said_to_come(
    api: FakeApi, client: Client, style: str
) -> None:
    api.handler = in_turn(page(1, total=9, more=True), page(total=9, more=True))

    paging: dict[str, Any] = {"total_path": "total", "has_more_path": "more"}
    assert read(api, client, pagination=style, **paging) == [1]
    assert len(api.asked) == 2


def test_an_answer_without_a_body_ends_the_poll(api: FakeApi, client: Client) -> None:
    """Whatever the other settings look for in it: an empty answer is no records."""
    api.handler = in_turn(page(1, total=9), Answer(status=204, body=b""))

    paging: dict[str, Any] = {"total_path": "total", "has_more_path": "length(items)"}
    assert read(api, client, pagination="page", **paging) == [1]
    assert len(api.asked) == 2


# page


def test_pages_are_numbered_from_one_until_one_is_empty(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, 2), page(3, 4), page())

    assert read(api, client, pagination="page") == [1, 2, 3, 4]
    assert [asked.params for asked in api.asked] == [{"page": "1"}, {"page": "2"}, {"page": "3"}]


def test_the_first_page_and_its_parameter_can_be_chosen(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1), page())

    read(api, client, pagination="page", page_parameter="p", first_page=0)

    assert [asked.params for asked in api.asked] == [{"p": "0"}, {"p": "1"}]


def test_the_page_number_can_go_into_the_body(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1), page())

    read(api, client, request={"body": {"q": 1}}, pagination="page", page_parameter="body:page.number")

    assert [asked.json for asked in api.asked] == [
        {"q": 1, "page": {"number": 1}},
        {"q": 1, "page": {"number": 2}},
    ]


@pytest.mark.parametrize("style", ["page", "offset"])
def test_a_short_page_ends_numbered_pages(api: FakeApi, client: Client, style: str) -> None:
    api.handler = in_turn(page(1, 2), page(3))

    assert read(api, client, pagination=style, page_size=2, page_size_parameter="limit") == [1, 2, 3]
    assert len(api.asked) == 2


def test_a_short_page_does_not_end_the_poll_when_that_is_switched_off(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1), page(2), page())

    assert read(api, client, pagination="page", page_size=2, stop_on_short_page=False) == [1, 2]


@pytest.mark.parametrize("style", ["page", "offset"])
def test_what_the_answer_says_counts_more_than_a_short_page(api: FakeApi, client: Client, style: str) -> None:
    """The server caps the page size below what was asked for."""
    capped = [page(1, more=True, total=3), page(2, more=True, total=3), page(3, more=False, total=3)]

    signs: list[dict[str, Any]] = [{"has_more_path": "more"}, {"total_path": "total"}]
    for said in signs:
        api.handler = in_turn(*capped)
        assert read(api, client, pagination=style, page_size=9, **said) == [1, 2, 3]


def test_a_short_page_does_not_end_tokens(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next="a"), page(2))

    assert read(api, client, pagination="cursor", next_path="next", page_size=9) == [1, 2]


@pytest.mark.parametrize("style", ["page", "offset"])
def test_a_page_of_repeats_ends_numbered_pages(api: FakeApi, client: Client, style: str) -> None:
    """The server gives its last page again for each number beyond the end."""
    api.handler = in_turn(page(1, 2), page(3, 4))

    assert read(api, client, pagination=style) == [1, 2, 3, 4]
    assert len(api.asked) == 3


def test_a_page_of_repeats_ends_tokens(api: FakeApi, client: Client) -> None:
    api.handler = lambda _: page(1, 2, next=f"t{len(api.asked)}")

    assert read(api, client, pagination="cursor", next_path="next") == [1, 2]
    assert len(api.asked) == 2


def test_a_page_with_one_new_record_does_not_end_the_poll(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, 2), page(2, 3), page(3, 4), page())

    assert read(api, client, pagination="page") == [1, 2, 3, 4]


def test_pages_delivered_in_an_earlier_poll_are_no_repeats(api: FakeApi, client: Client) -> None:
    """New records may come after old ones, so each poll reads past what is known."""
    source = source_of(client, get(f"{api.url}/items"), pagination="page")
    seen = SeenKeys()
    api.handler = in_turn(page(1), page(2), page())
    poll(source, seen)
    api.handler = in_turn(page(1), page(2), page(3), page())

    assert records_of(poll(source, seen)) == items(3)


# offset


def test_the_offset_grows_by_what_came(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, 2, 3), page(4), page())

    read(api, client, pagination="offset")

    assert [asked.params for asked in api.asked] == [{"offset": "0"}, {"offset": "3"}, {"offset": "4"}]


def test_the_offset_can_grow_by_the_page_size(api: FakeApi, client: Client) -> None:
    """A server that filters after paging gives fewer records than it has passed."""
    api.handler = in_turn(page(1), page(2), page())
    paging: dict[str, Any] = {"page_size": 10, "offset_step": "page_size", "stop_on_short_page": False}

    read(api, client, pagination="offset", **paging)

    assert [asked.params for asked in api.asked] == [{"offset": "0"}, {"offset": "10"}, {"offset": "20"}]


def test_the_first_offset_and_its_place_can_be_chosen(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1), page())

    read(api, client, pagination="offset", offset_parameter="body:from", first_offset=1)

    assert [asked.json for asked in api.asked] == [{"from": 1}, {"from": 2}]


# has_more_path


@pytest.mark.parametrize("nothing", [False, 0, "", None, [], {}])
def test_has_more_that_finds_nothing_is_the_end_even_with_a_token(
    api: FakeApi, client: Client, nothing: object
) -> None:
    api.handler = in_turn(page(1, next="a", more=nothing))

    assert read(api, client, pagination="cursor", next_path="next", has_more_path="more") == [1]
    assert len(api.asked) == 1


def test_has_more_that_is_absent_is_the_end(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next="a"))

    assert read(api, client, pagination="cursor", next_path="next", has_more_path="more") == [1]


@pytest.mark.parametrize("something", [True, 1, "yes", [0], {"a": 0}])
def test_has_more_that_finds_something_reads_on(api: FakeApi, client: Client, something: object) -> None:
    api.handler = in_turn(page(1, next="a", more=something), page(2, next="b"))

    assert read(api, client, pagination="cursor", next_path="next", has_more_path="more") == [1, 2]


def test_has_more_may_be_an_expression(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, next="a"), page(next="b"), page(3))

    assert read(api, client, pagination="cursor", next_path="next", has_more_path="length(items)") == [1]


@pytest.mark.parametrize("expression", ["length(absent)", "items[?id > `0`]", "items[::0]"])
def test_an_expression_that_does_not_fit_is_an_unexpected_answer(
    api: FakeApi, client: Client, expression: str
) -> None:
    api.handler = in_turn(Answer(json={"items": [{"id": "a"}]}))

    with pytest.raises(UnexpectedShapeError, match="has_more_path"):
        read(api, client, has_more_path=expression)


# total_path


def test_the_poll_ends_once_the_total_was_received(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, 2, total=3), page(3, total=3))

    assert read(api, client, pagination="page", total_path="total") == [1, 2, 3]
    assert len(api.asked) == 2


def test_a_total_ends_tokens_too(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, total="2", next="a"), page(2, total="2", next="b"))

    assert read(api, client, pagination="cursor", next_path="next", total_path="total") == [1, 2]
    assert len(api.asked) == 2


def test_a_total_counts_repeats(api: FakeApi, client: Client) -> None:
    """Two pages overlap; four records were received when three different ones were."""
    api.handler = in_turn(page(1, 2, total=4), page(2, 3, total=4))

    assert read(api, client, pagination="page", total_path="total") == [1, 2, 3]
    assert len(api.asked) == 2


def test_a_page_of_repeats_does_not_end_the_poll_while_the_total_says_more(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(page(1, 2, total=6), page(1, 2, total=6), page(3, 4, total=6))

    assert read(api, client, pagination="page", total_path="total") == [1, 2, 3, 4]


@pytest.mark.parametrize("total", [None, "many", True, {}])
def test_a_total_that_is_no_number_is_an_unexpected_answer(api: FakeApi, client: Client, total: object) -> None:
    api.handler = in_turn(page(1, total=total))

    with pytest.raises(UnexpectedShapeError, match="total_path"):
        read(api, client, pagination="page", total_path="total")


# settings


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("next_path", {"pagination": "next_url"}),
        ("next_path", {"pagination": "cursor"}),
        ("next_path", {"pagination": "page", "next_path": "next"}),
        ("next_path", {"next_path": "next"}),
        ("next_path", {"pagination": "cursor", "next_path": "next["}),
        ("has_more_path", {"has_more_path": "a b"}),
        ("total_path", {"total_path": "]"}),
        ("page_size", {"page_size": -1}),
        ("page_size", {"page_size_parameter": "limit"}),
        ("page_size", {"pagination": "offset", "offset_step": "page_size"}),
        ("page_size_parameter", {"page_size": 5, "page_size_parameter": "body:"}),
        ("next_parameter", {"pagination": "cursor", "next_path": "next", "next_parameter": ""}),
        ("next_parameter", {"pagination": "cursor", "next_path": "next", "next_parameter": "header:"}),
        ("page_parameter", {"pagination": "page", "page_parameter": "body:a..b"}),
        ("offset_parameter", {"pagination": "offset", "offset_parameter": ""}),
        ("page_parameter", {"pagination": "page", "page_size": 5, "page_size_parameter": "page"}),
    ],
)
def test_wrong_and_contradictory_settings_are_refused_by_name(
    client: Client, field: str, settings: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError) as caught:
        source_of(client, get("https://api.example.com/items"), **settings)

    assert caught.value.field == field
    assert caught.value.message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    "settings",
    [
        {"pagination": "cursor", "next_path": "next", "next_parameter": "body:after"},
        {"pagination": "page", "page_parameter": "body:page"},
        {"pagination": "offset", "offset_parameter": "body:from"},
        {"page_size": 5, "page_size_parameter": "body:size"},
    ],
)
def test_a_field_of_a_body_that_is_a_list_is_refused_before_the_first_request(
    client: Client, settings: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match="body"):
        source_of(client, get("https://api.example.com/items", body=[1]), **settings)


def test_a_parameter_that_the_style_does_not_use_may_have_any_name(client: Client) -> None:
    source_of(client, get("https://api.example.com/items"), pagination="page", offset_parameter="")


def test_the_defaults_are_those_of_the_configuration() -> None:
    settings = PagingSettings()

    assert (settings.pagination, settings.next_parameter, settings.page_parameter) == ("none", "cursor", "page")
    assert (settings.first_page, settings.first_offset, settings.offset_step) == (1, 0, "received")
    assert settings.stop_on_short_page
