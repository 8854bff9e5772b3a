"""`relay run` with a small module of its own, as a user starts it: real processes on both sides."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = "a-secret-of-the-account"

MAIN = """
from sekoia_automation.module import Module
from parts import Bell, Broken, Deaf, Echo, Feed, Mute, Shy

if __name__ == "__main__":
    module = Module()
    for item in (Bell, Broken, Deaf, Echo, Feed, Mute, Shy):
        module.register(item, item.__name__)
    module.run()
"""
PARTS = """
import json, os, signal, subprocess, sys

from sekoia_automation.action import Action
from sekoia_automation.connector import Connector
from sekoia_automation.trigger import Trigger


class Echo(Action):
    def run(self, arguments):
        print("a line of output")
        return {
            "arguments": arguments,
            "api_key": self.module.configuration["api_key"],
            "arguments_of_process": sys.argv,
            "data_path": str(self.data_path),
            "environment": dict(os.environ),
            "first_path": sys.path[0],
            "status_code": 204,
        }


class Broken(Action):
    def run(self, arguments):
        raise ValueError("this action is broken")


class Feed(Connector):
    def run(self):
        self.log("reading", "info")
        self.push_events_to_intakes([json.dumps({"number": number}) for number in range(3)])
        print("pushed", flush=True)
        self._stop_event.wait()


class Shy(Feed):
    def run(self):
        self.log("there is nothing to read", "error")
        self._stop_event.wait()


class Bell(Trigger):
    def run(self):
        self.send_event("Ring", {"how often": 1})
        self._stop_event.wait()


class Deaf(Trigger):
    def run(self):
        print("ready", flush=True)
        self._stop_event.wait()

    def stop(self, *args, **kwargs):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("I do not listen", flush=True)


class Mute(Trigger):
    def run(self):
        os._exit(3)
"""
MANIFESTS = {
    "manifest.json": {"name": "Parts", "configuration": {"secrets": ["api_key"]}},
    "action_echo.json": {"docker_parameters": "Echo"},
    "action_broken.json": {"docker_parameters": "Broken"},
    "connector_feed.json": {"docker_parameters": "Feed"},
    "connector_shy.json": {"docker_parameters": "Shy"},
    "trigger_bell.json": {"docker_parameters": "Bell"},
    "trigger_deaf.json": {"docker_parameters": "Deaf"},
    "trigger_mute.json": {"docker_parameters": "Mute"},
}
INHERITED = {
    "TOKEN": "inherited",
    "INTAKE_URL": "http://inherited.invalid",
    "CONNECTOR_CONFIGURATION": "{}",
    "FILE_BACKEND": "s3",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "no_proxy": "example.org",
    "A_VARIABLE": "kept",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """What a run of the command left behind."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        """The only document on stdout."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small module."""
    folder = tmp_path_factory.mktemp("module")
    folder.joinpath("main.py").write_text(MAIN)
    folder.joinpath("parts.py").write_text(PARTS)
    for name, manifest in MANIFESTS.items():
        folder.joinpath(name).write_text(json.dumps(manifest))
    return folder


def start(module: Path, component: str, *options: str, settings: Mapping[str, Any] | None = None) -> Any:
    config = module / f"run_{component}.json"
    config.write_text(json.dumps({"module_configuration": {"api_key": SECRET}, **(settings or {})}))
    command = [sys.executable, "-m", "relay", "run", component, "--config", str(config), "--module", str(module)]
    return subprocess.Popen(
        [*command, *options],
        cwd=REPOSITORY,
        env={**os.environ, **INHERITED},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: Any) -> Finished:
    stdout, stderr = process.communicate(timeout=60)
    return Finished(exit_code=process.returncode, stdout=stdout, stderr=stderr)


def wait_for_line(process: Any, word: str) -> None:
    """Read the error stream of a `--json` run, where the module's own lines appear, up to one with `word`."""
    assert any(word in line for line in process.stderr)


@pytest.fixture(scope="module")
def echo(module: Path) -> Finished:
    """One run of the action that reports what it was given."""
    settings = {"arguments": {"url": "{relay}/sample", "deep": [{"also": "{relay}"}], "brace": "{other}"}}
    return finish(start(module, "Echo", "--json", settings=settings))


def test_an_action_that_finishes_is_a_success(echo: Finished) -> None:
    assert echo.exit_code == 0, echo.stderr
    assert (echo.report["component"], echo.report["kind"]) == ("Echo", "action")
    assert (echo.report["exit_status"], echo.report["succeeded"]) == (0, True)
    assert echo.report["results"]["status_code"] == 204


def test_with_json_everything_else_goes_to_the_error_stream(echo: Finished) -> None:
    assert "a line of output" in echo.stderr
    assert "a line of output" not in echo.stdout


