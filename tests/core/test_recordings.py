"""Exchanges saved without secrets, and answered from what was saved."""

import json
from typing import Any

import pytest

from httpkit.auth import AccountSettings
from httpkit.client import Client
from httpkit.errors import HttpkitError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.exchanges import ExchangeLog
from httpkit.recordings import Replay, recorded, shown_url
from httpkit.redaction import Redactor
from tests.core.clients import get, local_settings
from tests.core.polls import in_turn
from tests.core.previews import KEY, looked_at, settings_of
from tests.fake_api import Answer, FakeApi


def saved(*requests: Any, redactor: Redactor | None = None, **client: Any) -> list[Any]:
    """The recording of some requests, as it comes back from a file."""
    log = ExchangeLog(limit=9)
    sender = Client(local_settings(wire=log, **client))
    for request in requests:
        try:
            sender.send(request)
        except HttpkitError:
            continue
    exchanges: list[Any] = json.loads(json.dumps(recorded(log.sent, redactor or Redactor())))
    return exchanges


def replaying(exchanges: list[Any], redactor: Redactor | None = None) -> Client:
    """A client that answers from a recording."""
    return Client(local_settings(wire=ExchangeLog(limit=9, around=Replay(exchanges, redactor or Redactor()))))


@pytest.mark.parametrize(
    "body", [b"[1, 2]", "é".encode(), "é".encode("latin-1"), b"\x00\xff\xfe binary", b""], ids=repr
)
def test_an_answer_comes_back_as_it_was(api: FakeApi, body: bytes) -> None:
    api.handler = lambda _: Answer(status=203, body=body, headers={"X-Next": "a", "Content-Type": "x/y"})
    real = Client(local_settings()).send(get(api.url))

    again = replaying(saved(get(api.url))).send(get(api.url))

    assert (again.status, again.reason, again.body) == (real.status, real.reason, real.body)
    assert again.headers["x-NEXT"] == "a"
    assert again.url == real.url


def test_equal_requests_are_answered_in_their_order(api: FakeApi) -> None:
    api.handler = in_turn(Answer(json=1), Answer(json=2))
    client = replaying(saved(get(api.url), get(api.url)))

    assert [client.send(get(api.url)).body for _ in range(2)] == [b"1", b"2"]


def test_a_request_that_was_not_recorded_is_a_clear_error(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=1)
    client = replaying(saved(get(f"{api.url}/a", params={"x": "1"})))

    with pytest.raises(SettingsError, match=r"replay: GET http://.*/a\?x=2 .*is not in the recording; record again"):
        client.send(get(f"{api.url}/a", params={"x": "2"}))


def test_a_failure_comes_back_as_it_was() -> None:
    asked = get("http://127.0.0.1:9/")

    with pytest.raises(UnavailableError, match="could not connect"):
        replaying(saved(asked)).send(asked)


def test_an_answer_that_was_too_large_comes_back_as_such(api: FakeApi) -> None:
    api.handler = lambda _: Answer(body=b"x" * 2_000_000)
    exchanges = saved(get(api.url), max_response_megabytes=1)

    with pytest.raises(UnexpectedShapeError, match="larger than 1 MB"):
        replaying(exchanges).send(get(api.url))


def test_what_is_no_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="not a recording"):
        Replay([{"request": {}}], Redactor())


def test_known_secrets_are_masked_wherever_they_stand(api: FakeApi) -> None:
    secret = "s3cr3t/key=="
    api.handler = lambda asked: Answer(json={"echo": asked.target, "key": secret}, headers={"X-Echo": secret})
    asked = get(api.url, params={"k": secret}, headers={"X-Own": secret}, body={"k": secret})
    redactor = Redactor([secret])

    exchanges = saved(asked, redactor=redactor)

    assert "s3cr3t" not in json.dumps(exchanges)
    assert replaying(exchanges, redactor).send(asked).ok


def test_secrets_are_masked_by_their_names_too(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[], headers={"Set-Cookie": "session=abc123"})
    url = api.url.replace("://", "://user:passw0rd@") + "/?signature=abc456"
    asked = get(url, headers={"Authorization": "Bearer abc789"}, body={"password": "abc000"})

    text = json.dumps(saved(asked))

    assert not [secret for secret in ("abc123", "abc456", "abc789", "abc000", "passw0rd") if secret in text]


def test_a_credential_in_an_address_is_masked_in_the_answer_that_named_it(api: FakeApi) -> None:
    following = f"{api.url}/two?access_token=abcdef123456&page_token=next-7"
    api.handler = lambda _: Answer(json={"next": following})
    exchanges = saved(get(f"{api.url}/one"), get(following))

    assert "abcdef123456" not in json.dumps(exchanges)
    named = json.loads(replaying(exchanges).send(get(f"{api.url}/one")).body)["next"]
    assert "next-7" in named
    assert replaying(exchanges).send(get(named)).ok


def test_a_token_that_was_granted_is_not_recorded(api: FakeApi) -> None:
    api.handler = in_turn(
        Answer(json={"access_token": "granted-1", "refresh_token": "granted-2", "id_token": "granted-3"}),
        Answer(json=[]),
    )
    account = AccountSettings(auth="oauth2", api_key=KEY, username="me", token_url=f"{api.url}/token")

    facts, redactor = looked_at(settings_of(f"{api.url}/items"), account=account)
    text = json.dumps(recorded(facts.sent, redactor))

    assert "granted" not in text
    assert KEY not in text


def test_a_header_that_a_setting_reads_is_kept(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[], headers={"X-Page-Token": "p2"})
    log = ExchangeLog(limit=1)
    Client(local_settings(wire=log)).send(get(api.url))

    kept = recorded(log.sent, Redactor(), kept_headers=["x-page-token"])[0]["response"]["headers"]
    masked = recorded(log.sent, Redactor())[0]["response"]["headers"]

    assert (kept["X-Page-Token"], masked["X-Page-Token"]) == ("p2", "***")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@host/a?b=1#c", "https://host/a?b=1#c"),
        ("https://host/?api_key=x&b=%20", "https://host/?api_key=***&b=%20"),
        ("https://host/?token=", "https://host/?token="),
    ],
)
def test_an_address_is_shown_without_what_sounds_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown
