"""The check of an account: a verdict and one sentence, reported to the platform."""

import json
import os
import sys
from typing import Any

import pytest

from relay.sekoia.child import Child
from relay.sekoia.runner import LAUNCHER
from testhttp_modules import TesthttpModule
from testhttp_modules.account_validator import TesthttpAccountValidator
from tests.fake_api import Answer, Asked, FakeApi
from tests.played_platform import API_KEY, REPOSITORY, Platform, eventually

COMMAND = "validate_module_configuration"
TOKEN = "token-of-the-check"


def environment(platform: Platform, account: Any) -> dict[str, str]:
    """What the platform gives to a check of this account, whose secrets come only when asked for."""
    platform.store.open_run(component=COMMAND, token=TOKEN, secrets={"api_key": API_KEY})
    return {
        "TOKEN": TOKEN,
        "URL_CALLBACK": f"{platform.url}/sekoia/callback",
        "MODULE_CONFIGURATION": json.dumps(account),
    }


def verdict(platform: Platform) -> tuple[bool, str | None]:
    """What the check has reported."""
    (run,) = platform.store.runs()
    assert run.status == "finished"
    assert isinstance(run.results, dict)
    assert list(run.results) == ["success"]
    return run.results["success"], run.error


def checked(platform: Platform, monkeypatch: pytest.MonkeyPatch, account: dict[str, Any]) -> tuple[bool, str | None]:
    """Check an account in this process."""
    fields = {"api_key": "placeholder", "allow_private_networks": True, **account}
    for name, value in environment(platform, fields).items():
        monkeypatch.setenv(name, value)
    TesthttpAccountValidator(TesthttpModule()).execute()
    return verdict(platform)


def checked_as_a_process(platform: Platform, account: dict[str, Any]) -> tuple[bool, str | None, list[str]]:
    """Check an account as the platform does; the verdict and what the process wrote."""
    output: list[str] = []
    child = Child(
        [sys.executable, str(LAUNCHER), str(platform.data_folder), COMMAND],
        folder=REPOSITORY,
        environment={**os.environ, **environment(platform, account)},
        on_line=output.append,
    )
    eventually(lambda: child.exit_status() is not None, "the check ends")
    assert child.wait(hurry=lambda: False) == 0
    assert not any("Traceback" in line for line in output)
    return *verdict(platform), output


def only_with_the_key(asked: Asked) -> Answer:
    """An API that knows one key."""
    return Answer(status=200 if asked.headers.get("authorization") == f"Bearer {API_KEY}" else 401, json={})


def test_a_good_account_is_accepted_by_the_process(platform: Platform) -> None:
    with FakeApi(only_with_the_key) as api:
        account = {"api_key": "placeholder", "base_url": api.url, "allow_private_networks": True}
        success, error, _ = checked_as_a_process(platform, account)

    assert (success, error) == (True, None)
    assert api.asked[0].headers["authorization"] == f"Bearer {API_KEY}"


def test_a_wrong_key_is_refused_by_the_process_without_showing_it(platform: Platform) -> None:
    with FakeApi(lambda asked: Answer(status=401, json={"bad": asked.headers["authorization"]})) as api:
        account = {"api_key": "placeholder", "base_url": f"{api.url}/v1", "allow_private_networks": True}
        success, error, output = checked_as_a_process(platform, account)

    assert success is False
    assert error is not None
    assert error.startswith(f"api_key: was not accepted: GET {api.url}/v1")
    assert "401" in error
    assert API_KEY not in f"{error}{output}"


def test_an_account_without_its_key_is_refused_by_the_process(platform: Platform) -> None:
    success, error, _ = checked_as_a_process(platform, {"base_url": "https://example.com"})

    assert success is False
    assert error is not None
    assert error.startswith("module_configuration: ")
    assert "api_key" in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("account", "error"),
    [
        ({"base_url": "http://127.0.0.1:9"}, "GET http://127.0.0.1:9/: could not connect (Connection refused)"),
        ({"base_url": "http://no-such-host.invalid"}, "GET http://no-such-host.invalid/: could not connect"),
        ({"base_url": "example.com"}, "base_url: 'example.com' must start with https:// or http://"),
        (
            {"base_url": "http://127.0.0.1:9", "allow_private_networks": False},
            "127.0.0.1 is a private address; set allow_private_networks",
        ),
        ({"ca_certificate": "-----BEGIN nothing"}, "ca_certificate: is not a PEM certificate"),
        ({"client_certificate": "x", "client_key": "y"}, "client_certificate: and client_key are not a usable pair"),
        ({"auth": "oauth2"}, "token_url: is needed by auth 'oauth2': where tokens are fetched"),
        ({"auth": "login"}, "token_url: is needed by auth 'login': where tokens are fetched"),
        ({"auth": "basic"}, "username: is needed by auth 'basic'"),
        ({"auth": "telepathy"}, "module_configuration: auth: Input should be 'bearer'"),
        ({"colour": "red"}, "module_configuration: colour: is not a known field; check its spelling or remove it"),
        ({"token_path": "a["}, None),
        ({"auth": "oauth2", "token_url": "http://127.0.0.1:9", "token_path": "a["}, "token_path: 'a[' is not a JMESP"),
    ],
)
def test_a_wrong_account_is_told_in_one_sentence(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, account: dict[str, Any], error: str | None
) -> None:
    success, said = checked(platform, monkeypatch, account)

    if error is None:  # a field that the chosen scheme does not read
        assert (success, said) == (True, None)
        return
    assert success is False
    assert said is not None
    assert error in said
    assert "\n" not in said


def test_an_account_without_an_address_is_checked_without_the_network(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked(platform, monkeypatch, {"allow_private_networks": False}) == (True, None)


@pytest.mark.parametrize("status", [200, 204, 302, 404, 405])
def test_an_api_that_lets_the_credentials_pass_is_accepted(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with FakeApi(lambda _: Answer(status=status, body=b"")) as api:
        assert checked(platform, monkeypatch, {"base_url": api.url}) == (True, None)


def test_an_api_that_is_down_is_told(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeApi(lambda _: Answer(status=500, body=b"out of order")) as api:
        success, error = checked(platform, monkeypatch, {"base_url": api.url})

    assert success is False
    assert error is not None
    assert "500" in error
    assert "api_key" not in error, "the credentials are not to blame"


def test_a_token_endpoint_that_refuses_is_told_without_the_secret(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeApi(lambda asked: Answer(status=400, body=b"invalid_client: " + asked.body)) as api:
        account = {"auth": "oauth2", "username": "me", "token_url": f"{api.url}/token", "base_url": api.url}
        success, error = checked(platform, monkeypatch, account)

    assert success is False
    assert error is not None
    assert error.startswith(f"POST {api.url}/token: no token, 400 Bad Request (invalid_client: ")
    assert API_KEY not in error
    assert [asked.path for asked in api.asked] == ["/token"]


def test_a_token_is_fetched_and_used(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(json={"access_token": "t-12345"} if asked.path == "/token" else {})

    with FakeApi(answer) as api:
        account = {"auth": "oauth2", "username": "me", "token_url": f"{api.url}/token", "base_url": api.url}
        assert checked(platform, monkeypatch, account) == (True, None)

    assert api.asked[-1].headers["authorization"] == "Bearer t-12345"
