"""The platform for tests of the module: a real relay, and the unmodified main.py as a child process."""

import contextlib
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from relay.sekoia.child import Child
from relay.sekoia.runner import LAUNCHER
from relay.store import Store

REPOSITORY = Path(__file__).parents[1]
SETTINGS_NAMES = {
    "Request": "ARGUMENTS",
    "TesthttpConnector": "CONNECTOR_CONFIGURATION",
    "NewEntriesTrigger": "TRIGGER_CONFIGURATION",
}
LOCAL_ACCOUNT = {"api_key": "placeholder", "allow_private_networks": True}
INTAKE_KEY = "intake-key-of-the-test"
API_KEY = "s3cr3t-key"
PATIENCE_SECONDS = 40.0


@dataclass(frozen=True, kw_only=True)
class Started:
    """A component at work."""

    child: Child
    output: list[str]

    def stop(self) -> tuple[int, float]:
        """Stop it as the platform does; its exit status and the seconds that took."""
        start = time.monotonic()
        self.child.ask_to_stop()
        return self.child.wait(hurry=lambda: False), time.monotonic() - start


class Platform:
    """Starts components against a relay and tells what arrived there.

    Two runs of a component find each other's files, as they do on the platform.
    """

    def __init__(self, folder: Path, store: Store, url: str) -> None:
        self.store = store
        self.url = url
        self.data_folder = folder / "data"
        self.data_folder.mkdir()
        self._started: list[Started] = []

    def start(self, name: str, settings: Any, *, account: Any = None, **environment: str) -> Started:
        """Start a component; `environment` overrides what the platform would set."""
        token = f"token-{len(self._started)}"
        self.store.open_run(component=name, token=token, secrets={"api_key": API_KEY})
        self.store.open_intake(name=name, key=INTAKE_KEY)
        if name == "TesthttpConnector" and isinstance(settings, dict):
            settings = {"intake_key": INTAKE_KEY, **settings}
        values = {
            "TOKEN": token,
            "URL_CALLBACK": f"{self.url}/sekoia/callback",
            "INTAKE_URL": f"{self.url}/sekoia/intake",
            "MODULE_CONFIGURATION": json.dumps(LOCAL_ACCOUNT if account is None else account),
            SETTINGS_NAMES[name]: json.dumps(settings),
            # Each takes a free one by itself.
            "LIVENESS_PORT": "0",
            "METRICS_PORT": "0",
        }
        output: list[str] = []
        child = Child(
            [sys.executable, str(LAUNCHER), str(self.data_folder), name],
            folder=REPOSITORY,
            environment={**os.environ, **values, **environment},
            on_line=output.append,
        )
        started = Started(child=child, output=output)
        self._started.append(started)
        return started

    def stop_all(self) -> None:
        """Stop whatever still runs."""
        for started in self._started:
            started.stop()

    def events(self) -> list[Any]:
        """All events of the intake, oldest first, as JSON values."""
        return [json.loads(event.text) for event in reversed(self.store.latest_events(100_000))]

    def playbook_runs(self) -> list[Any]:
        """What each playbook run started with, oldest first."""
        return [run.event for run in reversed(self.store.latest_playbook_runs(100_000))]

    def logs(self, level: str | None = None) -> list[str]:
        """The log lines that arrived, oldest first."""
        lines = reversed(self.store.latest_logs(10_000))
        return [line.message for line in lines if level is None or line.level == level]


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Wait until a condition holds and give its value; fail the test with `what` when it does not in time."""
    end = time.monotonic() + PATIENCE_SECONDS
    pause = threading.Event()
    while time.monotonic() < end:
        if value := condition():
            return value
        pause.wait(0.05)
    pytest.fail(f"not within {PATIENCE_SECONDS:g} s: {what}")


def free_port() -> int:
    """A port that nobody uses, for a component that a test asks there.

    It is below those that the system gives out: another process could be given one of them before the component
    listens.
    """
    while True:
        port = secrets.choice(range(10_000, 32_000))
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            return port
