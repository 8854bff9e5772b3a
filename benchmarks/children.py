"""A connector as a child process that is watched while it runs: its processor time and memory, and how to stop it.

`measurement.py` measures what simply runs to its end. Nothing large is imported here, for the reason told there.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.measurement import MEMORY_UNIT

ROOT = Path(__file__).resolve().parent.parent
GLANCE_SECONDS = 0.02
"""How often a child is looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """What is started: a command, the folder it runs in, and what the environment adds."""

    command: Sequence[str]
    folder: Path = ROOT
    environment: Mapping[str, str]


class Child:
    """A running connector whose usage is asked for when it has ended."""

    def __init__(self, start: Start, output: IO[bytes]) -> None:
        self.started = time.monotonic()
        # Not `with`: the process is waited for below, where its usage is asked for.
        self._process = subprocess.Popen(
            start.command,
            cwd=start.folder,
            env=dict(start.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        self.cpu = self.peak = 0.0

    def ended(self) -> bool:
        """Has it ended?"""
        if self._process.returncode is None:
            process, status, usage = os.wait4(self._process.pid, os.WNOHANG)
            if process:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self.cpu = usage.ru_utime + usage.ru_stime
                self.peak = usage.ru_maxrss * MEMORY_UNIT / 1e6
        return self._process.returncode is not None

    @property
    def process(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status."""
        return self._process.returncode

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if not self.ended():
            self._process.send_signal(number)

    def cpu_so_far(self) -> float | None:
        """Seconds of processor time until now, where the system tells."""
        if sys.platform != "linux":
            return None
        # What clock_getcpuclockid(3) gives for a process, which Python offers for threads only.
        clock = (~self._process.pid << 3) | 2
        try:
            return time.clock_gettime(clock)
        except OSError:
            return None

    def wait(self, seconds: float) -> bool:
        """Wait for its end, and tell whether it came."""
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while not self.ended() and time.monotonic() < deadline:
            pause.wait(GLANCE_SECONDS)
        return self.ended()


def clean_environment(workshop: Path, **values: str) -> dict[str, str]:
    """What a child sees: nothing of the user's shell, which could change what is measured."""
    return {
        "PATH": os.defpath,
        "TMPDIR": str(workshop),
        "HOME": str(workshop),
        # Compiled once and kept, as in an image, whatever the user's shell says.
        "PYTHONPYCACHEPREFIX": str(workshop / "bytecode"),
        **values,
    }
