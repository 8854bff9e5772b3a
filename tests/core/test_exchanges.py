"""The wire of a client: it sees each exchange, keeps it, and stops them at a limit."""

import pytest

from httpkit.account import credentials_of
from httpkit.auth import AccountSettings
from httpkit.client import Client, Proof
from httpkit.client_settings import Exchange
from httpkit.clocks import SYSTEM_CLOCKS
from httpkit.destinations import origin_of
from httpkit.errors import SettingsError, UnavailableError
from httpkit.exchanges import ExchangeLog, LimitReachedError
from httpkit.redaction import Redactor
from httpkit.throttle import RetryPolicy
from httpkit.values import Request, Response
from tests.core.clients import get, local_settings
from tests.core.polls import in_turn
from tests.fake_api import Answer, FakeApi


def test_redirects_tries_and_token_requests_all_count(api: FakeApi) -> None:
    api.handler = in_turn(
        Answer(json={"access_token": "a-token"}),
        Answer(status=503, headers={"Retry-After": "0"}),
        Answer(status=302, headers={"Location": "/there"}),
        Answer(json=[]),
    )
    account = AccountSettings(auth="oauth2", api_key="secret", username="me", token_url=f"{api.url}/token")
    redactor, log = Redactor(), ExchangeLog(limit=9, sign_in_url=f"{api.url}/token")
    proof = Proof(
        credentials=credentials_of(account, redactor=redactor, clocks=SYSTEM_CLOCKS), origin=origin_of(api.url)
    )
    client = Client(local_settings(wire=log, retry=RetryPolicy(retries=1)), proof=proof)
    log.step = "page 1"

    client.send(get(f"{api.url}/items", authenticate=True))

    assert [(sent.step, sent.response.status if sent.response else 0) for sent in log.sent] == [
        ("sign-in", 200),
        ("page 1", 503),
        ("page 1", 302),
        ("page 1", 200),
    ]
    assert log.left == 5


def test_nothing_is_sent_beyond_the_limit(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[])
    client = Client(local_settings(wire=ExchangeLog(limit=1)))
    client.send(get(api.url))

    with pytest.raises(LimitReachedError):
        client.send(get(api.url))
    assert len(api.asked) == 1


def test_a_failed_exchange_is_kept_with_its_reason() -> None:
    log = ExchangeLog(limit=1)

    with pytest.raises(UnavailableError) as raised:
        Client(local_settings(wire=log)).send(get("http://127.0.0.1:9/"))

    assert log.sent[0].response is None
    assert log.sent[0].failure is raised.value


def test_a_refused_destination_is_kept_with_its_reason() -> None:
    log = ExchangeLog(limit=1)

    with pytest.raises(SettingsError):
        Client(local_settings(wire=log)).send(get("http://169.254.169.254/"))

    assert isinstance(log.sent[0].failure, SettingsError)


def test_a_wire_can_answer_instead_of_the_network(api: FakeApi) -> None:
    api.handler = lambda _: Answer(json=[])
    real = Client(local_settings()).send(get(api.url))

    def answering(_request: Request, _send: Exchange) -> Response:
        return real

    assert Client(local_settings(wire=answering)).send(get("http://127.0.0.1:9/")) is real
    assert len(api.asked) == 1