def test_the_relay_address_is_put_into_the_settings(echo: Finished) -> None:
    relay_url = echo.report["results"]["environment"]["URL_CALLBACK"].removesuffix("/sekoia/callback")

    assert echo.report["results"]["arguments"] == {
        "url": f"{relay_url}/sample",
        "deep": [{"also": relay_url}],
        "brace": "{other}",
    }


def test_a_secret_is_served_and_never_in_the_environment(echo: Finished) -> None:
    assert echo.report["results"]["api_key"] == SECRET
    assert SECRET not in json.dumps(echo.report["results"]["environment"])


def test_a_module_sees_no_platform_variable_of_the_users_shell(echo: Finished) -> None:
    environment = echo.report["results"]["environment"]

    assert environment["TOKEN"] != "inherited"
    assert environment["INTAKE_URL"].endswith("/sekoia/intake")
    assert {"CONNECTOR_CONFIGURATION", "FILE_BACKEND"}.isdisjoint(environment)
    assert environment["A_VARIABLE"] == "kept"


def test_a_component_takes_its_ports_itself(echo: Finished) -> None:
    environment = echo.report["results"]["environment"]

    # A port that is chosen for it can be taken before it listens.
    assert environment["LIVENESS_PORT"] == environment["METRICS_PORT"] == "0"


def test_a_proxy_is_not_asked_for_the_relay(echo: Finished) -> None:
    environment = echo.report["results"]["environment"]

    assert environment["HTTP_PROXY"] == INHERITED["HTTP_PROXY"]
    assert environment["no_proxy"].split(",")[:2] == ["example.org", "127.0.0.1"]


def test_a_module_runs_as_if_main_py_were_started_itself(echo: Finished, module: Path) -> None:
    results = echo.report["results"]

    assert results["arguments_of_process"] == ["main.py", "Echo"]
    assert results["first_path"] == str(module)


def test_the_data_folder_is_private_and_gone_afterwards(echo: Finished) -> None:
    assert not Path(echo.report["results"]["data_path"]).exists()


def test_an_action_that_fails_is_a_failure(module: Path) -> None:
    run = finish(start(module, "Broken"))

    assert run.exit_code == 1
    assert "ValueError: this action is broken" in run.stdout


def test_a_connector_runs_once(module: Path) -> None:
    run = finish(start(module, "Feed", "--once", "--json"))

    assert run.exit_code == 0, run.stderr
    assert run.report["events"] == 3
    assert run.report["latest_events"] == [{"number": 2}, {"number": 1}, {"number": 0}]
    assert run.report["log_lines"] == {"info": 1}


def test_a_trigger_runs_for_a_while(module: Path) -> None:
    run = finish(start(module, "Bell", "--for", "8s", "--json"))

    assert run.exit_code == 0, run.stderr
    assert run.report["playbook_runs"] == 1
    assert run.report["latest_playbook_runs"] == [{"how often": 1}]
    assert 8 <= run.report["seconds"] < 12


def test_an_error_without_any_delivery_ends_a_single_run(module: Path) -> None:
    run = finish(start(module, "Shy", "--once", "--json"))

    assert run.exit_code == 1
    assert run.report["events"] == 0
    assert "logged an error and delivered nothing" in run.report["ended"]


def test_a_trigger_that_dies_is_a_failure(module: Path) -> None:
    run = finish(start(module, "Mute", "--json"))

    assert run.exit_code == 1
    assert (run.report["exit_status"], run.report["ended"]) == (3, "it ended by itself")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_still_reports(module: Path, number: signal.Signals) -> None:
    process = start(module, "Feed", "--json", settings={"connector_configuration": {"intake_key": "given"}})
    wait_for_line(process, "reading")
    wait_for_line(process, "pushed")
    process.send_signal(number)
    run = finish(process)

    assert run.exit_code == 0, run.stderr
    assert (run.report["ended"], run.report["events"]) == ("stopped by the user", 3)


def test_a_module_that_does_not_stop_is_killed_with_all_it_started(
    module: Path, is_running: Callable[[str], bool]
) -> None:
    process = start(module, "Deaf", "--json")
    wait_for_line(process, "ready")
    process.send_signal(signal.SIGINT)
    wait_for_line(process, "I do not listen")
    # While a component is being stopped, Ctrl-C says that the user does not want to wait ten seconds.
    process.send_signal(signal.SIGINT)
    run = finish(process)

    assert run.exit_code == 1
    assert run.report["exit_status"] == -signal.SIGKILL
    assert not is_running("time.sleep(600)")


@pytest.fixture
def is_running() -> Callable[[str], bool]:
    """Whether any process of this machine has a text in its command line."""

    def look(text: str) -> bool:
        listed = subprocess.run(["ps", "-A", "-o", "args"], capture_output=True, text=True, check=True)
        return text in listed.stdout

    return look
