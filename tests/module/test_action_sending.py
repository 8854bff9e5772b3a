"""What the action sends: each argument, as the server sees it."""

import base64
from threading import Event
from typing import Any

import pytest

from httpkit.errors import UnavailableError
from tests.fake_api import Answer, Asked, FakeApi
from tests.module.actions import run_action
from tests.played_platform import API_KEY

DIGEST = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'}


def sent(arguments: dict[str, Any], *, account: dict[str, Any] | None = None, path: str = "/x") -> Asked:
    """Run the action against a server that takes everything, and give what it was asked."""
    with FakeApi(lambda _: Answer(json=[])) as api:
        run_action({"url": f"{api.url}{path}", **arguments}, account=account)
    assert len(api.asked) == 1
    return api.asked[0]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
def test_each_method_is_sent(method: str) -> None:
    assert sent({"method": method}).method == method.upper()


def test_a_head_request_gives_headers_and_no_text() -> None:
    with FakeApi(lambda _: Answer(body=b"", headers={"X-Size": "12"})) as api:
        outcome = run_action({"url": api.url, "method": "head"})

    assert api.asked[0].method == "HEAD"
    assert outcome.results.headers["X-Size"] == "12"
    assert outcome.results.text == ""
    assert outcome.results.json_body is None


@pytest.mark.parametrize(
    ("params", "target"),
    [
        ({"a": 1, "b": "x y"}, "/x?q=0&a=1&b=x+y"),
        ({"a": [1, "two"], "b": True, "c": None}, "/x?q=0&a=1&a=two&b=true"),
        ("a=1&b=x%20y", "/x?q=0&a=1&b=x%20y"),
        ("?a=1", "/x?q=0&a=1"),
        ("a=#1&b=2", "/x?q=0&a=%231&b=2"),
        ({}, "/x?q=0"),
        ("", "/x?q=0"),
    ],
)
def test_params_are_an_object_or_text_and_are_added_to_the_url(params: Any, target: str) -> None:
    assert sent({"params": params}, path="/x?q=0").target == target


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ({"a": "é"}, '{"a": "é"}'),
        ([1, {"b": None}], '[1, {"b": null}]'),
        ("text", '"text"'),
        (False, "false"),
        (0, "0"),
        ([], "[]"),
        ({}, "{}"),
        (12345678901234567890123, "12345678901234567890123"),
    ],
)
def test_json_may_be_any_value(value: Any, body: str) -> None:
    asked = sent({"method": "post", "json": value})

    assert asked.body.decode() == body
    assert asked.headers["content-type"] == "application/json"


def test_json_null_is_no_body() -> None:
    asked = sent({"method": "post", "json": None})

    assert asked.body == b""
    assert "content-type" not in asked.headers


def test_data_is_sent_as_it_is() -> None:
    asked = sent({"method": "put", "data": "<é/>", "headers": {"Content-Type": "application/xml"}})

    assert asked.body == "<é/>".encode()
    assert asked.headers["content-type"] == "application/xml"


def test_a_form_is_url_encoded() -> None:
    asked = sent({"method": "post", "form": {"user": "a b", "roles": ["x", "y"], "on": True}})

    assert asked.body == b"user=a+b&roles=x&roles=y&on=true"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_content_type_of_the_playbook_wins() -> None:
    asked = sent({"method": "patch", "json": [], "headers": {"content-type": "application/json-patch+json"}})

    assert asked.headers["content-type"] == "application/json-patch+json"


@pytest.mark.parametrize(
    ("base", "url", "target"),
    [
        ("/api/v1", "users?x=1", "/api/v1/users?x=1"),
        ("/api/v1/", "/users", "/api/v1/users"),
        ("", "users", "/users"),
        ("/api", "?x=1", "/api?x=1"),
    ],
)
def test_a_relative_url_is_joined_to_the_base_url_whose_path_is_kept(base: str, url: str, target: str) -> None:
    with FakeApi(lambda _: Answer(json=[])) as api:
        run_action({"url": url}, account={"base_url": api.url + base})

    assert api.asked[0].target == target


@pytest.mark.parametrize(
    ("account", "header", "value"),
    [
        ({}, "authorization", f"Bearer {API_KEY}"),
        ({"auth_prefix": "Token "}, "authorization", f"Token {API_KEY}"),
        ({"auth": "header", "auth_name": "X-Key"}, "x-key", API_KEY),
        ({"auth": "basic", "username": "me"}, "authorization", basic("me", API_KEY)),
        ({"auth": "none", "headers": {"X-Tenant": "42"}}, "x-tenant", "42"),
    ],
)
def test_authenticate_sends_the_credentials_of_the_account(account: dict[str, Any], header: str, value: str) -> None:
    assert sent({"authenticate": True}, account=account).headers[header] == value


