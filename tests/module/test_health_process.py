"""What the health endpoint of a component says: well, or failing and why."""

import json
import socket
from typing import Any
from urllib.request import urlopen

from tests.fake_api import Answer, FakeApi
from tests.played_platform import Platform, eventually


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def health_at(port: int) -> Any:
    """What the endpoint shows; nothing before it listens."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return {}


def test_a_single_source_that_cannot_be_read_is_shown_until_it_can(platform: Platform) -> None:
    """Without a secret, although the API tells the one that it was sent."""
    port = free_port()
    with FakeApi(lambda _: Answer(status=500, json={"error": "no s3cr3t-value"})) as api:
        settings = {"url": api.url, "params": {"api_token": "s3cr3t-value"}, "polling_interval": 0.01}
        platform.start("TesthttpConnector", settings, LIVENESS_PORT=str(port))
        failing = eventually(
            lambda: (shown := health_at(port)).get("state") == "failing" and shown, "the failure is shown"
        )
        api.handler = lambda _: Answer(json=[{"id": 1}])
        eventually(lambda: health_at(port).get("state") == "ok", "the end of it is shown")

    (trouble,) = failing["troubles"]
    assert "500" in trouble["reason"]
    assert "s3cr3t" not in json.dumps(failing)
