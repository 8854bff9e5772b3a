"""Builds an environment from one of the locked requirement files; which versions are locked is decided in `lock.py`.

Runs before anything is installed, so it uses the standard library only.
"""

import argparse
import ast
import fcntl
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements"

# Each set contains the ones before it.
SETS = ("main", "relay", "dev")

# Sets with an environment of their own, which the others must not carry.
APART = {"bench": ROOT / ".venv-bench"}

# What uv calls the settings that pip already has. Lists are separated by the character given.
UV_NAMES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}


class InstallError(Exception):
    """The environment could not be built; the message says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """What the environment holds: which set, from which file content, and whether it was finished."""

    requirement_set: str
    digest: str
    complete: bool


class Environment:
    """The virtual environment at `folder`, and the note it keeps about itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.uv = folder / "bin" / "uv"
        self._note = folder / "installed.json"

    def installed(self) -> Installed | None:
        """Return what was noted last, or None when nothing readable was."""
        try:
            return Installed(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def remember(self, installed: Installed) -> None:
        """Write the note in one step, so that it is never half there."""
        draft = self._note.with_suffix(".new")
        fields = {name: getattr(installed, name) for name in Installed.__slots__}
        draft.write_text(json.dumps(fields) + "\n", encoding="utf-8")
        draft.replace(self._note)

    def is_ours(self) -> bool:
        """Tell whether the environment runs, and on the Python that runs this script."""
        question = "import sys; print(sys.version_info[:3], sys.base_prefix)"
        try:
            answer = subprocess.run([self.python, "-c", question], capture_output=True, text=True, check=False)
        except OSError:
            return False
        return answer.stdout.strip() == f"{sys.version_info[:3]} {sys.base_prefix}"

    def create(self) -> None:
        """Build the environment from nothing.

        Raises:
            InstallError: this Python cannot make virtual environments.
        """
        if importlib.util.find_spec("ensurepip") is None:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise InstallError(f"This Python has no venv. On Debian and Ubuntu: apt install python{version}-venv")
        say(f"Creating {self.folder.name} with Python {sys.version.split()[0]}")
        command: list[str | Path] = [sys.executable, "-m", "venv", "--clear", self.folder]
        if subprocess.run(command, check=False).returncode != 0:
            raise InstallError(f"Could not create {self.folder}. Is the folder writable?")


def say(message: str) -> None:
    """Print a line of progress at once."""
    print(f"==> {message}", flush=True)


def pip_settings(listing: str) -> dict[str, str]:
    """Read the output of `pip config list`; the environment wins over `[install]`, which wins over `[global]`."""
    settings: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listing.splitlines():
            key, separator, value = line.partition("=")
            owner, _, name = key.rpartition(".")
            if separator and owner == section:
                settings[name] = str(ast.literal_eval(value))
    return settings


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` with pip's settings under uv's names; what the user set for uv stays."""
    wanted = {
        uv_name: separator.join(settings[name].split())
        for name, (uv_name, separator) in UV_NAMES.items()
        if name in settings
    }
    # pip sees all indexes as one. The hashes decide which file is accepted, wherever it comes from.
    wanted["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    certificate = settings.get("cert")
    if certificate:
        wanted["SSL_CERT_DIR" if Path(certificate).is_dir() else "SSL_CERT_FILE"] = certificate
    else:
        wanted["UV_SYSTEM_CERTS"] = "true"
    return {**wanted, **environment}


def locked_lines(requirements: Path, package: str) -> str:
    """Return the entry of `package`, hashes included, as it stands in a requirement file.

    Raises:
        InstallError: the file does not lock the package.
    """
    lines = requirements.read_text(encoding="utf-8").splitlines()
    for start, line in enumerate(lines):
        if line.startswith(f"{package}=="):
            hashes = start + 1
            while hashes < len(lines) and lines[hashes].startswith(" "):
                hashes += 1
            return "\n".join(lines[start:hashes]) + "\n"
    raise InstallError(f"{requirements} does not lock {package}. Run: make lock")


def pip_install(environment: Environment, requirements: Path, *options: str) -> bool:
    """Install a locked file with pip, and tell whether that worked."""
    command: list[str | Path] = [environment.python, "-m", "pip", "install", "--require-hashes", "--no-deps"]
    command += ["--disable-pip-version-check", *options, "--requirement", requirements]
    return subprocess.run(command, check=False).returncode == 0


def install_uv(environment: Environment, requirements: Path) -> bool:
    """Install the locked uv with pip, and tell whether it runs here."""
    entry = environment.folder / "uv.txt"
    entry.write_text(locked_lines(requirements, "uv"), encoding="utf-8")
    if not pip_install(environment, entry, "--quiet"):
        return False
    try:
        return subprocess.run([environment.uv, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def uv_sync(environment: Environment, requirements: Path) -> bool:
    """Make the environment hold exactly the locked file, and tell whether that worked."""
    listing = subprocess.run(
        [environment.python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    command: list[str | Path] = [environment.uv, "pip", "sync", "--require-hashes"]
    command += ["--python", environment.python, requirements]
    # A project file or an active environment must not change what is installed, nor where.
    surroundings = uv_environment(pip_settings(listing), os.environ) | {"VIRTUAL_ENV": str(environment.folder)}
    return subprocess.run(command, env=surroundings, check=False).returncode == 0


def fill(environment: Environment, requirements: Path) -> None:
    """Install a locked file, with uv where it runs and with pip where it does not.

    Raises:
        InstallError: neither of them could.
    """
    packages = sum(line[:1].isalnum() for line in requirements.read_text(encoding="utf-8").splitlines())
    say("Fetching uv, the installer")
    if install_uv(environment, requirements):
        say(f"Installing {packages} locked packages")
        if uv_sync(environment, requirements):
            return
    say(f"uv does not work here; installing {packages} locked packages with pip, which takes about a minute")
    if not pip_install(environment, requirements):
        raise InstallError("The packages could not be installed. Check the network and run the command again.")


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let a second `make` wait for the first instead of building the same environment beside it."""
    handle = os.open(REQUIREMENTS, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def install(environment: Environment, asked: str) -> None:
    """Bring the environment to the locked set `asked`, or to the larger one it already holds.

    Raises:
        InstallError: it could not be built; the message says what to do.
    """
    before = environment.installed()
    # An interrupted install may have left packages that look whole and are not.
    if before is None or not before.complete or not environment.is_ours():
        environment.create()
        before = None
    held = before.requirement_set if before else asked
    chosen = asked if asked in APART else max(asked, held, key=SETS.index)
    requirements = REQUIREMENTS / f"{chosen}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    done = Installed(requirement_set=chosen, digest=digest, complete=True)
    if before == done:
        return
    started = time.monotonic()
    environment.remember(Installed(requirement_set=chosen, digest=digest, complete=False))
    fill(environment, requirements)
    environment.remember(done)
    say(f"Ready after {time.monotonic() - started:.0f} s")


def main() -> int:
    """Read the command line, install, and return the exit code."""
    parser = argparse.ArgumentParser(description="Build an environment from a locked requirement file.")
    sets = "main: the image; relay: what the demo needs; dev: everything; bench: what is compared with, apart"
    parser.add_argument("set", choices=(*SETS, *APART), help=sets)
    asked = parser.parse_args().set
    try:
        with one_at_a_time():
            install(Environment(APART.get(asked, VENV)), asked)
    except InstallError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the command again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
