"""Rules for the image: what goes in, who runs it, and that the linter finds nothing."""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COPIES = [line.split()[1:] for line in DOCKERFILE.splitlines() if line.startswith("COPY ")]
COPIED = [source for copy in COPIES for source in copy[:-1]]
CODE = [source for source in COPIED if not source.startswith("requirements/")]


def test_the_linter_finds_nothing() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    result = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_the_image_holds_the_module_and_nothing_else() -> None:
    assert set(CODE) == {
        *("main.py", "manifest.json", "action_*.json", "connector_*.json", "trigger_*.json"),
        *("httpkit", "testhttp_modules"),
    }


def test_the_build_receives_only_what_the_image_copies() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(COPIED)


def test_only_locked_wheels_are_installed() -> None:
    install = next(line for line in DOCKERFILE.splitlines() if "pip install" in line)
    assert {"--require-hashes", "--no-deps", "--no-cache-dir"} <= set(install.split())
    assert ["requirements/main.txt", "requirements.txt"] in COPIES


def test_the_program_runs_as_the_user_of_the_platform_and_not_as_root() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["sekoiaio-runtime"]
    assert DOCKERFILE.rstrip().endswith('ENTRYPOINT ["python", "./main.py"]')


def test_the_files_of_the_image_are_enough_to_start(tmp_path: Path) -> None:
    for pattern in CODE:
        for path in ROOT.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, tmp_path / path.name)
            else:
                shutil.copy(path, tmp_path)
    command = [sys.executable, "./main.py", "NoSuchComponent"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode != 0
    assert "NoSuchComponent" in result.stdout + result.stderr
    assert "ModuleNotFoundError" not in result.stderr
