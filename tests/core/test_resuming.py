"""Where the next poll goes on: from the token of the API, or from the page at which the last poll stopped."""

from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import HttpkitError, SettingsError, UnexpectedShapeError
from httpkit.freshness import SeenKeys
from httpkit.source import Source
from httpkit.values import Position
from tests.core.polls import get, page, source_of
from tests.fake_api import Answer, Asked, FakeApi


def polls(source: Source, times: int) -> list[list[Any]]:
    """The identities that each of some polls gives, as a component polls; errors end a poll."""
    seen, position, given = SeenKeys(), Position(), []
    for _ in range(times):
        given.append(list[Any]())
        position = source.opened(position)
        try:
            for batch in source.poll(seen, position):
                given[-1] += [record.value["id"] for record in batch.records]
                seen.add(record.key for record in batch.records)
                position = batch.position
        except HttpkitError as error:
            position = source.failed(position, error)
    return given


def answering(api: FakeApi, *answers: Answer) -> None:
    """Let the API give these answers, and then a 599."""
    waiting = list(answers)

    def handler(_: Asked) -> Answer:
        return waiting.pop(0) if waiting else Answer(status=599)

    api.handler = handler


def asked(api: FakeApi) -> list[dict[str, str]]:
    """The parameters of each request."""
    return [one.params for one in api.asked]


def test_the_token_of_the_last_answer_opens_the_next_poll(api: FakeApi, client: Client) -> None:
    answering(api, page(1, next="a", more=True), page(2, next="b", more=False), page(3, next="c", more=False))
    request = get(api.url, params={"since": "{since:%Y}", "n": 5}, next_params={"n": 5}, since_parameter="from")
    fields: dict[str, Any] = {"pagination": "cursor", "next_path": "next", "has_more_path": "more", "resume": "token"}

    assert polls(source_of(client, request, page_size=9, page_size_parameter="size", **fields), 2) == [[1, 2], [3]]
    assert set(asked(api)[0]) == {"since", "n", "from", "size"}
    assert asked(api)[1:] == [{"n": "5", "cursor": "a"}, {"n": "5", "cursor": "b"}]


@pytest.mark.parametrize("nothing", [None, "", False])
def test_the_last_token_that_is_not_empty_is_kept(api: FakeApi, client: Client, nothing: Any) -> None:
    answering(api, page(1, next="a"), page(next=nothing), page(next=nothing), page(2, next="b"))
    source = source_of(client, get(api.url), pagination="cursor", next_path="next", resume="token")

    polls(source, 3)
    assert [params.get("cursor") for params in asked(api)] == [None, "a", "a", "a", "b"]


def test_a_token_keeps_its_type_in_a_body(api: FakeApi, client: Client) -> None:
    answering(api, page(1, next=[2**60, "x"]), page(), page())
    request = get(api.url, method="post", body={"q": 1})
    fields: dict[str, Any] = {
        "pagination": "cursor",
        "next_path": "next",
        "next_parameter": "body:page.after",
        "resume": "token",
    }

    polls(source_of(client, request, **fields), 2)
    assert [one.json for one in api.asked] == [{"q": 1}] + [{"q": 1, "page": {"after": [2**60, "x"]}}] * 2


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
def test_an_expired_token_restarts_the_window(api: FakeApi, client: Client, status: int) -> None:
    answering(api, page(1, next="a"), page(), Answer(status=status), page(2), page(3))
    fields: dict[str, Any] = {"pagination": "cursor", "next_path": "next", "resume": "token"}

    assert polls(source_of(client, get(api.url), **fields), 3) == [[1], [2], [3]]
    assert [params.get("cursor") for params in asked(api)] == [None, "a", "a", None, None]


EXPIRED = Answer(json={"error": "cursor expired"})
HTML = Answer(body=b"<html>back in a minute</html>", headers={"Content-Type": "text/html"})


def test_an_expired_token_that_is_told_in_a_success_restarts_the_window_at_the_second_time(
    api: FakeApi, client: Client
) -> None:
    answering(api, page(1, next="a"), page(), EXPIRED, EXPIRED, page(2))
    fields: dict[str, Any] = {"pagination": "cursor", "next_path": "next", "resume": "token"}

    assert polls(source_of(client, get(api.url), **fields), 3) == [[1], [], [2]]


