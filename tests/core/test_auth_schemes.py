"""Schemes whose proof is fixed or comes from a login: how it is presented, and to whom alone."""

import base64
from typing import Any
from urllib.parse import parse_qsl

import pytest
from msgspec.structs import replace

from httpkit.auth import AccountSettings
from httpkit.client import Client, Proof
from httpkit.destinations import origin_of
from httpkit.errors import RefusedError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.freshness import SeenKeys
from httpkit.redaction import Redactor
from httpkit.request_templates import RequestSettings
from httpkit.values import Request
from tests.core.clients import get, local_client, local_settings
from tests.core.polls import items, poll, records_of, source_of
from tests.fake_api import Answer, Asked, FakeApi

KEY = "k3y-of-the-account"


def asked_with(api: FakeApi, account: AccountSettings, *, url: str = "", **fields: Any) -> Asked:
    """What the server sees of one authenticated GET; the credentials belong to its origin."""
    api.handler = lambda _: Answer(json=[])
    local_client(url=api.url, account=account).send(get(url or f"{api.url}/items", authenticate=True, **fields))
    return api.asked[-1]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [
        ({"auth": "bearer"}, "authorization", f"Bearer {KEY}"),
        ({"auth": "bearer", "auth_prefix": "Token "}, "authorization", f"Token {KEY}"),
        ({"auth": "bearer", "auth_name": "X-Auth"}, "x-auth", f"Bearer {KEY}"),
        ({"auth": "header"}, "authorization", KEY),
        ({"auth": "header", "auth_name": "X-API-Key"}, "x-api-key", KEY),
        ({"auth": "header", "auth_prefix": "SSWS "}, "authorization", f"SSWS {KEY}"),
        ({"auth": "basic", "username": "ann"}, "authorization", basic("ann", KEY)),
        ({"auth": "basic", "username": "änn"}, "authorization", basic("änn", KEY)),
        ({"auth": "basic", "username": "ann", "auth_name": "X-Basic"}, "x-basic", basic("ann", KEY)),
    ],
)
def test_a_header_scheme_sends_its_proof_in_its_header(
    api: FakeApi, settings: dict[str, Any], header: str, value: str
) -> None:
    asked = asked_with(api, AccountSettings(api_key=KEY, **settings))

    assert asked.headers[header] == value
    assert asked.params == {}
    assert header == "authorization" or "authorization" not in asked.headers


@pytest.mark.parametrize(("auth_name", "parameter"), [("", "api_key"), ("token", "token")])
def test_the_query_scheme_sends_the_key_as_a_parameter_beside_the_others(
    api: FakeApi, auth_name: str, parameter: str
) -> None:
    account = AccountSettings(auth="query", auth_name=auth_name, api_key="a&b =ü")

    asked = asked_with(api, account, url=f"{api.url}/items?fixed=1", params={"page": 2})

    assert asked.params == {"fixed": "1", "page": "2", parameter: "a&b =ü"}
    assert "authorization" not in asked.headers


def test_the_scheme_none_sends_static_headers_and_no_key(api: FakeApi) -> None:
    asked = asked_with(api, AccountSettings(auth="none", api_key=KEY, headers={"X-Tenant": "seven"}))

    assert asked.headers["x-tenant"] == "seven"
    assert "authorization" not in asked.headers
    assert KEY not in str(asked)


@pytest.mark.parametrize("auth", ["bearer", "header", "query", "basic", "none"])
def test_placeholders_in_static_headers_take_user_and_key(api: FakeApi, auth: Any) -> None:
    headers = {"X-Pair": "{username}/{api_key}", "X-{username}": "{unknown}"}
    asked = asked_with(api, AccountSettings(auth=auth, api_key=KEY, username="ann", headers=headers))

    assert asked.headers["x-pair"] == f"ann/{KEY}"
    assert asked.headers["x-ann"] == "{unknown}"


def test_a_static_header_that_is_only_an_empty_placeholder_is_left_out(api: FakeApi) -> None:
    asked = asked_with(api, AccountSettings(api_key=KEY, headers={"X-User": "{username}"}))

    assert "x-user" not in asked.headers


def test_headers_of_the_request_win_over_those_of_the_account_in_any_case(api: FakeApi) -> None:
    account = AccountSettings(api_key=KEY, headers={"X-Tenant": "seven"})

    asked = asked_with(api, account, headers={"AUTHORIZATION": "mine", "x-tenant": "eight"})

    assert (asked.headers["authorization"], asked.headers["x-tenant"]) == ("mine", "eight")


def test_a_request_that_does_not_ask_for_the_proof_is_sent_without_it(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[])
    account = AccountSettings(api_key=KEY, headers={"X-Tenant": KEY})

    local_client(url=api.url, account=account).send(get(api.url))

    assert KEY not in str(api.asked)


@pytest.mark.parametrize("auth", ["basic", "digest"])
def test_a_scheme_with_a_user_needs_one(auth: Any) -> None:
    with pytest.raises(SettingsError, match=f"^username: is needed by auth '{auth}'"):
        local_client(url="http://127.0.0.1", account=AccountSettings(auth=auth, api_key=KEY))


