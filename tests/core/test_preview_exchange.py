"""What a preview finds about getting an answer: connection, credentials, format and rate limit."""

import threading

import pytest
import trustme

from httpkit.auth import AccountSettings
from httpkit.destinations import DestinationPolicy
from httpkit.tls import TlsSettings
from tests.core.previews import KEY, finding, report, settings_of
from tests.core.tls_servers import tls_server
from tests.fake_api import Answer, FakeApi

HTML = Answer(body=b"<!DOCTYPE html><html>Sign in</html>", headers={"Content-Type": "text/html"})


def test_an_unknown_host_is_a_matter_of_the_url() -> None:
    found = finding("Connection", settings_of("http://no-such-host.invalid/items"))

    assert (found.verdict, found.settings) == ("fail", ["url"])
    assert "no-such-host.invalid" in found.text


def test_a_private_address_is_a_matter_of_what_the_account_allows(api: FakeApi) -> None:
    found = finding("Connection", settings_of(api.url), destinations=DestinationPolicy())

    assert (found.verdict, found.settings) == ("fail", ["allow_private_networks"])


def test_a_silent_server_is_a_matter_of_the_time_limit(api: FakeApi) -> None:
    never = threading.Event()
    api.handler = lambda _: Answer(json=[], wait=never)

    found = finding("Connection", settings_of(api.url), timeout_seconds=0.2)

    assert (found.verdict, found.settings) == ("fail", ["timeout_seconds"])


def test_credentials_over_plain_http_on_the_own_network_are_no_warning(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[])

    assert finding("Connection", settings_of(api.url)).verdict == "pass"


def test_no_topic_is_judged_that_nothing_was_seen_of() -> None:
    told = report(settings_of("http://no-such-host.invalid/items"))

    assert [one.topic for one in told.findings] == ["Connection"]
    assert told.not_checked[:2] == ["Authentication", "Answer"]
    assert told.verdict == "fail"


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_a_matter_of_the_key_and_name_what_the_server_said(api: FakeApi, status: int) -> None:
    api.handler = lambda asked: Answer(status=status, json={"error": f"no {asked.headers['authorization']}"})

    found = finding("Authentication", settings_of(api.url))

    assert (found.verdict, found.settings[0]) == ("fail", "api_key")
    assert f"{status}" in found.text
    assert "no Bearer ***" in found.text
    assert KEY not in found.text


def test_a_refusal_without_credentials_says_that_none_were_sent(api: FakeApi) -> None:
    api.handler = lambda _: Answer(status=401, json={})

    found = finding("Authentication", settings_of(api.url, request={"authenticate": False}))

    assert (found.verdict, found.settings) == ("fail", ["authenticate"])


def test_a_refusal_at_another_origin_than_that_of_the_credentials_says_so(api: FakeApi) -> None:
    api.handler = lambda asked: Answer(status=200 if "authorization" in asked.headers else 401, json=[])

    found = finding("Authentication", settings_of(api.url), origin="https://api.example.com")

    assert (found.verdict, found.settings) == ("fail", ["base_url", "url"])
    assert "https://api.example.com:443" in found.text


def test_a_refused_token_request_is_a_matter_of_the_token_settings(api: FakeApi) -> None:
    api.handler = lambda _: Answer(status=400, json={"error": "invalid_client"})
    account = AccountSettings(auth="oauth2", api_key=KEY, username="me", token_url=f"{api.url}/token")

    told = report(settings_of(f"{api.url}/items"), account=account)
    found = next(one for one in told.findings if one.topic == "Authentication")

    assert (found.verdict, found.settings) == ("fail", ["api_key", "username", "token_url", "token_params"])
    assert "invalid_client" in found.text
    assert [line.step for line in told.requests] == ["sign-in"]


def test_a_token_answer_without_a_token_is_a_matter_of_its_path(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json={"jwt": "abcdefgh"})
    account = AccountSettings(auth="oauth2", api_key=KEY, username="me", token_url=f"{api.url}/token")

    found = finding("Authentication", settings_of(f"{api.url}/items"), account=account)

    assert (found.verdict, found.settings) == ("fail", ["token_url", "token_path"])
    assert "jwt" in found.text


def test_a_login_page_instead_of_data_is_told_as_such(api: FakeApi) -> None:
    api.handler = lambda _: HTML

    assert finding("Authentication", settings_of(api.url)).verdict == "warn"
    found = finding("Answer", settings_of(api.url))
    assert (found.verdict, found.settings) == ("fail", ["url", "auth"])
    assert "login page" in found.text


def test_an_answer_in_another_format_is_a_matter_of_the_format(api: FakeApi) -> None:
    api.handler = lambda _: Answer(body=b"id;name\n1;a\n", headers={"Content-Type": "text/plain"})

    found = finding("Answer", settings_of(api.url))

    assert (found.verdict, found.settings) == ("fail", ["response_format", "url"])


@pytest.mark.parametrize(("status", "setting"), [(404, "url"), (400, "params"), (500, "url")])
def test_an_error_status_names_what_the_server_said_and_what_was_asked(
    api: FakeApi, status: int, setting: str
) -> None:
    api.handler = lambda _: Answer(status=status, json={"error": "because"})

    found = finding("Answer", settings_of(api.url))

    assert found.verdict == "fail"
    assert setting in found.settings
    assert "because" in found.text


def test_a_refusal_for_the_rate_is_a_matter_of_the_pace(api: FakeApi) -> None:
    api.handler = lambda _: Answer(status=429, json={}, headers={"Retry-After": "30"})

    told = report(settings_of(api.url))
    found = told.findings[-1]

    assert (found.topic, found.verdict) == ("Rate limit", "fail")
    assert found.settings == ["requests_per_minute", "polling_interval"]
    assert "30 s" in found.text
    assert len(told.requests) == 1


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "12", "X-RateLimit-Reset": "40"}, "warn"),
        ({"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "599"}, "pass"),
        ({"RateLimit": '"default";r=1;t=30'}, "warn"),
        ({}, "pass"),
    ],
)
def test_a_rate_limit_that_is_nearly_used_up_is_a_warning(api: FakeApi, headers: dict[str, str], verdict: str) -> None:
    api.handler = lambda _: Answer(json=[], headers=headers)

    assert finding("Rate limit", settings_of(api.url)).verdict == verdict


def test_a_certificate_of_an_unknown_authority_is_a_matter_of_the_authority() -> None:
    with tls_server(trustme.CA().issue_cert("127.0.0.1")) as url:
        found = finding("Connection", settings_of(url))

    assert (found.verdict, found.settings) == ("fail", ["ca_certificate"])


def test_certificates_that_are_not_checked_are_a_warning() -> None:
    with tls_server(trustme.CA().issue_cert("127.0.0.1")) as url:
        found = finding("Connection", settings_of(url), tls=TlsSettings(verify_tls=False))

    assert (found.verdict, found.settings) == ("warn", ["verify_tls", "ca_certificate"])
