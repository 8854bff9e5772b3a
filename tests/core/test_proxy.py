"""Requests through a proxy: it resolves the names, so the URL alone must show what may be reached."""

import http.client
import os
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from httpkit.client import Client
from httpkit.destinations import DestinationPolicy
from httpkit.errors import SettingsError, UnavailableError
from httpkit.stopping import Stopped
from httpkit.throttle import RetryPolicy
from httpkit.values import Request
from tests.core.clients import get, local_client, local_settings
from tests.core.odd_servers import dripping, mute
from tests.core.polls import in_turn
from tests.fake_api import Answer, Asked, FakeApi

PROXY_VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture
def proxy(api: FakeApi) -> Iterator[FakeApi]:
    """A forward proxy that finds every name at the server of the test."""

    def forward(asked: Asked) -> Answer:
        parts = urlsplit(asked.target)
        upstream = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=5)
        upstream.request(asked.method, f"{parts.path}?{parts.query}", asked.body, {"Host": parts.netloc})
        answer = upstream.getresponse()
        body = answer.read()
        upstream.close()
        return Answer(status=answer.status, body=body)

    api.handler = in_turn(Answer(json="reached"))
    with FakeApi(forward) as running:
        yield running


def outward_client(proxy: FakeApi, *allowed_hosts: str) -> Client:
    """A client that may reach public hosts only, through the proxy."""
    return local_client(proxy=proxy.url, destinations=DestinationPolicy(allowed_hosts=allowed_hosts))


def test_a_request_goes_through_the_proxy_with_its_whole_address(api: FakeApi, proxy: FakeApi) -> None:
    response = outward_client(proxy).send(get("http://api.example/events", params={"page": 2}))

    assert response.body == b'"reached"'
    assert [asked.target for asked in proxy.asked] == ["http://api.example/events?page=2"]
    assert [(asked.target, asked.headers["host"]) for asked in api.asked] == [("/events?page=2", "api.example")]


def test_the_proxy_itself_may_have_a_private_address(proxy: FakeApi) -> None:
    assert urlsplit(proxy.url).hostname == "127.0.0.1"
    assert outward_client(proxy).send(get("http://api.example/")).status == 200


def test_the_password_of_the_proxy_is_sent_to_it(proxy: FakeApi) -> None:
    address = proxy.url.replace("//", "//us:hidden@")

    local_client(proxy=address).send(get("http://api.example/"))

    assert proxy.asked[0].headers["proxy-authorization"] == "Basic dXM6aGlkZGVu"


def test_no_proxy_of_the_environment_is_used(
    api: FakeApi, proxy: FakeApi, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.setitem(os.environ, name, proxy.url)

    assert client.send(get(api.url)).status == 200
    assert proxy.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "[::1]", "2130706433", "0x7f.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_private_address_is_refused_before_the_proxy_is_asked(proxy: FakeApi, scheme: str, host: str) -> None:
    with pytest.raises(SettingsError, match="private address; set allow_private_networks"):
        outward_client(proxy).send(get(f"{scheme}://{host}/"))

    assert proxy.asked == []


@pytest.mark.parametrize("host", ["169.254.169.254", "metadata.google.internal", "[fd00:ec2::254]", "0xa9fea9fe"])
def test_metadata_is_refused_before_the_proxy_is_asked_whatever_is_allowed(proxy: FakeApi, host: str) -> None:
    with pytest.raises(SettingsError, match="credentials of the machine"):
        local_client(proxy=proxy.url).send(get(f"http://{host}/"))

    assert proxy.asked == []


def test_a_private_address_goes_through_the_proxy_where_it_is_allowed(proxy: FakeApi) -> None:
    assert local_client(proxy=proxy.url).send(get("http://10.0.0.1/")).status == 200


def test_a_host_that_is_not_allowed_is_refused_before_the_proxy_is_asked(proxy: FakeApi) -> None:
    client = outward_client(proxy, "*.example")

    assert client.send(get("http://api.example/")).status == 200
    with pytest.raises(SettingsError, match=r"api\.other is not among them"):
        client.send(get("http://api.other/"))

    assert len(proxy.asked) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named_as_the_cause(proxy: FakeApi, scheme: str) -> None:
    client = outward_client(proxy)
    proxy.__exit__(None, None, None)

    with pytest.raises(UnavailableError, match=r"the proxy did not connect \(.*refused\); check proxy"):
        client.send(get(f"{scheme}://api.example/"))


def test_a_proxy_that_opens_no_tunnel_is_named_as_the_cause(proxy: FakeApi) -> None:
    with pytest.raises(UnavailableError, match=r"the proxy did not connect \(.*501.*\); check proxy"):
        outward_client(proxy).send(get("https://api.example/"))


def test_a_request_that_a_proxy_did_not_let_through_never_reached_its_server_and_is_repeated(proxy: FakeApi) -> None:
    told: list[str] = []
    settings = local_settings(
        proxy=proxy.url, retry=RetryPolicy(retries=2), repeating=lambda reason, _: told.append(reason)
    )

    with pytest.raises(UnavailableError, match="the proxy did not connect"):
        Client(settings, jitter=lambda: 0).send(Request(method="POST", url="https://api.example/", body={}))

    assert told == ["connection", "connection"]


def test_an_exchange_through_a_proxy_has_the_same_time_limit() -> None:
    begin = time.monotonic()

    with (
        dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x") as address,
        pytest.raises(UnavailableError),
    ):
        local_client(proxy=address, timeout_seconds=0.3).send(get("http://api.example/"))

    assert time.monotonic() - begin < 5


def test_a_tunnel_whose_opening_drips_has_the_same_time_limit() -> None:
    begin = time.monotonic()

    with dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x") as address, pytest.raises(UnavailableError):
        local_client(proxy=address, timeout_seconds=0.3).send(get("https://api.example/"))

    assert time.monotonic() - begin < 5


def test_a_stop_ends_the_wait_for_the_handshake_of_a_proxy() -> None:
    stop = threading.Event()
    with mute() as address:
        client = Client(local_settings(proxy=f"https://{address}", timeout_seconds=60), stop=stop)
        threading.Timer(0.1, stop.set).start()
        begin = time.monotonic()
        with pytest.raises(Stopped):
            client.send(get("https://api.example/"))

    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("address", ["nonsense://x", "http://", "http://a:99999", "://"])
def test_an_address_that_is_no_proxy_is_a_setting(address: str) -> None:
    with pytest.raises(SettingsError, match="proxy"):
        local_client(proxy=address)


def test_a_password_that_no_proxy_can_be_told_is_a_setting() -> None:
    with pytest.raises(SettingsError, match="not Latin-1 text; choose another one"):
        local_client(proxy="http://us:%E2%82%AC@proxy.example")