def test_a_basic_user_with_a_colon_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^username: must not contain a colon"):
        local_client(url="http://127.0.0.1", account=AccountSettings(auth="basic", username="a:b", api_key=KEY))


SECRET_ACCOUNTS = [
    AccountSettings(auth="bearer", api_key=KEY, headers={"X-Second": KEY}),
    AccountSettings(auth="query", api_key=KEY, headers={"X-Second": KEY}),
    AccountSettings(auth="basic", username="ann", api_key=KEY, headers={"X-Second": KEY}),
    AccountSettings(auth="none", api_key=KEY, headers={"X-Second": "{api_key}"}),
]


def holds_the_key(asked: Asked) -> bool:
    return KEY in str(asked) or basic("ann", KEY) in str(asked)


@pytest.mark.parametrize("account", SECRET_ACCOUNTS, ids=lambda account: account.auth)
@pytest.mark.parametrize("owner", ["other port", "other scheme", "other host"])
def test_only_the_origin_of_the_credentials_sees_them(api: FakeApi, account: AccountSettings, owner: str) -> None:
    api.handler = lambda _: Answer(json=[])
    port = origin_of(api.url).port
    origins = {
        "other port": f"http://127.0.0.1:{port % 60000 + 1}",
        "other scheme": f"https://127.0.0.1:{port}",
        "other host": f"http://localhost:{port}",
    }

    local_client(url=origins[owner], account=account).send(get(f"{api.url}/items", authenticate=True))

    assert not holds_the_key(api.asked[0])


@pytest.mark.parametrize("account", SECRET_ACCOUNTS, ids=lambda account: account.auth)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_the_credentials_along_inside_their_origin_only(
    api: FakeApi, account: AccountSettings, status: int
) -> None:
    with FakeApi(lambda _: Answer(json=[])) as stranger:

        def answer(asked: Asked) -> Answer:
            targets = {"/start": "/inside", "/inside": f"{stranger.url}/outside"}
            return Answer(status=status, headers={"Location": targets[asked.path]})

        api.handler = answer
        request = get(f"{api.url}/start", authenticate=True, headers={"Authorization-Extra": KEY})
        local_client(url=api.url, account=account).send(request)

        assert [holds_the_key(asked) for asked in api.asked] == [True, True]
        assert [holds_the_key(asked) for asked in stranger.asked] == [False]


def test_a_redirect_back_to_the_origin_of_the_credentials_has_them_again(api: FakeApi) -> None:
    with FakeApi(lambda _: Answer(status=302, headers={"Location": f"{api.url}/end"})) as stranger:
        targets = {"/start": Answer(status=302, headers={"Location": stranger.url}), "/end": Answer(json=[])}
        api.handler = lambda asked: targets[asked.path]

        local_client(url=api.url, account=SECRET_ACCOUNTS[0]).send(get(f"{api.url}/start", authenticate=True))

        assert [holds_the_key(asked) for asked in [*api.asked, *stranger.asked]] == [True, True, False]


@pytest.mark.parametrize("account", SECRET_ACCOUNTS, ids=lambda account: account.auth)
def test_a_next_url_on_another_origin_is_asked_without_credentials(api: FakeApi, account: AccountSettings) -> None:
    with FakeApi(lambda _: Answer(json={"items": []})) as stranger:
        api.handler = lambda _: Answer(json={"items": items(1), "next": f"{stranger.url}/more"})
        request = RequestSettings(url=f"{api.url}/items", authenticate=True, headers={"X-Third": KEY})
        client = local_client(url=api.url, account=account)

        poll(source_of(client, request, pagination="next_url", next_path="next"), SeenKeys())

        assert [holds_the_key(asked) for asked in api.asked] == [True]
        assert [holds_the_key(asked) for asked in stranger.asked] == [False]


def test_a_next_url_on_the_same_origin_is_asked_with_the_credentials(api: FakeApi) -> None:
    pages = {"/items": {"items": items(1), "next": "/more"}, "/more": {"items": items(2)}}
    api.handler = lambda asked: Answer(json=pages[asked.path])
    request = RequestSettings(url=f"{api.url}/items", authenticate=True)
    client = local_client(url=api.url, account=SECRET_ACCOUNTS[0])

    batches = poll(source_of(client, request, pagination="next_url", next_path="next"), SeenKeys())

    assert records_of(batches) == items(1, 2)
    assert all(asked.headers["authorization"] == f"Bearer {KEY}" for asked in api.asked)


# Login


def login_account(api: FakeApi, **changes: Any) -> AccountSettings:
    """A login with user and key as a JSON body."""
    settings = AccountSettings(
        auth="login",
        username="ann",
        api_key=KEY,
        token_url=f"{api.url}/login",
        login_body={"user": "{username}", "password": "{api_key}"},
    )
    return replace(settings, **changes)


