"""What cannot work: each mistake has a message of its own, and nothing is sent."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from httpkit.errors import HttpkitError
from testhttp_modules.translation import sentence
from tests.fake_api import Answer, FakeApi
from tests.module.actions import run_action

POST = {"method": "post"}


def complaint(arguments: dict[str, Any], account: dict[str, Any] | None = None) -> tuple[str, int]:
    """What the action says, and how many requests the server saw; `{api}` stands for its address."""
    with FakeApi(lambda _: Answer(json=[])) as api:
        filled = {name: _filled(value, api.url) for name, value in {"url": "{api}", **arguments}.items()}
        with pytest.raises((HttpkitError, ValidationError)) as failure:
            run_action(filled, account=account, folder=Path("/dev/null"))
    return sentence(failure.value), len(api.asked)


def _filled(value: Any, url: str) -> Any:
    return value.replace("{api}", url) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": "example.com/x"}, "url: 'example.com/x' must start with https:// or http://, or be relative to a ba"),
        ({"url": "ftp://example.com"}, "url: 'ftp://example.com' must start with https:// or http://"),
        ({"url": "http://"}, "url: 'http://' names no host; write it as https://host/path"),
        ({"url": "http://127.0.0.1:99999"}, "url: 'http://127.0.0.1:99999' is not a URL; write it as https://host"),
        ({"url": ""}, "url: String should have at least 1 character"),
        ({"url": "http://bad host/"}, "url: 'http://bad host/' is not a URL"),
        ({"method": "fetch"}, "method: Input should be 'get', 'post'"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "headers: the value of X-A must be one line of Latin-1 text"),
        ({"headers": {"X-A: 1\r\nX-B": "2"}}, "headers: the name 'X-A: 1\\r\\nX-B' cannot be sent"),
        ({"headers": {"X-A": 1}}, "headers.X-A: Input should be a valid string, not 1"),
        ({**POST, "json": {}, "data": "x"}, "data: is given together with json; a request has one body, remove one"),
        ({**POST, "data": "x", "form": {}}, "form: is given together with data; a request has one body, remove one"),
        ({**POST, "json": 0, "form": {}}, "form: is given together with json; a request has one body, remove one"),
        ({"auth_type": "Basic"}, "auth_username: is needed by auth_type Basic"),
        ({"auth_type": "Digest", "auth_password": "x"}, "auth_username: is needed by auth_type Digest"),
        ({"auth_type": "Bearer"}, "auth_token: is needed by auth_type Bearer"),
        (
            {"auth_type": "Bearer", "auth_token": "x", "authenticate": True},
            "auth_type: is given together with authenticate; choose one of the two",
        ),
        ({"extract": "a["}, "extract: 'a[' is not a JMESPath expression"),
        ({"output": "pdf"}, "output: Input should be 'auto', 'text', 'json' or 'file'"),
        ({"retries": -1}, "retries: Input should be greater than or equal to 0, not -1"),
        ({"timeout_seconds": 0}, "timeout_seconds: Input should be greater than 0, not 0"),
        ({"verb": "get"}, "verb: is not a known field; check its spelling or remove it"),
        ({"auth_password": 12345}, "auth_password: Input should be a valid string"),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_sent(arguments: dict[str, Any], message: str) -> None:
    said, asked = complaint(arguments)

    assert said.startswith(message)
    assert asked == 0
    assert "12345" not in said


@pytest.mark.parametrize(
    ("account", "message"),
    [
        ({"allow_private_networks": False}, "allow_private_networks"),
        ({"allowed_hosts": ["*.example.com"]}, "allowed_hosts"),
        ({"ca_certificate": "not PEM"}, "ca_certificate: is not a PEM certificate"),
        ({"client_key": "x"}, "client_certificate: is missing"),
        ({"proxy": "socks5://x"}, "proxy: must start with http:// or https://"),
    ],
)
def test_a_wrong_account_is_named_and_nothing_is_sent(account: dict[str, Any], message: str) -> None:
    said, asked = complaint({}, account)

    assert message in said
    assert asked == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:9/x?key=hidden", "GET http://127.0.0.1:9/x: could not connect (Connection refused)"),
        ("http://no-such-host.invalid/", "GET http://no-such-host.invalid/: could not connect"),
    ],
)
def test_a_server_that_cannot_be_reached_is_told_without_the_query(url: str, message: str) -> None:
    said, _ = complaint({"url": url})

    assert said.startswith(message)
    assert said.endswith("check the host and the port")


def test_a_server_that_speaks_no_tls_is_told() -> None:
    with FakeApi(lambda _: Answer(json=[])) as api:
        said, _ = complaint({"url": api.url.replace("http://", "https://")})

    assert "the TLS connection failed" in said


def test_an_answer_that_is_too_large_is_told() -> None:
    with FakeApi(lambda _: Answer(body=b"x" * 200_000)) as api:
        said, _ = complaint({"url": api.url}, {"max_response_megabytes": 0.1})

    assert "the answer is larger than 0.1 MB; ask for less, or raise max_response_megabytes" in said
