"""The preview of a configuration: starts the module's own program for it and reads and writes its files."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relay.foreground import Interruption
from relay.sekoia.run_errors import RunError
from relay.sekoia.run_file import RELAY_PLACEHOLDER, RunFile, read_run_file

PROGRAM = "testhttp_modules.previewing"
TICK_SECONDS = 0.1
PATIENCE_SECONDS = 5.0
CONFIGURATION_ERROR = 2

Document = dict[str, Any]


class PreviewStoppedError(Exception):
    """The user interrupted the preview."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewOrder:
    """What the user asked for: a configuration, a recording that takes the place of the network, or both."""

    configuration: Document
    stream: str
    recording: Document | None


def read_preview_order(*, config: Path | None, replay: Path | None, stream: str) -> PreviewOrder:
    """Read the files of a preview; RunError says in one sentence what is wrong."""
    recording = None if replay is None else _read_recording(replay)
    if config is not None:
        configuration = _configuration(config, read_run_file(config))
    elif recording is not None:
        configuration = recording["configuration"]
    else:
        raise RunError("name the configuration with --config, or a recording with --replay.")
    return PreviewOrder(configuration=configuration, stream=stream, recording=recording)


def check_place_for(recording: Path) -> None:
    """RunError when a recording cannot go there; nothing is overwritten."""
    if recording.exists():
        raise RunError(f"{recording} exists already; remove it or choose another name with --record.")
    if not recording.absolute().parent.is_dir():
        raise RunError(f"{recording} cannot be written: there is no such folder; make it or choose another name.")


def run_preview(order: PreviewOrder, *, module: Path, interruption: Interruption) -> Document:
    """The outcome of a preview: `report` and `recording`; RunError when the configuration is not usable.

    PreviewStoppedError when the user interrupts.
    """
    command = [sys.executable, "-m", PROGRAM]
    # Progress goes to our own stderr.
    with subprocess.Popen(
        command,
        cwd=module,
        env=_environment(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    ) as process:
        output = _output(process, _document(order), interruption)
    if process.returncode not in {0, CONFIGURATION_ERROR}:
        raise RunError(f"the preview ended with exit status {process.returncode}; see above.")
    outcome: Document = json.loads(output)
    if "error" in outcome:
        raise RunError(f"{outcome['error']}.")
    return outcome


def write_recording(path: Path, recording: Document) -> None:
    """Write a recording, for its owner only: it holds what the API answered."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(recording, file, indent=2)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from error


def _output(process: "subprocess.Popen[bytes]", order: bytes, interruption: Interruption) -> bytes:
    given: bytes | None = order
    while True:
        try:
            return process.communicate(given, timeout=TICK_SECONDS)[0]
        except subprocess.TimeoutExpired:
            given = None
        if interruption.wait(0):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=PATIENCE_SECONDS)
            process.kill()
            raise PreviewStoppedError


def _document(order: PreviewOrder) -> bytes:
    document: Document = {"configuration": order.configuration, "stream": order.stream}
    if order.recording is not None:
        document["recording"] = order.recording
    return json.dumps(document).encode()


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    # The module reads its account from the order, and must not find one that was meant for a run.
    names = {"MODULE_CONFIGURATION", "CONNECTOR_CONFIGURATION", "TRIGGER_CONFIGURATION", "SENTRY_DSN"}
    return {name: value for name, value in inherited.items() if name not in names}


def _configuration(path: Path, run_file: RunFile) -> Document:
    given: Document = run_file.model_dump(exclude_none=True)
    if "arguments" in given:
        raise RunError(f"{path} is for the action; a preview looks at what the connector or the trigger reads.")
    if "connector_configuration" in given and "trigger_configuration" in given:
        raise RunError(f"{path} holds connector_configuration and trigger_configuration; leave one of them.")
    if RELAY_PLACEHOLDER in json.dumps(given):
        raise RunError(
            f"{path} reads from {RELAY_PLACEHOLDER}, which only `relay run` fills in; start `make serve` "
            "and write its address instead."
        )
    return given


def _read_recording(path: Path) -> Document:
    try:
        recording = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise RunError(f"{path} is not a recording: {error}.") from error
    if not isinstance(recording, dict) or not isinstance(recording.get("configuration"), dict):
        raise RunError(f"{path} is not a recording of a preview; make one with --record.")
    return recording
