"""The relay's command line: what it says to right and wrong input, and how `serve` starts and ends."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from typer.testing import CliRunner, Result

from relay.__main__ import commands

REPOSITORY = Path(__file__).resolve().parents[2]
COMPONENTS = {"action_echo.json": "Echo", "connector_feed.json": "Feed", "trigger_bell.json": "Bell"}


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module that is complete on paper; nothing here gets as far as starting it."""
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "main.py").write_text("")
    (folder / "manifest.json").write_text("{}")
    for name, component in COMPONENTS.items():
        (folder / name).write_text(json.dumps({"docker_parameters": component}))
    return folder


def relay(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(commands, [str(argument) for argument in arguments])


def run_with(module: Path, text: str, component: str = "Feed") -> Result:
    config = module.parent / "run.json"
    config.write_text(text)
    return relay("run", component, "--config", config, "--module", module)


def test_an_unknown_command_lists_the_known_ones() -> None:
    result = relay("runn")

    assert result.exit_code == 2
    assert "No such command 'runn'. Known commands: serve, run, preview, demo, quarantine." in result.stderr


@pytest.mark.parametrize("command", ["serve", "run", "preview", "demo", "quarantine"])
def test_the_help_names_every_command(command: str) -> None:
    result = relay("--help")

    assert result.exit_code == 0
    assert command in result.stdout


def test_an_unknown_component_lists_the_known_ones(module: Path) -> None:
    result = run_with(module, "{}", component="Nope")

    assert result.exit_code == 2
    assert "'Nope' is not a component" in result.stderr
    assert "known ones: Echo, Feed, Bell" in result.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not valid JSON: Expecting property name enclosed in double quotes in line 1"),
        ("[]", "must hold a JSON object with 'module_configuration' and one of"),
        ('{"connector": {}}', "unknown key 'connector'; it may hold 'module_configuration' and one of"),
        (
            '{"arguments": {}}',
            "Feed is a connector: put its settings under 'connector_configuration', not 'arguments'",
        ),
        ('{"connector_configuration": []}', "connector_configuration: Input should be a valid dictionary"),
    ],
)
def test_a_wrong_run_file_is_refused_in_one_sentence(module: Path, text: str, sentence: str) -> None:
    result = run_with(module, text)

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_intake_key_must_be_a_text(module: Path) -> None:
    result = run_with(module, '{"connector_configuration": {"intake_key": 5}}')

    assert result.exit_code == 2
    assert "intake_key must be a text; leave it out to get a random one" in result.stderr


def test_a_missing_run_file_is_named(module: Path, tmp_path: Path) -> None:
    result = relay("run", "Feed", "--config", tmp_path / "missing.json", "--module", module)

    assert result.exit_code == 2
    assert "missing.json cannot be read: No such file or directory" in result.stderr


def test_a_run_file_in_another_encoding_is_refused(module: Path, tmp_path: Path) -> None:
    config = tmp_path / "latin.json"
    config.write_bytes('{"module_configuration": {"api_key": "é"}}'.encode("latin-1"))

    result = relay("run", "Feed", "--config", config, "--module", module)

    assert result.exit_code == 2
    assert "is not UTF-8 text" in result.stderr


def test_a_folder_without_a_module_is_refused(tmp_path: Path) -> None:
    result = relay("run", "Feed", "--config", tmp_path / "run.json", "--module", tmp_path)

    assert result.exit_code == 2
    assert "is not a module: it has no main.py" in result.stderr


def test_a_broken_manifest_is_named(module: Path) -> None:
    (module / "connector_feed.json").write_text('{"name": "Feed"}')

    result = run_with(module, "{}")

    assert result.exit_code == 2
    assert "connector_feed.json is not a usable manifest: docker_parameters: Field required" in result.stderr


def test_an_interpreter_that_does_not_exist_is_refused(module: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.json"
    config.write_text("{}")

    result = relay("run", "Feed", "--config", config, "--module", module, "--python", tmp_path / "nope")

    assert result.exit_code == 2
    assert "is not a program that can be run" in result.stderr


@pytest.mark.parametrize("duration", ["soon", "-1s", "5 days", ""])
def test_a_duration_must_be_readable(module: Path, duration: str) -> None:
    result = relay("run", "Feed", "--config", "run.json", "--module", module, f"--for={duration}")

    assert result.exit_code == 2
    assert "write 30s, 2m or 1h" in result.stderr


def test_once_and_a_duration_exclude_each_other(module: Path) -> None:
    result = relay("run", "Feed", "--config", "run.json", "--module", module, "--once", "--for", "3s")

    assert result.exit_code == 2
    assert "choose one of --once and --for" in result.stderr


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "RELAY_DATABASE_URL is not a database URL"),
        ("sqlite:////nowhere/relay.sqlite3", "database"),
    ],
)
def test_an_unusable_database_is_refused_in_one_sentence(url: str, sentence: str) -> None:
    result = relay("serve", "--port", "0", "--database-url", url)

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_PORT", "many")

    result = relay("serve")

    assert result.exit_code == 2
    assert "RELAY_PORT" in result.stderr


@contextmanager
def serving(tmp_path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`serve` as a process, with what it printed up to its last line of introduction."""
    command = [
        sys.executable,
        "-m",
        "relay",
        "serve",
        "--database-url",
        f"sqlite:///{tmp_path}/relay.sqlite3",
        *options,
    ]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if "sample API" in line:
                break
        try:
            yield process, printed
        finally:
            process.terminate()


def value_in(pattern: str, printed: str) -> str:
    found = re.search(pattern, printed)
    assert found is not None, printed
    return found[1]


def test_serve_prints_a_token_and_a_key_that_work(tmp_path: Path) -> None:
    with serving(tmp_path, "--port", "0") as (_, printed):
        callback = value_in(r"URL_CALLBACK=(\S+)", printed)
        intake = value_in(r"INTAKE_URL=(\S+)", printed)
        token = value_in(r"TOKEN=(\S+)", printed)
        key = value_in(r"CONNECTOR_CONFIGURATION:\n\s*(\S+)", printed)
        event = {"name": "Hello", "event": {}, "request_id": "1"}

        bell = requests.post(callback, json=event, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        feed = requests.post(f"{intake}/batch", json={"intake_key": key, "jsons": ["{}"]}, timeout=10)

    assert bell.ok
    assert len(feed.json()["event_ids"]) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_cleanly_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, "--port", "0") as (process, _):
        process.send_signal(number)

        assert process.wait(timeout=10) == 0


def test_serve_replaces_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path, "--port", str(port)) as (_, printed):
            assert f"Port {port} is taken" in printed
            assert requests.get(value_in(r"answers at (\S+)", printed), timeout=10).ok
