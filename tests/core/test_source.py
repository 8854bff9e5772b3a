"""One poll from the first page to the last: what it gives, and when."""

from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.freshness import SeenKeys
from httpkit.request_templates import RequestSettings
from httpkit.source import Source
from httpkit.source_settings import SourceSettings
from httpkit.values import Position
from tests.core.clients import local_client
from tests.core.polls import get, in_turn, items, poll, records_of, source_of
from tests.fake_api import Answer, FakeApi
from tests.played_platform import eventually


def test_a_second_poll_gives_nothing_that_the_first_one_gave(api: FakeApi, client: Client) -> None:
    source, seen = source_of(client, get(api.url), records_path=""), SeenKeys()
    api.handler = in_turn(Answer(json=items(1, 2)), Answer(json=items(1, 2, 3)))

    assert records_of(poll(source, seen)) == items(1, 2)
    assert records_of(poll(source, seen)) == items(3)
    assert records_of(poll(source, seen)) == []


def test_what_was_not_remembered_is_given_again(api: FakeApi, client: Client) -> None:
    """A batch whose delivery failed comes back at the next poll."""
    source, seen = source_of(client, get(api.url), records_path=""), SeenKeys()
    api.handler = in_turn(Answer(json=items(1, 2)))
    for _ in source.poll(seen, Position()):
        pass

    assert records_of(poll(source, seen)) == items(1, 2)


def test_a_record_that_stands_twice_on_a_page_is_given_once(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(json=[{"id": 1, "n": 1}, {"id": 2}, {"id": 1, "n": 2}]))
    source = source_of(client, get(api.url), records_path="")

    (batch,) = poll(source, SeenKeys())

    assert [record.value for record in batch.records] == [{"id": 1, "n": 1}, {"id": 2}]
    assert batch.received == 3


def test_the_next_page_is_asked_for_while_a_page_is_delivered(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(json=items(1)), Answer(json=items(2)), Answer(json=[]))
    source, seen = source_of(client, get(api.url), records_path="", pagination="page"), SeenKeys()
    for number, batch in enumerate(source.poll(seen, Position())):
        eventually(lambda: len(api.asked) == min(number + 2, 3), "the next page is asked for")  # noqa: B023
        seen.add(record.key for record in batch.records)

    assert len(api.asked) == 3


def test_no_page_is_asked_for_beyond_the_budget(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(json=items(1)), Answer(json=items(2)), Answer(json=items(3)))
    source = source_of(client, get(api.url), records_path="", pagination="page", max_pages=2)

    assert records_of(poll(source, SeenKeys())) == items(1, 2)
    assert len(api.asked) == 2


def test_only_the_last_batch_completes_the_poll(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(json=items(1)), Answer(json=items(2)), Answer(json=[]))
    source = source_of(client, get(api.url), records_path="", pagination="page")

    batches = poll(source, SeenKeys())

    assert [batch.complete for batch in batches] == [False, False, True]
    assert [batch.received for batch in batches] == [1, 1, 0]


def test_a_page_without_news_gives_an_empty_batch(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(json=items(1)))
    source, seen = source_of(client, get(api.url), records_path=""), SeenKeys()
    poll(source, seen)

    (batch,) = poll(source, seen)

    assert (list(batch.records), batch.received, batch.complete) == ([], 1, True)


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (Answer(status=500), UnavailableError),
        (Answer(json={"items": items(2)}, cut=5), UnavailableError),
        (Answer(body=b'{"items": [{"id"'), UnexpectedShapeError),
        (Answer(json={"entries": []}), UnexpectedShapeError),
    ],
    ids=["500", "cut", "half", "elsewhere"],
)
def test_an_error_on_a_later_page_keeps_what_earlier_pages_gave(
    api: FakeApi, client: Client, broken: Answer, error: type[Exception]
) -> None:
    source, seen = source_of(client, get(api.url), pagination="page"), SeenKeys()
    api.handler = in_turn(Answer(json={"items": items(1)}), broken)
    with pytest.raises(error):
        poll(source, seen)
    api.handler = in_turn(*(Answer(json={"items": items(*ids)}) for ids in [(1,), (2,), ()]))

    assert records_of(poll(source, seen)) == items(2)


def test_the_identity_is_found_by_the_configured_path(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(json=[{"uuid": "a", "n": 1}, {"uuid": "a", "n": 2}, {"uuid": "b"}]))
    source = Source(SourceSettings(request=get(api.url), id_path="uuid"), client)

    assert records_of(poll(source, SeenKeys())) == [{"uuid": "a", "n": 1}, {"uuid": "b"}]


def test_text_records_are_known_by_their_text(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(json=["a", "b", "a"]))

    assert records_of(poll(source_of(client, get(api.url), records_path=""), SeenKeys())) == ["a", "b"]


def test_the_request_is_sent_as_it_is_configured(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(json=[]))
    request = RequestSettings(
        method="post", url=f"{api.url}/search?v=1", params={"kind": "login"}, headers={"X-A": "b"}, body={"q": [1]}
    )

    poll(source_of(client, request, records_path=""), SeenKeys())

    (asked,) = api.asked
    assert (asked.method, asked.target, asked.headers["x-a"]) == ("POST", "/search?v=1&kind=login", "b")
    assert asked.json == {"q": [1]}


@pytest.mark.parametrize("authenticate", [True, False])
def test_credentials_go_with_every_page_that_is_to_be_authenticated(api: FakeApi, *, authenticate: bool) -> None:
    client = local_client(bearer="secret", url=api.url)
    api.handler = in_turn(Answer(json={"items": items(1), "next": "/more"}), Answer(json={"items": items(2)}))

    poll(
        source_of(client, get(api.url, authenticate=authenticate), pagination="next_url", next_path="next"), SeenKeys()
    )

    expected = "Bearer secret" if authenticate else None
    assert [asked.headers.get("authorization") for asked in api.asked] == [expected, expected]


def test_credentials_do_not_follow_a_next_url_to_another_origin(api: FakeApi) -> None:
    client = local_client(bearer="secret", url=api.url)
    with FakeApi(in_turn(Answer(json={"items": items(2)}))) as elsewhere:
        api.handler = in_turn(Answer(json={"items": items(1), "next": f"{elsewhere.url}/more"}))
        source = source_of(client, get(api.url, authenticate=True), pagination="next_url", next_path="next")

        assert records_of(poll(source, SeenKeys())) == items(1, 2)
        assert "authorization" not in elsewhere.asked[0].headers


@pytest.mark.parametrize("field", ["id_path", "records_path"])
def test_a_wrong_path_is_refused_before_anything_is_sent(client: Client, field: str) -> None:
    settings: dict[str, Any] = {"records_path": "", field: "a["}

    with pytest.raises(SettingsError, match=field):
        source_of(client, get("https://api.example.com"), **settings)
