"""No secret leaves a process beside the work itself: error reports, output, logs, results."""

import gzip
import json
from typing import Any

import pytest

from httpkit.redaction import MASK, Redactor, forms_of
from testhttp_modules.masking import mask_source
from testhttp_modules.models import TesthttpConnectorConfiguration
from tests.fake_api import Answer, Asked, FakeApi
from tests.played_platform import API_KEY, INTAKE_KEY, LOCAL_ACCOUNT, Platform, eventually

NUMBER = "8273645591"
PASSWORD = 'pass "wörd"/+%'
HEADER_SECRET = "header-s3cret"
TOKEN = "fetched-t0ken"
SESSION = "sess10n"


def reports(sentry: FakeApi) -> list[str]:
    """The error reports that arrived, as text."""
    return [
        (gzip.decompress(asked.body) if asked.headers.get("content-encoding") == "gzip" else asked.body).decode()
        for asked in sentry.asked
    ]


def dsn(sentry: FakeApi) -> str:
    return sentry.url.replace("://", "://public@") + "/1"


def everything(platform: Platform, sentry: FakeApi, output: list[str]) -> str:
    """All that a person can read of a run, outside the intake."""
    runs = [json.dumps([run.results, run.error, run.logs], ensure_ascii=False) for run in platform.store.runs()]
    return "\n".join([*reports(sentry), *output, *platform.logs(), *runs])


def leaked(text: str, *secrets: str) -> set[str]:
    return {form for secret in secrets for form in forms_of(secret) if form in text}


def echo(asked: Asked) -> Answer:
    """A careless API: its error page shows all that it was sent."""
    if asked.path == "/token":
        return Answer(json={"access_token": TOKEN})
    return Answer(status=400, json={"headers": asked.headers, "body": asked.body.decode(), "url": asked.target})


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "/x", "authenticate": True, "headers": {"X-Api-Key": HEADER_SECRET}},
        {"url": "/x", "auth_type": "Basic", "auth_username": "me", "auth_password": PASSWORD, "extract": "["},
        {"url": "/x", "auth_type": "Basic", "auth_username": "me", "auth_password": PASSWORD},
        {"url": "/x", "method": "fetch", "auth_password": PASSWORD, "headers": {"X-Api-Key": HEADER_SECRET}},
        {"url": "/x", "auth_type": "Bearer", "auth_token": int(NUMBER)},
    ],
)
def test_an_action_that_fails_shows_no_secret(platform: Platform, arguments: dict[str, Any]) -> None:
    with FakeApi(echo) as api, FakeApi(lambda _: Answer(json={})) as sentry:
        account = {**LOCAL_ACCOUNT, "base_url": api.url, "auth": "oauth2", "token_url": f"{api.url}/token"}
        started = platform.start(
            "Request", {"method": "post", "json": {}, **arguments}, account=account, SENTRY_DSN=dsn(sentry)
        )
        eventually(lambda: platform.store.runs()[0].status == "finished", "the action ends")
        started.child.wait(hurry=lambda: False)
        (run,) = platform.store.runs()
        text = everything(platform, sentry, started.output)

    assert run.error
    assert leaked(text, API_KEY, PASSWORD, NUMBER, HEADER_SECRET, TOKEN) == set()
    if run.results is None:
        assert "Request.run" in text or "SettingsError" in text, "the failure was reported"


def test_a_connector_that_fails_shows_no_secret(platform: Platform) -> None:
    def api_answer(asked: Asked) -> Answer:
        return Answer(status=500, json=asked.headers["authorization"]) if asked.path == "/x" else echo(asked)

    with (
        FakeApi(api_answer) as api,
        FakeApi(lambda asked: Answer(status=403, body=asked.body)) as intake,
        FakeApi(lambda _: Answer(json={})) as sentry,
    ):
        account = {**LOCAL_ACCOUNT, "auth": "oauth2", "username": "me", "token_url": f"{api.url}/token"}
        account |= {"headers": {"X-Api-Key": HEADER_SECRET}}
        settings = {"url": f"{api.url}/x", "polling_interval": 0.01, "headers": {"X-Session-Token": SESSION}}
        settings |= {"intake_server": intake.url, "compress": False}
        started = platform.start("TesthttpConnector", settings, account=account, SENTRY_DSN=dsn(sentry))
        eventually(lambda: platform.logs("error"), "a failed poll")
        api.handler = lambda asked: echo(asked) if asked.path == "/token" else Answer(json=[{"id": 1}])
        eventually(lambda: intake.asked, "a push")
        eventually(lambda: platform.logs("critical"), "a refused push")
        eventually(lambda: sentry.asked, "an error report")
        started.stop()
        text = everything(platform, sentry, started.output)

    assert "Poll failed" in text
    assert leaked(text, API_KEY, INTAKE_KEY, HEADER_SECRET, TOKEN, SESSION) == set()
    names = {asked.headers["user-agent"] for asked in [*api.asked, *intake.asked]}
    assert len(names) == 1
    assert names.pop().startswith("sekoiaio-connector/testhttp-")


def test_a_wrong_configuration_with_secrets_in_it_shows_none(platform: Platform) -> None:
    with FakeApi(lambda _: Answer(json={})) as sentry:
        started = platform.start(
            "TesthttpConnector",
            {"url": "nowhere", "polling_interval": INTAKE_KEY},
            account={**LOCAL_ACCOUNT, "client_key": PASSWORD},
            SENTRY_DSN=dsn(sentry),
        )
        eventually(lambda: platform.logs("critical"), "a critical line")
        started.stop()
        text = everything(platform, sentry, started.output)

    assert leaked(text, API_KEY, PASSWORD) == set()


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "https://me:s3cr3t-value@api.example.com/a"},
        {"url": "https://api.example.com/a?token=s3cr3t-value"},
        {"headers": {"Authorization": "Bearer s3cr3t-value"}},
        {"params": {"api_token": "s3cr3t-value"}},
        {"body": {"inner": {"password": "s3cr3t-value"}}},
        {"next_params": {"api_token": "s3cr3t-value"}},
        {"next_body": {"secret": "s3cr3t-value"}},
        {"prepare_url": "https://api.example.com/login?password=s3cr3t-value"},
        {"prepare_body": {"password": "s3cr3t-value"}},
        {"prepare_body": "user=me&password=s3cr3t-value"},
        {"detail_url": "https://api.example.com/{id}?api_key=s3cr3t-value"},
        {"detail_params": {"api_key": "s3cr3t-value"}},
        {"streams": [{"name": "eu", "token": "other"}, {"name": "us", "token": "s3cr3t-value"}]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_secret_anywhere_in_what_a_source_is_asked_is_masked(fields: dict[str, Any]) -> None:
    redactor = Redactor()
    settings = {"intake_key": INTAKE_KEY, "url": "https://api.example.com/a", **fields}

    mask_source(TesthttpConnectorConfiguration(**settings), redactor)

    assert redactor.clean("the key s3cr3t-value is unknown") == f"the key {MASK} is unknown"