@pytest.mark.parametrize("odd", [[EXPIRED], [HTML], [HTML] * 5], ids=["another answer", "no JSON", "no JSON for long"])
def test_a_token_is_kept_when_another_answer_comes_in_passing(api: FakeApi, client: Client, odd: list[Answer]) -> None:
    """An API that begins at its end without a token would never show what lies between."""
    answering(api, page(1, next="a"), page(), *odd, page(2))
    fields: dict[str, Any] = {"pagination": "cursor", "next_path": "next", "resume": "token"}

    assert polls(source_of(client, get(api.url), **fields), 2 + len(odd)) == [[1], *[[]] * len(odd), [2]]
    assert [params.get("cursor") for params in asked(api)] == [None, *["a"] * (2 + len(odd))]


def test_without_deduplication_an_answer_in_passing_does_not_bring_pages_again(api: FakeApi, client: Client) -> None:
    answering(api, page(1), page(2), HTML, page(3), page(4))
    fields: dict[str, Any] = {"pagination": "page", "max_pages": 2, "deduplicate": False}

    assert polls(source_of(client, get(api.url), **fields), 3) == [[1, 2], [], [3, 4]]


@pytest.mark.parametrize("bound", [{}, {"since_parameter": "since", "until_parameter": "until"}])
def test_a_place_that_another_answer_follows_twice_is_given_up(
    api: FakeApi, client: Client, bound: dict[str, str]
) -> None:
    answering(api, page(1, next="a"), EXPIRED, EXPIRED, page(1, 2))
    fields: dict[str, Any] = {"pagination": "cursor", "next_path": "next"}

    assert polls(source_of(client, get(api.url, **bound), **fields), 2) == [[1], [2]]


def test_a_token_is_kept_when_the_api_is_down(api: FakeApi, client: Client) -> None:
    answering(api, page(1, next="a"), page(), Answer(status=503), page(2))
    fields: dict[str, Any] = {"pagination": "cursor", "next_path": "next", "resume": "token"}

    assert polls(source_of(client, get(api.url), **fields), 3) == [[1], [], [2]]
    assert [params.get("cursor") for params in asked(api)] == [None, "a", "a", "a"]


def test_a_relative_next_url_is_kept_as_it_was_meant(api: FakeApi, client: Client) -> None:
    answering(api, page(1, next="more?after=1"), page(next=None), page(2))
    fields: dict[str, Any] = {"pagination": "next_url", "next_path": "next", "resume": "token"}

    assert polls(source_of(client, get(f"{api.url}/v1/items"), **fields), 2) == [[1], [2]]
    assert [one.target for one in api.asked] == ["/v1/items", "/v1/more?after=1", "/v1/more?after=1"]


def test_a_delta_url_opens_the_next_poll(api: FakeApi, client: Client) -> None:
    delta = {"@odata.deltaLink": f"{api.url}/delta?t=9"}
    answering(api, page(1, **{"@odata.nextLink": f"{api.url}/items?p=2"}), page(2, **delta), page(3, **delta))
    fields: dict[str, Any] = {"next_path": '"@odata.nextLink"', "resume_path": '"@odata.deltaLink"', "resume": "token"}

    assert polls(source_of(client, get(api.url), pagination="next_url", **fields), 2) == [[1, 2], [3]]
    assert [one.target for one in api.asked] == ["/", "/items?p=2", "/delta?t=9"]


@pytest.mark.parametrize("pagination", ["none", "page", "offset"])
def test_a_checkpoint_is_sent_with_each_request_of_the_next_poll(
    api: FakeApi, client: Client, pagination: str
) -> None:
    def numbered(one: Asked) -> Answer:
        first = one.params.get("page", "1") == "1" and one.params.get("offset", "0") == "0"
        after = int(one.params.get("after", 0))
        return page(after + 1, after + 2) if first else page()

    api.handler = numbered
    fields: dict[str, Any] = {
        "pagination": pagination,
        "resume": "token",
        "resume_path": "last:id",
        "next_parameter": "after",
    }

    assert polls(source_of(client, get(api.url), **fields), 3) == [[1, 2], [3, 4], [5, 6]]
    pages = 1 if pagination == "none" else 2
    assert [one.get("after") for one in asked(api)] == [None] * pages + ["2"] * pages + ["4"] * pages


