"""The trigger and the platform: what a real main.py sends, and what it does when it is refused, held up or killed."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.fake_api import Answer, Asked, FakeApi
from tests.module.watched import entry
from tests.played_platform import Platform, Started, eventually, free_port


class Callback:
    """The part of the platform that starts playbook runs, and beside it secrets and logs.

    Attributes:
        answers: given in turn to those who start runs, and then 200.
        runs: what was asked to start them, in order.
    """

    def __init__(self, data_folder: Path) -> None:
        self.answers: list[Answer] = []
        self.runs: list[dict[str, Any]] = []
        self.files: list[list[Any]] = []
        self.lines: list[dict[str, str]] = []
        self._data_folder = data_folder

    def __call__(self, asked: Asked) -> Answer:
        if asked.path.endswith("/secrets"):
            return Answer(json={"value": {"api_key": "k"}})
        if asked.path.endswith("/logs"):
            self.lines += asked.json["logs"]
            return Answer(json={})
        self.runs.append(asked.json)
        if "directory" in asked.json:
            folder = self._data_folder / asked.json["directory"]
            self.files.append(json.loads((folder / asked.json["event"]["file_path"]).read_bytes()))
        return self.answers.pop(0) if self.answers else Answer(json={})

    def logged(self, level: str) -> list[str]:
        """The lines of a level."""
        return [line["message"] for line in list(self.lines) if line["level"] == level]

    @property
    def ids(self) -> list[list[int]]:
        """The identities that each run was asked to start with."""
        return [[one["id"] for one in run["event"]["entries"]] for run in list(self.runs)]


class Scene:
    """An API with a list, a platform that starts runs, and components between them."""

    def __init__(self, platform: Platform, api: FakeApi, callback: Callback, server: FakeApi) -> None:
        self.entries: list[Any] = []
        self.callback = callback
        self._platform = platform
        self._url = api.url
        self._callback_url = f"{server.url}/callback"
        api.handler = lambda _: Answer(json=list(self.entries))

    def start(self, environment: dict[str, str] | None = None, **configuration: Any) -> Started:
        """Start the trigger."""
        settings = {"url": self._url, "polling_interval": 0.01, **configuration}
        values = {"URL_CALLBACK": self._callback_url, **(environment or {})}
        return self._platform.start("NewEntriesTrigger", settings, **values)


@pytest.fixture
def scene(platform: Platform) -> Iterator[Scene]:
    callback = Callback(platform.data_folder)
    with FakeApi(lambda _: Answer(json=[])) as api, FakeApi(callback) as server:
        yield Scene(platform, api, callback, server)
        platform.stop_all()


def test_the_runs_of_a_long_list_appear_on_the_page_of_the_relay_in_order(platform: Platform) -> None:
    entries = [entry(number) for number in range(7)]
    limits = {"max_entries_per_run": 2, "max_runs_per_poll": 3}
    with FakeApi(lambda _: Answer(json=entries)) as api:
        platform.start("NewEntriesTrigger", {"url": api.url, "polling_interval": 0.01, **limits})
        eventually(lambda: len(platform.playbook_runs()) == 4, "all runs")
        eventually(lambda: any("1 wait for the next polls" in line for line in platform.logs()), "the surplus is told")
    shown = requests.get(f"{platform.url}/overview", timeout=10).json()

    assert [run["name"] for run in shown["playbook_runs"]] == ["Pushing 1 new entries"] + ["Pushing 2 new entries"] * 3
    assert platform.playbook_runs() == [{"entries": entries[place : place + 2]} for place in range(0, 7, 2)]


def test_a_silent_source_is_not_a_dead_trigger(scene: Scene) -> None:
    port = free_port()
    scene.start(environment={"LIVENESS_PORT": str(port)})
    eventually(lambda: any("0 new entries sent" in line for line in scene.callback.logged("info")), "a poll")
    health = requests.get(f"http://127.0.0.1:{port}/health", timeout=10)

    assert health.status_code == 200
    context = health.json()
    assert context["seconds_without_events_threshold"] == 0
    assert datetime.now(UTC) - datetime.fromisoformat(f"{context['last_heartbeat']}+00:00") < timedelta(seconds=10)


def test_a_refusal_is_one_critical_line_and_nothing_is_sent_any_more(scene: Scene) -> None:
    scene.entries, scene.callback.answers = [entry(1)], [Answer(status=403)]
    started = scene.start()
    [line] = eventually(lambda: scene.callback.logged("critical"), "the refusal is told")
    threading.Event().wait(3)

    assert "refuses its events (403)" in line
    assert len(scene.callback.runs) == 1
    assert scene.callback.logged("error") == []
    assert len(scene.callback.logged("critical")) == 1
    assert started.child.exit_status() is None


def test_after_a_refusal_a_restart_sends_the_same_entries(scene: Scene) -> None:
    scene.entries, scene.callback.answers = [entry(1)], [Answer(status=403)]
    refused = scene.start()
    eventually(lambda: scene.callback.logged("critical"), "the refusal is told")
    assert refused.stop()[1] < 2
    scene.entries = []
    scene.start()
    eventually(lambda: len(scene.callback.runs) == 2, "the entry is sent again")

    assert scene.callback.ids == [[1], [1]]


def test_a_platform_that_is_away_gets_the_same_run_again_and_no_error_is_logged(scene: Scene) -> None:
    scene.entries, scene.callback.answers = [entry(1)], [Answer(status=503), Answer(status=500), Answer(status=429)]
    scene.start(polling_interval=1)
    eventually(lambda: len(scene.callback.runs) == 4, "the fourth try")
    eventually(lambda: any("works again" in line for line in scene.callback.logged("info")), "its end is told")

    assert len({run["request_id"] for run in scene.callback.runs}) == 1
    assert scene.callback.logged("error") == scene.callback.logged("critical") == []


@pytest.mark.parametrize("answer", [Answer(status=503), Answer(wait=threading.Event())], ids=["away", "hanging"])
def test_sigterm_ends_a_trigger_that_waits_for_the_platform_within_two_seconds(scene: Scene, answer: Answer) -> None:
    scene.entries, scene.callback.answers = [entry(1)], [answer] * 100
    started = scene.start(polling_interval=60)
    eventually(lambda: scene.callback.runs, "the first try")
    status, seconds = started.stop()

    assert status == 0
    assert seconds < 2


def test_a_process_that_is_killed_while_it_sends_repeats_that_run_alone(scene: Scene) -> None:
    """The platform has taken the run, but the process never learns of it; then there is one more entry."""
    scene.entries = [entry(1), entry(2), entry(3)]
    scene.callback.answers = [Answer(json={}), Answer(json={}, wait=threading.Event())]
    started = scene.start(max_entries_per_run=2)
    eventually(lambda: len(scene.callback.runs) == 2, "the second run is taken")
    started.child.wait(hurry=lambda: True)
    scene.entries.append(entry(4))
    scene.start(max_entries_per_run=2)
    eventually(lambda: [4] in scene.callback.ids, "the newest entry")

    assert scene.callback.ids == [[1, 2], [3], [3], [4]]
    assert scene.callback.runs[1] == scene.callback.runs[2]


def test_the_file_of_a_large_run_is_there_when_the_platform_hears_of_it_and_gone_after_that(
    scene: Scene, platform: Platform
) -> None:
    records = [entry(number, text="x" * 30_000) for number in range(20)]
    scene.entries, scene.callback.answers = records, [Answer(status=503)]
    scene.start(polling_interval=1)
    eventually(lambda: len(scene.callback.runs) == 2, "the second try")
    eventually(lambda: not list(platform.data_folder.glob("run-*")), "the file is removed")

    assert scene.callback.files == [[{**entry(number), "data": records[number]} for number in range(20)]] * 2
    assert scene.callback.runs[1]["event"]["entries"] == [entry(number) for number in range(20)]
