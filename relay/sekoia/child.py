"""One child process: its output line by line, and a stop that always ends; it knows nothing of Sekoia."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import IO

PATIENCE_SECONDS = 10.0
LOOK_SECONDS = 0.05
LINE_CHARACTERS = 65_536
OUTPUT_SECONDS = 5.0


class Child:
    """A process in a group of its own, so that the terminal's Ctrl-C reaches the relay alone."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        on_line: Callable[[str], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Start `command` in `folder`; `on_line` is called from a thread with each line of its output.

        OSError when the process cannot be started.
        """
        self._clock = clock
        self._on_line = on_line
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            process_group=0,
        )
        assert self._process.stdout is not None, "the output is a pipe"
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), name="output", daemon=True)
        self._reader.start()

    def exit_status(self) -> int | None:
        """The status it ended with (negative: the signal), or None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Send SIGTERM, as the platform does."""
        self._process.terminate()

    def wait(self, *, hurry: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> int:
        """Wait until it has ended, for `patience` seconds or until `hurry`; then kill it. Gives the exit status."""
        deadline = self._clock() + patience
        while self._clock() < deadline and not hurry():
            try:
                self._process.wait(LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        self._kill_group()
        status = self._process.wait()
        self._reader.join(OUTPUT_SECONDS)
        return status

    def _kill_group(self) -> None:
        # Also after a good end: what the child started and left behind would keep its output open.
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _read(self, output: IO[str]) -> None:
        with output:
            while line := output.readline(LINE_CHARACTERS):
                self._on_line(line.rstrip("\n"))