def after_login(api: FakeApi, account: AccountSettings, answer: Answer) -> tuple[Asked, Asked]:
    """The login and the request that follows it, as the server saw them."""
    api.handler = lambda asked: answer if asked.path == "/login" else Answer(json=[])
    local_client(url=api.url, account=account).send(get(f"{api.url}/items", authenticate=True))
    login, request = api.asked
    return login, request


def test_a_login_sends_user_and_key_as_json_and_its_token_with_the_request(api: FakeApi) -> None:
    login, request = after_login(api, login_account(api), Answer(json={"token": "t0ken"}))

    assert (login.method, login.json) == ("POST", {"user": "ann", "password": KEY})
    assert login.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer t0ken"
    assert not holds_the_key(request)


def test_a_login_in_form_format_sends_fields(api: FakeApi) -> None:
    account = login_account(api, login_format="form", login_headers={"X-Key": "{api_key}", "Accept": "text/plain"})

    login, _ = after_login(api, account, Answer(json={"token": "t0ken"}))

    assert login.headers["content-type"] == "application/x-www-form-urlencoded"
    assert dict(parse_qsl(login.body.decode())) == {"user": "ann", "password": KEY}
    assert (login.headers["x-key"], login.headers["accept"]) == (KEY, "text/plain")


def test_a_login_captures_from_body_and_headers_and_injects_both(api: FakeApi) -> None:
    account = login_account(
        api,
        headers={"X-Tenant": "seven"},
        login_capture={"sid": "session.id", "csrf": "header:X-CSRF"},
        login_inject={"Cookie": "sid={login.sid}", "X-CSRF": "{login.csrf}", "X-User": "{username}"},
    )

    _, request = after_login(api, account, Answer(json={"session": {"id": 4711}}, headers={"x-csrf": "c5rf"}))

    assert (request.headers["cookie"], request.headers["x-csrf"]) == ("sid=4711", "c5rf")
    assert (request.headers["x-user"], request.headers["x-tenant"]) == ("ann", "seven")
    assert "authorization" not in request.headers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_good_login(api: FakeApi, status: int) -> None:
    answer = Answer(status=status, body=b"", headers={"X-Auth-Token": "t0ken"})
    account = login_account(api, login_capture={"token": "header:X-Auth-Token"})

    _, request = after_login(api, account, answer)

    assert request.headers["authorization"] == "Bearer t0ken"


def test_one_login_serves_many_requests(api: FakeApi) -> None:
    api.handler = lambda asked: Answer(json={"token": "t0ken"})
    client = local_client(url=api.url, account=login_account(api))

    for _ in range(3):
        client.send(get(f"{api.url}/items", authenticate=True))

    assert [asked.path for asked in api.asked] == ["/login", "/items", "/items", "/items"]


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (Answer(json={"tokn": "t0ken"}), UnexpectedShapeError, r"login_capture\.token 'token'; it has tokn$"),
        (Answer(json={"token": ""}), UnexpectedShapeError, r"holds nothing at login_capture\.token"),
        (Answer(body=b"<html>hello</html>"), UnexpectedShapeError, "it is not a JSON object"),
        (Answer(status=401, json={"you sent": KEY}), RefusedError, "check username, api_key"),
        (Answer(status=302, headers={"Location": "/elsewhere"}), RefusedError, "no token, 302 Found"),
        (Answer(status=503, body=KEY.encode()), UnavailableError, "no token, 503"),
    ],
)
def test_a_failed_login_is_told_and_the_request_is_not_sent(
    api: FakeApi, answer: Answer, error: type[Exception], message: str
) -> None:
    api.handler = lambda _: answer

    with pytest.raises(error, match=message) as raised:
        local_client(url=api.url, account=login_account(api)).send(get(f"{api.url}/items", authenticate=True))

    assert KEY not in str(raised.value)
    assert [asked.path for asked in api.asked] == ["/login"]


def test_a_login_needs_its_address() -> None:
    with pytest.raises(SettingsError, match=r"^token_url: is needed by auth 'login'"):
        local_client(url="http://127.0.0.1", account=AccountSettings(auth="login", api_key=KEY))


class OwnScheme:
    """A scheme of a test: it sends a request beside the proper one."""

    def flow(self, request: Request) -> Any:
        first = yield replace(request, url=request.url.replace("/items", "/hello"))
        yield replace(request, headers={"X-Proof": first.body.decode()})

    def sign_in(self) -> Any:
        yield from ()


def test_a_new_scheme_is_a_generator_of_requests(api: FakeApi) -> None:
    api.handler = lambda asked: Answer(body=b"welcome")
    proof = Proof(credentials=OwnScheme(), origin=origin_of(api.url))

    Client(local_settings(), proof=proof, redactor=Redactor()).send(get(f"{api.url}/items", authenticate=True))

    assert [(asked.path, asked.headers.get("x-proof")) for asked in api.asked] == [
        ("/hello", None),
        ("/items", "welcome"),
    ]
