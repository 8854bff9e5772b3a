"""One request before each window."""

from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import RefusedError, SettingsError, UnexpectedShapeError
from httpkit.freshness import SeenKeys
from httpkit.preparing import PrepareSettings
from tests.core.polls import get, in_turn, items, poll, records_of, source_of
from tests.fake_api import Answer, Asked, FakeApi


def prepared(api: FakeApi, **changes: Any) -> dict[str, Any]:
    """The settings of a source that asks for a session before each window."""
    fields: dict[str, Any] = {
        "prepare_url": f"{api.url}/sessions",
        "prepare_body": {"from": "{since:epoch}"},
        "prepare_capture": {"session": "data.id", "node": "header:X-Node"},
        **changes,
    }
    return {"prepare": PrepareSettings(**fields)}


def session(asked: Asked) -> Answer:
    if asked.path == "/sessions":
        return Answer(json={"data": {"id": 77}}, headers={"X-Node": "n1"})
    following = None if "next" in asked.params else "b"
    return Answer(json={"items": items(2 if "next" in asked.params else 1), "next": following})


def test_the_captured_values_go_into_all_requests_of_the_window(api: FakeApi, client: Client) -> None:
    api.handler = session
    request = get(f"{api.url}/logs/{{prepare.session}}", params={"node": "{prepare.node}"})
    source = source_of(client, request, pagination="cursor", next_path="next", next_parameter="next", **prepared(api))

    assert records_of(poll(source, SeenKeys())) == items(1, 2)
    assert [(asked.method, asked.path) for asked in api.asked] == [
        ("POST", "/sessions"),
        ("GET", "/logs/77"),
        ("GET", "/logs/77"),
    ]
    assert [asked.params.get("node") for asked in api.asked[1:]] == ["n1", "n1"]
    assert isinstance(api.asked[0].json["from"], int)


def test_each_poll_prepares_anew(api: FakeApi, client: Client) -> None:
    api.handler = session
    source = source_of(client, get(f"{api.url}/logs"), **prepared(api))

    poll(source, SeenKeys())
    poll(source, SeenKeys())

    assert [asked.path for asked in api.asked] == ["/sessions", "/logs", "/sessions", "/logs"]


def test_a_refused_preparation_fails_the_poll(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(status=403))

    with pytest.raises(RefusedError, match="/sessions"):
        poll(source_of(client, get(api.url), **prepared(api)), SeenKeys())


def test_a_value_that_is_missing_is_an_unexpected_answer(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(json={"data": {}}, headers={"X-Node": "n1"}))

    with pytest.raises(UnexpectedShapeError, match=r"prepare_capture\.session 'data.id'"):
        poll(source_of(client, get(api.url), **prepared(api)), SeenKeys())


def test_captures_without_a_request_are_refused(api: FakeApi, client: Client) -> None:
    with pytest.raises(SettingsError, match="prepare_url"):
        source_of(client, get(api.url), **prepared(api, prepare_url=""))


@pytest.mark.parametrize("odd", [r"\ud83d", r"a\nb"], ids=["half of a character", "two lines"])
def test_a_value_that_cannot_be_sent_is_an_unexpected_answer_and_no_wrong_setting(
    api: FakeApi, client: Client, odd: str
) -> None:
    body = b'{"data":{"id":"%s"}}' % odd.encode()
    api.handler = in_turn(Answer(body=body, headers={"X-Node": "n1"}), Answer(json={"items": items(1)}))
    request = get(api.url, params={"session": "{prepare.session}"}, headers={"X-Session": "{prepare.session}"})

    with pytest.raises(UnexpectedShapeError, match="what the API gave for it cannot be sent"):
        poll(source_of(client, request, **prepared(api)), SeenKeys())
