"""One process of the connector after the other, over the same data folder: started, killed, stopped and heard."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from relay.sekoia.runner import LAUNCHER

_REPOSITORY = Path(__file__).resolve().parents[2]
_NAME = "TesthttpConnector"


class Component:
    """The unmodified main.py, as often as it is started.

    Args:
        folder: holds what it remembers and what it writes to its output.
        account: the configuration of the account.
        settings: the configuration of the connector.
        platform_url: plays secrets and logs.
        intake_url: where it pushes to; each process is given a path of its own below it, its number, because what it
            sent may be read when the next one is at work.
    """

    def __init__(
        self,
        folder: Path,
        *,
        account: Mapping[str, Any],
        settings: Mapping[str, Any],
        platform_url: str,
        intake_url: str,
    ) -> None:
        self.data_folder = folder / "data"
        self.data_folder.mkdir(exist_ok=True)
        self._output = folder / "output.txt"
        self._environment = {
            "PATH": os.defpath,
            "TMPDIR": str(folder),
            "TOKEN": "token",
            "URL_CALLBACK": f"{platform_url}/callback",
            "MODULE_CONFIGURATION": json.dumps(account),
            "CONNECTOR_CONFIGURATION": json.dumps(settings),
            # Each takes a free one.
            "LIVENESS_PORT": "0",
            "METRICS_PORT": "0",
        }
        self._intake_url = intake_url
        self._process: asyncio.subprocess.Process | None = None
        self.number = 0
        """How many processes were started; the first one is 1."""

    async def start(self) -> None:
        """Start the next process; the one before has ended."""
        self.number += 1
        with self._output.open("ab") as output:
            output.write(f"--- process {self.number}\n".encode())
            output.flush()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(LAUNCHER),
                str(self.data_folder),
                _NAME,
                cwd=_REPOSITORY,
                env={**self._environment, "INTAKE_URL": f"{self._intake_url}/{self.number}"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process is there."""
        if self.alive:
            assert self._process is not None, "it is alive"
            with suppress(ProcessLookupError):  # it has ended, and the loop does not know yet
                os.killpg(self._process.pid, number)

    @property
    def alive(self) -> bool:
        """Is there a process?"""
        return self._process is not None and self._process.returncode is None

    async def ended(self, within: float) -> int | None:
        """Wait for the end of the process; its exit status, None when it is still there after `within` seconds."""
        assert self._process is not None, "it was started"
        try:
            return await asyncio.wait_for(self._process.wait(), within)
        except TimeoutError:
            return None

    async def stop(self, within: float) -> tuple[int | None, float]:
        """Stop it as the platform does; its exit status, None when it had to be killed, and the seconds it took."""
        start = monotonic()
        self.send(signal.SIGTERM)
        status = await self.ended(within)
        seconds = monotonic() - start
        await self.end()
        return status, seconds

    async def end(self) -> None:
        """Kill the process, if there is one, and wait for it."""
        self.send(signal.SIGKILL)
        if self._process:
            await self._process.wait()

    def output(self) -> list[str]:
        """All lines that the processes wrote."""
        return self._output.read_text(errors="replace").splitlines() if self._output.exists() else []