def test_a_checkpoint_may_stand_in_a_template(api: FakeApi, client: Client) -> None:
    answering(api, page(1), page(2))
    request = get(api.url, method="post", body={"query": {"after": "{cursor}"}})

    polls(source_of(client, request, resume="token", resume_path="last:id"), 2)
    assert [one.json for one in api.asked] == [{"query": {}}, {"query": {"after": 1}}]


def test_a_checkpoint_of_a_window_that_was_not_finished_does_not_skip_its_rest(api: FakeApi, client: Client) -> None:
    """Every answer names the checkpoint behind all pages, so it counts only once they are read."""
    answering(api, page(1, next="p2", sync="s1"), Answer(status=500), page(2, sync="s1"), page(3, sync="s2"))
    fields: dict[str, Any] = {"pagination": "cursor", "next_path": "next", "resume": "token", "resume_path": "sync"}

    assert polls(source_of(client, get(api.url), **fields), 3) == [[1], [2], [3]]
    assert [params.get("cursor") for params in asked(api)] == [None, "p2", "p2", "s1"]


@pytest.mark.parametrize("resume", ["time", "token"])
def test_the_page_budget_of_a_poll_leaves_the_rest_to_the_next_one(api: FakeApi, client: Client, resume: str) -> None:
    answering(api, *(page(number, next=number) for number in range(1, 5)), page(5, next=None))
    fields: dict[str, Any] = {"pagination": "cursor", "next_path": "next", "max_pages": 2, "resume": resume}

    assert polls(source_of(client, get(api.url), **fields), 3) == [[1, 2], [3, 4], [5]]
    assert [params.get("cursor") for params in asked(api)] == [None, "1", "2", "3", "4"]


def test_the_total_counts_over_polls_of_one_window(api: FakeApi, client: Client) -> None:
    answering(api, page(1, total=3), page(2, total=3), page(3, total=3), page(4, total=1))
    fields: dict[str, Any] = {"pagination": "page", "total_path": "total", "max_pages": 1}

    assert polls(source_of(client, get(api.url), **fields), 4) == [[1], [2], [3], [4]]
    assert [params["page"] for params in asked(api)] == ["1", "2", "3", "1"]


def test_a_page_that_is_gone_restarts_the_window(api: FakeApi, client: Client) -> None:
    answering(api, page(1, next="a"), Answer(status=500), Answer(status=410), page(1, 2))
    fields: dict[str, Any] = {"pagination": "cursor", "next_path": "next"}

    assert polls(source_of(client, get(api.url), **fields), 2) == [[1], [2]]


@pytest.mark.parametrize("token", ['"\\ud83d"', '{"after":["\\udc00"]}'])
@pytest.mark.parametrize(
    "fields", [{}, {"resume": "token"}, {"pagination": "page", "next_path": "", "resume": "token"}]
)
def test_a_token_that_cannot_be_remembered_is_refused_before_its_page_is_given(
    api: FakeApi, client: Client, fields: dict[str, Any], token: str
) -> None:
    """A page whose position cannot be written down would be delivered again and again."""
    body = f'{{"items":[{{"id":1}}],"next":{token}}}'.encode()
    api.handler = lambda _: Answer(body=body, headers={"Content-Type": "application/json"})
    settings = {"pagination": "cursor", "next_path": "next", "resume_path": "next", **fields}
    given = []

    with pytest.raises(UnexpectedShapeError, match="next_path"):
        given += list(source_of(client, get(api.url), **settings).poll(SeenKeys(), Position()))
    assert given == []


@pytest.mark.parametrize("token", ["ftp://a.example/delta", "http://a.example:port/delta"])
def test_a_url_that_cannot_open_the_next_poll_is_refused_before_its_page_is_given(
    api: FakeApi, client: Client, token: str
) -> None:
    """Once it is remembered, every poll would end with it, as if a setting were wrong."""
    answering(api, page(1, next=None, delta=token))
    fields: dict[str, Any] = {"next_path": "next", "resume_path": "delta", "resume": "token"}
    given = []

    with pytest.raises(UnexpectedShapeError, match="not an http or https URL"):
        given += list(source_of(client, get(api.url), pagination="next_url", **fields).poll(SeenKeys(), Position()))
    assert given == []


def test_a_token_without_a_path_is_refused(client: Client) -> None:
    with pytest.raises(SettingsError, match="resume_path"):
        source_of(client, get("https://a.test"), resume="token")
