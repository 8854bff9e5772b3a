"""Starts an unmodified component as the platform does, against a running relay, and notes how it ended."""

import errno
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

from relay.sekoia.child import Child
from relay.sekoia.manifests import Component, Kind, Module
from relay.sekoia.run_errors import RunError
from relay.sekoia.run_file import RunDocuments, RunFile, prepare
from relay.store import Store

LAUNCHER = Path(__file__).with_name("launcher.py")
DOCUMENT_NAMES = {
    Kind.ACTION: "ARGUMENTS",
    Kind.CONNECTOR: "CONNECTOR_CONFIGURATION",
    Kind.TRIGGER: "TRIGGER_CONFIGURATION",
}
PLATFORM_NAMES = frozenset(
    {
        *DOCUMENT_NAMES.values(),
        *("TOKEN", "URL_CALLBACK", "URL_LOGS", "URL_SECRETS", "INTAKE_URL", "MODULE_CONFIGURATION"),
        *("LIVENESS_PORT", "METRICS_PORT", "FILE_BACKEND", "SUB_FOLDER", "SENTRY_DSN", "SYMPHONY_RUNTIME"),
    }
)
"""What the platform may set; a value inherited from the user's shell would silently change the run."""
LOOPBACK = "127.0.0.1,localhost,::1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Workshop:
    """Where components run: the relay's store and address, and a private folder for their files."""

    store: Store
    relay_url: str
    folder: Path
    environment: Mapping[str, str]
    new_secret: Callable[[], str] = token_urlsafe


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningComponent:
    """A component at work; `run_id` is its run in the relay's store."""

    component: Component
    run_id: int
    child: Child


def start_component(
    workshop: Workshop,
    *,
    module: Module,
    component: Component,
    run_file: RunFile,
    python: Path,
    on_line: Callable[[str], None],
) -> RunningComponent:
    """Start `main.py` of `module` for `component` under the interpreter `python`; RunError when that is impossible."""
    documents = prepare(
        run_file, module=module, component=component, relay_url=workshop.relay_url, new_key=workshop.new_secret
    )
    token = workshop.new_secret()
    run_id = workshop.store.open_run(component=component.name, token=token, secrets=documents.secrets)
    if documents.intake_key is not None:
        workshop.store.open_intake(name=component.name, key=documents.intake_key)
    data_folder = workshop.folder / f"run-{run_id}"
    data_folder.mkdir()
    command = [str(python), str(LAUNCHER), str(data_folder), component.name]
    environment = _environment(workshop, component=component, documents=documents, token=token)
    try:
        child = Child(command, folder=module.folder, environment=environment, on_line=on_line)
    except OSError as error:
        raise RunError(_why_not_started(error, python)) from error
    if component.kind is not Kind.ACTION:
        # An action reports its own start; the platform knows of the others because it started them.
        workshop.store.start_run(run_id)
    return RunningComponent(component=component, run_id=run_id, child=child)


def end_component(store: Store, running: RunningComponent, *, hurry: Callable[[], bool]) -> int:
    """Wait for a component that was told to stop or has ended, note its end and give its exit status."""
    status = running.child.wait(hurry=hurry)
    silent = running.component.kind is Kind.ACTION
    error = f"ended with exit status {status} without reporting a result" if silent else None
    # An action that did report keeps what it said.
    store.finish_run(running.run_id, results=None, error=error, logs=None)
    return status


def _environment(workshop: Workshop, *, component: Component, documents: RunDocuments, token: str) -> dict[str, str]:
    inherited = {name: value for name, value in workshop.environment.items() if name.upper() not in PLATFORM_NAMES}
    without_proxy = ",".join(filter(None, [_no_proxy(workshop.environment), LOOPBACK]))
    return inherited | {
        "TOKEN": token,
        "URL_CALLBACK": f"{workshop.relay_url}/sekoia/callback",
        "URL_LOGS": f"{workshop.relay_url}/sekoia/logs",
        "URL_SECRETS": f"{workshop.relay_url}/sekoia/secrets",
        "INTAKE_URL": f"{workshop.relay_url}/sekoia/intake",
        "MODULE_CONFIGURATION": json.dumps(documents.module_configuration),
        DOCUMENT_NAMES[component.kind]: json.dumps(documents.settings),
        # Each takes a free one by itself: one that is chosen here can be taken before the component listens.
        "LIVENESS_PORT": "0",
        "METRICS_PORT": "0",
        "PYTHONUNBUFFERED": "1",
        # A proxy of the user's shell does not lead back to this machine.
        "NO_PROXY": without_proxy,
        "no_proxy": without_proxy,
    }


def _no_proxy(environment: Mapping[str, str]) -> str:
    return environment.get("no_proxy") or environment.get("NO_PROXY") or ""


def _why_not_started(error: OSError, python: Path) -> str:
    if error.errno == errno.E2BIG:
        return "The configuration is too large: the operating system limits what a process receives (about 128 kB)."
    return f"{python} cannot be started: {os.strerror(error.errno or 0)}; choose an interpreter with --python."
