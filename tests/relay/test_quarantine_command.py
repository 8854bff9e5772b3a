"""The command `quarantine`: what it lists, and that it changes nothing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from httpkit.memory import Memory
from relay.__main__ import commands

FIRST, SECOND = bytes(range(16)), bytes(range(1, 17))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder in which two components have put something into quarantine."""
    for name, key in (("testhttpconnector-1", FIRST), ("newentriestrigger-1", SECOND)):
        memory = Memory(tmp_path / name, source=f"https://api.example.com/{name}")
        memory.quarantine(key, f'{{"from": "{name}", "text": "[bold]x[/bold]"}}', "250001 bytes [too large]")
        memory.close()
    return tmp_path


def quarantine(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(commands, ["quarantine", *map(str, arguments)])


def test_each_event_is_a_line_with_its_reason(data: Path) -> None:
    result = quarantine("--data", data)

    assert result.exit_code == 0
    for key, name in ((FIRST, "testhttpconnector-1"), (SECOND, "newentriestrigger-1")):
        (line,) = [line for line in result.stdout.splitlines() if key.hex() in line]
        assert f"https://api.example.com/{name}" in line
        assert "250001 bytes [too large]" in line
    assert "2 in quarantine" in result.stdout


def test_all_is_there_as_json(data: Path) -> None:
    found = json.loads(quarantine("--data", data, "--json").stdout)

    assert [one["key"] for one in found] == [FIRST.hex(), SECOND.hex()]
    assert found[0]["head"] == '{"from": "testhttpconnector-1", "text": "[bold]x[/bold]"}'


@pytest.mark.parametrize("key", [FIRST.hex(), FIRST.hex()[:6], FIRST.hex().upper()])
def test_one_event_is_shown_whole(data: Path, key: str) -> None:
    result = quarantine("--data", data, "--show", key)

    assert result.exit_code == 0
    assert '{"from": "testhttpconnector-1", "text": "[bold]x[/bold]"}' in result.stdout
    assert SECOND.hex() not in result.stdout


def test_one_event_is_shown_as_json(data: Path) -> None:
    (found,) = json.loads(quarantine("--data", data, "--show", SECOND.hex(), "--json").stdout)

    assert found["key"] == SECOND.hex()


def test_a_key_that_is_not_there_is_named(data: Path) -> None:
    result = quarantine("--data", data, "--show", "ffff")

    assert result.exit_code == 2
    assert "No event in quarantine has the key 'ffff'" in result.stderr


def test_an_empty_folder_has_nothing_in_quarantine(tmp_path: Path) -> None:
    result = quarantine("--data", tmp_path)

    assert result.exit_code == 0
    assert "Nothing is in quarantine." in result.stdout


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert quarantine("--data", tmp_path / "missing").exit_code == 2


def test_listing_changes_nothing_and_asks_no_lock(data: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    quarantine("--data", data)
    quarantine("--data", data, "--show", FIRST.hex())

    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
