"""OAuth 2.0: how a token is asked for, how long it is used, and what happens when there is none."""

import base64
import gc
import itertools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from msgspec.structs import replace

from httpkit.account import credentials_of
from httpkit.auth import AccountSettings
from httpkit.client import Client, Proof
from httpkit.clocks import Clocks
from httpkit.destinations import origin_of
from httpkit.errors import HttpkitError, RefusedError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.redaction import Redactor
from httpkit.values import Response
from tests.core.clients import get, local_client, local_settings
from tests.fake_api import Answer, Asked, FakeApi
from tests.played_platform import eventually

SECRET = "cl1ent-s3cret"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class TurnedClock:
    """Both clocks, which go only when they are turned."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self.clocks = Clocks(monotonic=lambda: self._seconds, now=lambda: NOON + timedelta(seconds=self._seconds))

    def turn(self, seconds: float) -> None:
        self._seconds += seconds


class TokenServer:
    """Gives the tokens access-1, access-2 and so on at /token; everything else wants the newest one.

    Args:
        extra: the fields beside the token, for example its lifetime.
    """

    def __init__(self, **extra: Any) -> None:
        self.extra = extra
        self.failures: list[Answer] = []
        self._numbers = itertools.count(1)
        self._good = ""

    def __call__(self, asked: Asked) -> Answer:
        if asked.path != "/token":
            return Answer(status=200 if asked.headers.get("authorization") == f"Bearer {self._good}" else 401, json=[])
        if self.failures:
            return self.failures.pop(0)
        self._good = f"access-{next(self._numbers)}"
        return Answer(json={"access_token": self._good, "token_type": "Bearer", **self.extra})

    def forget(self) -> None:
        self._good = ""


def account_of(api: FakeApi, **changes: Any) -> AccountSettings:
    """Client credentials in a form."""
    account = AccountSettings(auth="oauth2", username="my-client", api_key=SECRET, token_url=f"{api.url}/token")
    return replace(account, **changes)


class Signed:
    """A client whose account differs from client credentials in a form by `changes`; it has a clock of its own."""

    def __init__(self, api: FakeApi, handler: Callable[[Asked], Answer], **changes: Any) -> None:
        self._api = api
        self.clock = TurnedClock()
        api.handler, redactor = handler, Redactor()
        credentials = credentials_of(account_of(api, **changes), redactor=redactor, clocks=self.clock.clocks)
        proof = Proof(credentials=credentials, origin=origin_of(api.url))
        self.client = Client(local_settings(), proof=proof, redactor=redactor)

    def get(self) -> Response:
        return self.client.send(get(f"{self._api.url}/items", authenticate=True))

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self._api.asked]


def form_of(asked: Asked) -> Mapping[str, str]:
    return dict(parse_qsl(asked.body.decode(), strict_parsing=True)) if asked.body else asked.params


# How a token is asked for

CLIENT = {"client_id": "my-client"}
USER = {"username": "my-client", "password": SECRET}
GRANTS: list[tuple[str, str, dict[str, str], dict[str, str], str | None]] = [
    ("client_credentials", "form", {}, {**CLIENT, "client_secret": SECRET}, None),
    ("client_credentials", "basic", {}, {}, f"my-client:{SECRET}"),
    ("refresh_token", "form", {}, {**CLIENT, "refresh_token": SECRET}, None),
    ("refresh_token", "form", {"client_secret": "x"}, {**CLIENT, "refresh_token": SECRET, "client_secret": "x"}, None),
    ("refresh_token", "basic", {"client_secret": "other"}, {"refresh_token": SECRET}, "my-client:other"),
    ("password", "form", {"client_id": "app"}, {**USER, "client_id": "app"}, None),
    ("password", "basic", {"client_id": "app", "client_secret": "other"}, USER, "app:other"),
]


@pytest.mark.parametrize("place", ["form", "query"])
@pytest.mark.parametrize("case", GRANTS, ids=lambda case: "-".join(case[:2]))
def test_each_grant_is_sent_in_each_style_and_place(
    api: FakeApi, case: tuple[str, str, dict[str, str], dict[str, str], str | None], place: str
) -> None:
    grant, style, params, fields, pair = case
    token_params = {"scope": "read all", "audience": "{username}", **params}

    changes = {"oauth2_grant": grant, "oauth2_client": style, "token_params": token_params, "token_params_in": place}
    assert Signed(api, TokenServer(), **changes).get().ok

    token, request = api.asked
    assert token.method == "POST"
    assert form_of(token) == {"grant_type": grant, "scope": "read all", "audience": "my-client", **fields}
    assert (bool(token.body), bool(token.params)) == (place == "form", place == "query")
    assert place == "query" or token.headers["content-type"] == "application/x-www-form-urlencoded"
    assert token.headers.get("authorization") == (pair and "Basic " + base64.b64encode(pair.encode()).decode())
    assert request.headers["authorization"] == "Bearer access-1"
    assert SECRET not in str(request)


def test_name_prefix_and_static_headers_go_with_the_token(api: FakeApi) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(json={"data": {"jwt": "t0ken"}} if asked.path == "/token" else [])

    headers = {"X-Client": "{username}"}
    Signed(api, answer, token_path="data.jwt", auth_name="X-Auth", auth_prefix="JWT ", headers=headers).get()

    token, request = api.asked
    assert (request.headers["x-auth"], request.headers["x-client"]) == ("JWT t0ken", "my-client")
    assert "authorization" not in request.headers
    assert "x-client" not in token.headers


def test_a_token_is_not_fetched_for_another_origin_or_without_being_asked(api: FakeApi) -> None:
    one = Signed(api, TokenServer())
    with FakeApi(lambda _: Answer(json=[])) as stranger:
        one.client.send(get(stranger.url, authenticate=True))
        one.client.send(get(f"{api.url}/items"))

        assert one.paths == ["/items"]
        assert "authorization" not in stranger.asked[0].headers


def test_oauth_needs_the_address_of_its_token_endpoint(api: FakeApi) -> None:
    with pytest.raises(SettingsError, match=r"^token_url: is needed by auth 'oauth2'"):
        local_client(url=api.url, account=account_of(api, token_url=""))


# How long it is used


IN_100_SECONDS = NOON + timedelta(seconds=100)
EPOCH = IN_100_SECONDS.timestamp()


@pytest.mark.parametrize("lifetime", [100, "100", 100.0, IN_100_SECONDS.isoformat(), EPOCH, EPOCH * 1000, 36000])
def test_a_token_is_renewed_before_its_end(api: FakeApi, lifetime: Any) -> None:
    """A tenth of its lifetime before, but at most five minutes."""
    end = 35_700 if lifetime == 36000 else 90
    one = Signed(api, TokenServer(expires_in=lifetime))
    one.get()

    one.clock.turn(end - 1)
    one.get()
    assert one.paths.count("/token") == 1

    one.clock.turn(1)
    assert one.get().ok
    assert one.paths == ["/token", "/items", "/items", "/token", "/items"]


@pytest.mark.parametrize("lifetime", [None, "", "soon", [3600], {}, 10**400])
def test_without_a_readable_lifetime_a_token_is_kept_until_a_401(api: FakeApi, lifetime: Any) -> None:
    server = TokenServer(expires_in=lifetime)
    one = Signed(api, server)

    one.get()
    one.clock.turn(10 * 365 * 86400)
    one.get()
    assert one.paths == ["/token", "/items", "/items"]

    server.forget()
    assert one.get().ok
    assert one.paths[3:] == ["/items", "/token", "/items"]


@pytest.mark.parametrize("lifetime", [0, -1, "-3600", "2001-01-01T00:00:00Z", 1_000_000_001])
def test_a_token_that_is_over_at_once_still_serves_its_request(api: FakeApi, lifetime: object) -> None:
    one = Signed(api, TokenServer(expires_in=lifetime))

    assert one.get().ok
    assert one.get().ok
    assert one.paths == ["/token", "/items"] * 2


def test_the_lifetime_is_read_where_the_account_says(api: FakeApi) -> None:
    one = Signed(api, TokenServer(meta={"ttl": 50}, expires_in=9999), token_expires_path="meta.ttl")
    one.get()
    one.clock.turn(45)
    one.get()

    assert one.paths.count("/token") == 2


def test_a_401_brings_one_new_token_and_the_request_again(api: FakeApi) -> None:
    server = TokenServer(expires_in=3600)
    one = Signed(api, server)
    one.get()
    server.forget()

    assert one.get().ok
    assert one.paths == ["/token", "/items", "/items", "/token", "/items"]
    assert api.asked[-1].headers["authorization"] == "Bearer access-2"


def test_a_second_401_is_given_back(api: FakeApi) -> None:
    one = Signed(api, lambda asked: Answer(status=200 if asked.path == "/token" else 401, json={"access_token": "t"}))

    assert one.get().status == 401
    assert one.paths == ["/token", "/items"] * 2


def test_a_sign_in_fetches_a_token_even_when_there_is_one(api: FakeApi) -> None:
    one = Signed(api, TokenServer(expires_in=3600))

    one.client.sign_in()
    one.client.sign_in()
    one.get()

    assert one.paths == ["/token", "/token", "/items"]


def test_a_cookie_beside_a_token_does_no_harm(api: FakeApi) -> None:
    one = Signed(api, lambda _: Answer(json={"access_token": "t"}, headers={"Set-Cookie": "session=1"}))

    one.client.sign_in()

    assert one.get().ok
    assert "cookie" not in api.asked[-1].headers


def all_at_once(one: Signed) -> list[int | str]:
    """The statuses, or names of errors, of eight requests that are started together."""
    start = threading.Barrier(8)

    def send(_: int) -> int | str:
        start.wait(10)
        try:
            return one.get().status
        except HttpkitError as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(send, range(8)))


def test_requests_side_by_side_wait_for_one_token(api: FakeApi) -> None:
    server = TokenServer(expires_in=100)
    one = Signed(api, server)

    assert all_at_once(one) == [200] * 8
    assert one.paths.count("/token") == 1

    one.clock.turn(95)
    assert all_at_once(one) == [200] * 8
    assert one.paths.count("/token") == 2

    server.forget()
    assert all_at_once(one) == [200] * 8
    assert one.paths.count("/token") == 3


# When there is none


@pytest.mark.parametrize("failure", [Answer(status=500), Answer(status=400), Answer(json={}), Answer(json={}, cut=0)])
def test_a_failed_token_request_does_not_block_the_next_one(api: FakeApi, failure: Answer) -> None:
    server = TokenServer()
    server.failures = [failure]
    one = Signed(api, server)

    with pytest.raises(HttpkitError):
        one.get()

    assert one.get().ok


def test_of_requests_side_by_side_only_the_one_whose_token_request_failed_fails(api: FakeApi) -> None:
    server = TokenServer()
    server.failures = [Answer(status=503)]

    outcomes = all_at_once(Signed(api, server))

    assert sorted(outcomes, key=str) == [200] * 7 + ["UnavailableError"]


def test_a_new_refresh_token_replaces_the_one_before(api: FakeApi) -> None:
    server = TokenServer(expires_in=0, refresh_token="second-refresh")
    one = Signed(api, server, oauth2_grant="refresh_token")
    one.get()
    server.extra = {"expires_in": 0}
    one.get()
    one.get()

    used = [form_of(asked)["refresh_token"] for asked in api.asked if asked.path == "/token"]
    assert used == [SECRET, "second-refresh", "second-refresh"]


HTML = Answer(body=f"<html>welcome {SECRET}</html>".encode(), headers={"Content-Type": "text/html"})


def test_a_request_that_is_given_up_loses_no_refresh_token(api: FakeApi) -> None:
    """The server takes each one once, so what it gives for it must be read, whoever asked."""
    slow, good = threading.Event(), ["first"]

    def answer(asked: Asked) -> Answer:
        if asked.path != "/token":
            return Answer(json=[])
        if form_of(asked)["refresh_token"] != good[-1]:
            return Answer(status=400, json={"error": "invalid_grant"})
        good.append(f"refresh-{len(good)}")
        content = {"access_token": f"access-{len(good)}", "refresh_token": good[-1], "expires_in": 60}
        return Answer(json=content, wait=slow if len(good) > 2 else None)

    one = Signed(api, answer, oauth2_grant="refresh_token", api_key="first")
    one.get()
    one.clock.turn(60)
    begun = one.client.begin(get(f"{api.url}/items", authenticate=True))
    eventually(lambda: len(good) > 2, "the token is renewed")
    del begun
    gc.collect()
    slow.set()

    assert one.get().ok
    assert one.paths == ["/token", "/items", "/token", "/items"]


DENIED = Answer(status=400, json={"error": "invalid_client", "error_description": f"{SECRET} is not known"})


@pytest.mark.parametrize("changes", [{}, {"token_params_in": "query"}, {"oauth2_client": "basic"}], ids=str)
@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (DENIED, RefusedError, r"no token, 400 Bad Request .*\*\*\* is not known.*check username, api_key"),
        (Answer(status=500, body=SECRET.encode()), UnavailableError, r"no token, 500 .*\*\*\*"),
        (Answer(status=429, headers={"Retry-After": "7"}), UnavailableError, "no token, 429"),
        (HTML, UnexpectedShapeError, "no text at token_path 'access_token'; it is not a JSON object"),
        (Answer(json={"token": SECRET}), UnexpectedShapeError, "it has token$"),
        (Answer(json={"access_token": 7}), UnexpectedShapeError, "no text at token_path"),
        (Answer(body=b""), UnexpectedShapeError, "it is not a JSON object"),
        (Answer(status=302, headers={"Location": f"/login?{SECRET}"}), RefusedError, "no token, 302 Found"),
        (Answer(json={"access_token": "t"}, cut=3), UnavailableError, "POST http"),
    ],
)
def test_what_went_wrong_is_told_without_secrets(
    api: FakeApi, changes: dict[str, Any], answer: Answer, error: type[HttpkitError], message: str
) -> None:
    one = Signed(api, lambda _: answer, **changes)

    with pytest.raises(error, match=message) as raised:
        one.get()

    encoded = base64.b64encode(f"my-client:{SECRET}".encode()).decode()
    assert not any(text in repr(raised.value) + raised.value.message for text in (SECRET, encoded))
    assert one.paths == ["/token"]


def test_a_token_that_was_given_is_masked_in_later_errors(api: FakeApi) -> None:
    server = TokenServer()
    one = Signed(api, server)
    one.get()
    server.failures = [Answer(status=400, body=b"access-1 was used")]
    server.forget()

    with pytest.raises(RefusedError, match=r"\*\*\* was used"):
        one.get()
