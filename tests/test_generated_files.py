"""Rules for `make generate`, checked on copies of the repository."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PATTERNS = ("main.py", "*.json")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources and generated files of the module in a folder of their own."""
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in ("httpkit", "relay", "scripts", "testhttp_modules"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
    for pattern in PATTERNS:
        for path in ROOT.glob(pattern):
            shutil.copy(path, tmp_path)
    return tmp_path


def generate(folder: Path, *options: str, seed: str = "0") -> subprocess.CompletedProcess[str]:
    """Run the script of a copy; `seed` decides the order of Python's sets."""
    command = [sys.executable, "scripts/generate.py", *options]
    environment = os.environ | {"PYTHONHASHSEED": seed}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    """The generated files of a folder: name -> bytes."""
    return {path.name: path.read_bytes() for pattern in PATTERNS for path in folder.glob(pattern)}


def test_the_committed_files_are_what_the_code_says(copy: Path) -> None:
    result = generate(copy, "--check")
    assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_same_files_are_made_from_the_code_in_any_order_of_its_sets(copy: Path, seed: str) -> None:
    before = contents(copy)
    for path in [copy / "main.py", *copy.glob("*_*.json")]:
        path.unlink()
    assert generate(copy, seed=seed).returncode == 0
    assert contents(copy) == before


def test_a_stale_file_fails_the_check_and_is_shown(copy: Path) -> None:
    manifest = copy / "action_request.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"Request"', '"Demand"'), encoding="utf-8")
    before = contents(copy)
    result = generate(copy, "--check")
    assert result.returncode == 1
    assert '-  "name": "Demand"' in result.stdout
    assert '+  "name": "Request"' in result.stdout
    assert contents(copy) == before


def test_the_manifest_of_a_component_that_is_gone_is_removed(copy: Path) -> None:
    stale = copy / "trigger_gone.json"
    stale.write_text("{}\n", encoding="utf-8")
    assert generate(copy).returncode == 0
    assert not stale.exists()


@pytest.mark.parametrize("module", ["testhttp_modules/connector.py", "relay/__init__.py"])
def test_nothing_is_written_when_a_module_cannot_be_imported(copy: Path, module: str) -> None:
    (copy / "action_request.json").write_text("{}\n", encoding="utf-8")
    before = contents(copy)
    with (copy / module).open("a", encoding="utf-8") as source:
        source.write("\nimport no_such_package\n")
    result = generate(copy)
    assert result.returncode == 1
    assert "no_such_package" in result.stderr
    assert contents(copy) == before


def test_two_modules_are_refused_with_nothing_written(copy: Path) -> None:
    second = "from sekoia_automation.module import Module\n\n\nclass SecondModule(Module):\n    pass\n"
    (copy / "testhttp_modules" / "second.py").write_text(second, encoding="utf-8")
    before = contents(copy)
    result = generate(copy)
    assert result.returncode == 1
    assert "more than 1 module" in result.stderr
    assert contents(copy) == before


def test_manifests_are_written_with_two_spaces_and_a_final_newline() -> None:
    for path in ROOT.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
