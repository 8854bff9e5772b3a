"""The rules of the relay as a server: its settings, its port, its errors, and what it never writes down."""

import logging
import socket
import time

import pytest
import requests
from pydantic import ValidationError

from relay.server import RunningServer, create_app
from relay.settings import RelaySettings
from relay.store import Store
from tests.relay.live_relay import INTAKE_KEY, LiveRelay


def test_an_unknown_address_is_a_json_error(relay: LiveRelay) -> None:
    answer = relay.call("GET", "/nothing/here")
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("/nothing/here: ")


def test_a_method_that_is_not_taken_is_a_json_error_naming_the_taken_ones(relay: LiveRelay) -> None:
    answer = relay.call("DELETE", "/sekoia/secrets")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert answer.json()["error"].startswith("DELETE: ")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]", ""])
def test_a_name_that_is_not_allowed_is_refused(relay: LiveRelay, host: str) -> None:
    answer = relay.call("GET", "/sample", headers={"Host": host})
    assert answer.status_code == 400
    assert "RELAY_ALLOWED_HOSTS" in answer.json()["error"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8700", "[::1]:8700", "[::1]"])
def test_loopback_names_are_allowed_with_any_port(relay: LiveRelay, host: str) -> None:
    assert relay.call("GET", "/sample", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("allowed", ["*", "relay.example"])
def test_other_names_may_be_allowed(store: Store, allowed: str) -> None:
    with RunningServer(create_app(store, allowed_hosts=[allowed])) as server:
        answer = requests.get(f"{server.url}/sample", headers={"Host": "Relay.Example:443"}, timeout=10)
    assert answer.status_code == 200


def test_a_taken_port_is_replaced_by_the_next_free_one(store: Store) -> None:
    with RunningServer(create_app(store)) as first, RunningServer(create_app(store), port=first.port) as second:
        assert second.port > first.port
        assert requests.get(f"{second.url}/sample", timeout=10).status_code == 200


def test_an_address_of_another_machine_cannot_be_listened_on(store: Store) -> None:
    with pytest.raises(OSError, match="assign"):
        RunningServer(create_app(store), host="192.0.2.1")


def test_the_address_is_one_that_answers_even_when_listening_everywhere(store: Store) -> None:
    with RunningServer(create_app(store), host="0.0.0.0") as server:
        assert requests.get(f"{server.url}/sample", timeout=10).status_code == 200


def test_leaving_stops_the_server_quickly_even_during_an_answer(store: Store) -> None:
    with RunningServer(create_app(store)) as server:
        host, port = server.host, server.port
        slow = socket.create_connection((host, port))
        slow.sendall(f"GET /sample/entries?fail=slow&seconds=60 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        slow.recv(100)
        started = time.monotonic()
    slow.close()
    assert time.monotonic() - started < 4
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port))


def test_small_answers_are_not_held_back(relay: LiveRelay) -> None:
    # A held-back answer waits 40 ms for an acknowledgement, so 25 of them would take a second.
    session = requests.Session()
    started = time.monotonic()
    for _ in range(25):
        session.get(f"{relay.url}/sample", timeout=10)
    session.close()
    assert time.monotonic() - started < 0.75


def test_tokens_and_keys_never_reach_the_log(relay: LiveRelay, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    relay.call("POST", f"/sekoia/intake/plain?intake_key={INTAKE_KEY}", data=b"x")
    relay.call("POST", f"/sekoia/intake/jsons?intake_key={INTAKE_KEY}", data=b"{")
    relay.call("PATCH", "/sekoia/callback", data=b"{", headers=relay.bearer)
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("urllib3")]
    assert not any(secret in line for line in ours for secret in (INTAKE_KEY, relay.token))


def test_settings_have_defaults_that_stay_on_the_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELAY_HOST", raising=False)
    settings = RelaySettings()
    assert (settings.host, settings.port, settings.token) == ("127.0.0.1", 8700, None)


def test_settings_come_from_the_environment_and_hide_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_TOKEN", "s3cret")
    monkeypatch.setenv("RELAY_ALLOWED_HOSTS", "localhost, relay.example")
    settings = RelaySettings()
    assert settings.allowed_hosts == ("localhost", "relay.example")
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(("name", "value"), [("RELAY_PORT", "70000"), ("RELAY_PORT", "http"), ("RELAY_TOKEN", "")])
def test_a_wrong_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.removeprefix("RELAY_").lower()):
        RelaySettings()
