"""Locks the dependencies of pyproject.toml and exports the requirement files; `install.py` installs them.

Poetry lives in an environment of its own, `.venv-lock`, so that it never mixes with what it locks. The benchmark's
requirements are locked apart by uv, from `requirements/bench.in`, so that they cannot hold back a version of ours.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv-lock"
TOOL_PACKAGES = ("poetry>=2.3,<3", "poetry-plugin-export>=1.9,<2", "poetry-plugin-pypi-mirror>=0.6,<1", "uv>=0.9")

# Requirement file -> the groups it holds besides the main one.
EXPORTS = {"main": "", "relay": "relay", "dev": "relay,dev"}


def poetry_program() -> Path:
    """Return the path of Poetry, after building its environment when it is not there yet."""
    program = TOOLS / "bin" / "poetry"
    if not program.exists():
        print(f"==> Creating {TOOLS.name} with Poetry", flush=True)
        venv.create(TOOLS, clear=True, with_pip=True)
        subprocess.run([TOOLS / "bin" / "python", "-m", "pip", "install", "--quiet", *TOOL_PACKAGES], check=True)
    return program


def index_environment() -> dict[str, str]:
    """Return the environment for Poetry: it asks the index that pip is set up with, when there is one."""
    question = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    index = subprocess.run(question, capture_output=True, text=True, check=False).stdout.strip()
    mirror = {"POETRY_PYPI_MIRROR_URL": index} if index else {}
    return {**mirror, **os.environ}


def export(poetry: Path, name: str, groups: str) -> None:
    """Write one requirement file, complete or not at all."""
    target = ROOT / "requirements" / f"{name}.txt"
    draft = target.with_suffix(".new")
    command: list[str | Path] = [poetry, "export", "--format", "requirements.txt", "--output", draft]
    if groups:
        command += ["--with", groups]
    subprocess.run(command, cwd=ROOT, check=True)
    draft.replace(target)
    print(f"==> Wrote {target.relative_to(ROOT)}", flush=True)


def lock_benchmark(environment: Mapping[str, str], options: Sequence[str]) -> None:
    """Lock what only the benchmark needs."""
    target = ROOT / "requirements" / "bench.txt"
    command: list[str | Path] = [TOOLS / "bin" / "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--python-version", "3.11", "--no-annotate", "--no-header", "--output-file", target]
    command += ["--upgrade"] if "--regenerate" in options else []
    index = environment.get("POETRY_PYPI_MIRROR_URL")
    surroundings = {**({"UV_DEFAULT_INDEX": index} if index else {}), **environment}
    subprocess.run([*command, target.with_suffix(".in")], cwd=ROOT, env=surroundings, check=True)
    print(f"==> Wrote {target.relative_to(ROOT)}", flush=True)


def main() -> int:
    """Lock with the given options of `poetry lock`, export, and return the exit code."""
    try:
        poetry = poetry_program()
        environment = index_environment()
        subprocess.run([poetry, "lock", *sys.argv[1:]], cwd=ROOT, env=environment, check=True)
        for name, groups in EXPORTS.items():
            export(poetry, name, groups)
        lock_benchmark(environment, sys.argv[1:])
    except subprocess.CalledProcessError as error:
        print(f"error: {error.cmd[0]} ended with code {error.returncode}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