def test_authenticate_with_a_key_in_the_query_adds_it_there() -> None:
    assert sent({"authenticate": True}, account={"auth": "query"}).params == {"api_key": API_KEY}


@pytest.mark.parametrize(
    ("scheme", "answer", "arguments"),
    [
        ("oauth2", {"access_token": "t-12345"}, {"username": "me"}),
        ("login", {"token": "t-12345"}, {"login_body": {"user": "{username}", "key": "{api_key}"}}),
    ],
)
def test_authenticate_fetches_the_token_of_the_account(
    scheme: str, answer: dict[str, str], arguments: dict[str, Any]
) -> None:
    with FakeApi(lambda asked: Answer(json=answer if asked.path == "/token" else [])) as api:
        account = {"auth": scheme, "token_url": f"{api.url}/token", **arguments}
        run_action({"url": f"{api.url}/x", "authenticate": True}, account=account)

    assert [asked.path for asked in api.asked] == ["/token", "/x"]
    assert API_KEY.encode() in api.asked[0].body
    assert api.asked[1].headers["authorization"] == "Bearer t-12345"


def test_another_origin_than_that_of_the_account_is_asked_without_credentials() -> None:
    with FakeApi(lambda _: Answer(json=[])) as home, FakeApi(lambda _: Answer(json=[])) as other:
        run_action({"url": other.url, "authenticate": True}, account={"base_url": home.url})

    assert "authorization" not in other.asked[0].headers
    assert home.asked == []


def test_without_authenticate_no_credentials_are_sent() -> None:
    assert "authorization" not in sent({}).headers


def test_the_arguments_may_hold_credentials_of_their_own() -> None:
    bearer = {"auth_type": "Bearer", "auth_token": "tok-1"}
    assert sent(bearer).headers["authorization"] == "Bearer tok-1"
    user = {"auth_type": "Basic", "auth_username": "me", "auth_password": "pässword"}
    assert sent(user).headers["authorization"] == basic("me", "pässword")


def test_digest_answers_the_challenge_of_the_server() -> None:
    def challenge(asked: Asked) -> Answer:
        return Answer(json=[]) if "authorization" in asked.headers else Answer(status=401, headers=DIGEST)

    with FakeApi(challenge) as api:
        arguments = {"auth_type": "Digest", "auth_username": "me", "auth_password": "secret"}
        outcome = run_action({"url": api.url, **arguments})

    assert outcome.error is None
    assert api.asked[1].headers["authorization"].startswith('Digest username="me"')


def test_redirects_are_followed_unless_told_otherwise() -> None:
    def redirect(asked: Asked) -> Answer:
        return Answer(json="here") if asked.path == "/b" else Answer(status=302, headers={"Location": "/b"})

    with FakeApi(redirect) as api:
        followed = run_action({"url": f"{api.url}/a"})
        stayed = run_action({"url": f"{api.url}/a", "follow_redirects": False})

    assert (followed.results.status_code, followed.results.url) == (200, f"{api.url}/b")
    assert (stayed.results.status_code, stayed.results.headers["Location"]) == (302, "/b")


def test_a_silent_server_is_given_up_after_timeout_seconds() -> None:
    with (
        FakeApi(lambda _: Answer(wait=Event())) as api,
        pytest.raises(UnavailableError, match=r"no answer within 0\.2 s"),
    ):
        run_action({"url": api.url, "timeout_seconds": 0.2})


@pytest.mark.parametrize(
    ("arguments", "tries"),
    [
        ({"method": "get", "retries": 1}, 2),
        ({"method": "get", "retries": 0}, 1),
        ({"method": "post", "retries": 1}, 1),
        ({"method": "post", "retries": 1, "retry_unsafe": True}, 2),
        ({"method": "post", "retries": 1, "headers": {"Idempotency-Key": "a1"}}, 2),
    ],
)
def test_only_what_may_be_repeated_is_repeated(arguments: dict[str, Any], tries: int) -> None:
    with FakeApi(lambda _: Answer(status=503, headers={"Retry-After": "0"})) as api:
        outcome = run_action({"url": api.url, **arguments})

    assert len(api.asked) == tries
    assert outcome.results.status_code == 503
