"""Who takes part in the comparison of connectors: the rows of the table and how each is started."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.children import ROOT, Start, clean_environment
from benchmarks.trials import Addresses, Contestant, Ending
from benchmarks.tutorial import write_tutorial_connector

PEER_INTERPRETER = ROOT / ".venv-bench" / "bin" / "python"
"""Runs what our own environments do not carry; `make bench` installs it."""

PEERS = ROOT / "benchmarks" / "peers"
SDK_IMPORT = ("-c", "import time, sekoia_automation.action, sekoia_automation.connector; print(time.process_time())")
"""What every module with an action and a connector imports; prints what that took."""

_LAUNCHER = ROOT / "relay" / "sekoia" / "launcher.py"
_OURS = {
    "records_path": "items",
    "id_path": "id",
    "timestamp_path": "time",
    "params": {"limit": 1000},
    "pagination": "cursor",
    "next_path": "next_cursor",
    "next_parameter": "cursor",
    "max_pages": 1_000_000,
    "batch_size": 1000,
    "polling_interval": 60,
}


class Roster:
    """All contestants.

    Args:
        workshop: a folder for what they write.
        profile: where the last run of ours leaves its flame graph, or None.
    """

    def __init__(self, workshop: Path, *, profile: Path | None = None) -> None:
        self._workshop = workshop
        self._profile = profile
        self._tutorial = write_tutorial_connector(workshop / "tutorial")

    def contestants(self) -> Iterator[Contestant]:
        """All rows, in the order of the table."""
        yield Contestant(
            key="bare",
            name="bare loop, no guarantees",
            start=partial(self._program, sys.executable, "bare_loop.py"),
            ending=Ending.BY_ITSELF,
        )
        for key, name, compress in (
            ("ours", "this connector", True),
            ("ours-plain", "this connector, no gzip", False),
        ):
            yield Contestant(
                key=key,
                name=name,
                start=partial(self._ours, compress),
                ending=Ending.WHEN_ASKED,
                watcher=self._profiler(),
            )
        yield Contestant(key="seed", name="the tutorial's", start=self._seed, ending=Ending.WHEN_KILLED)
        for key, name, arguments in (
            ("sdk-next-run", "SDK next_run", ["sdk_next_run.py"]),
            ("sdk-async", "SDK AsyncConnector", ["sdk_async.py", "plain"]),
            ("sdk-async-tuned", "SDK AsyncConnector, tuned", ["sdk_async.py", "tuned"]),
        ):
            yield Contestant(key=key, name=name, start=partial(self._sdk, arguments), ending=Ending.WHEN_KILLED)

        for key, name, program in (
            ("dlt", "dlt rest_api", "dlt_rest_api.py"),
            ("airbyte", "Airbyte declarative CDK", "airbyte_declarative.py"),
            ("singer", "Singer SDK, in process", "singer_tap.py"),
        ):
            start = partial(self._program, str(PEER_INTERPRETER), program)
            yield Contestant(key=key, name=name, start=start, ending=Ending.BY_ITSELF)

    def _ours(self, compress: bool, where: Addresses, folder: Path) -> Start:
        settings = {**_OURS, "url": where.api, "compress": compress}
        return Start(
            command=[sys.executable, str(_LAUNCHER), str(folder), "TesthttpConnector"],
            environment=self._platform(where, settings),
        )

    def _profiler(self) -> list[str]:
        if self._profile is None:
            return []
        program = PEER_INTERPRETER.with_name("py-spy")
        return [str(program), "record", "--threads", "--gil", "--rate", "200", "--output", str(self._profile)]

    def _seed(self, where: Addresses, folder: Path) -> Start:
        return Start(
            command=[sys.executable, str(_LAUNCHER), str(folder), "TesthttpConnector"],
            folder=self._tutorial,
            environment=self._platform(where, {"url": where.api, "polling_interval": 60}),
        )

    def _sdk(self, arguments: list[str], where: Addresses, folder: Path) -> Start:
        program, *options = arguments
        return Start(
            command=[sys.executable, str(PEERS / program), str(folder), *options],
            folder=self._tutorial,
            environment=self._platform(where, {"url": where.api}),
        )

    def _program(self, interpreter: str, name: str, where: Addresses, folder: Path) -> Start:
        return Start(
            command=[interpreter, str(PEERS / name), where.api, where.intake],
            folder=folder,
            environment=clean_environment(self._workshop, PYTHONPATH=str(ROOT)),
        )

    def _platform(self, where: Addresses, settings: dict[str, object]) -> dict[str, str]:
        """What the platform sets for a connector."""
        configuration = {"intake_key": "benchmark", "intake_server": where.intake, **settings}
        return clean_environment(
            self._workshop,
            TOKEN="benchmark",  # noqa: S106  # nothing checks it
            URL_CALLBACK=f"{where.base}/callback",
            INTAKE_URL=where.intake,
            MODULE_CONFIGURATION=json.dumps({"api_key": "asked for", "allow_private_networks": True}),
            CONNECTOR_CONFIGURATION=json.dumps(configuration),
            # Each takes a free one by itself.
            LIVENESS_PORT="0",
            METRICS_PORT="0",
        )
