"""One child process, measured: its time, its processor time and its largest memory.

This process must stay smaller than the children: Linux counts its memory, too, as theirs, because a child shares it
until its own program starts. So nothing large is imported here.
"""

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PATIENCE_SECONDS = 60.0
MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024


class BenchmarkError(Exception):
    """What was measured did not do what it should, so its numbers mean nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a process took.

    Attributes:
        started: moment on the monotonic clock at which it was asked for.
        wall: seconds until it had ended.
        cpu: seconds of processor time, in the program and in the kernel.
        peak: megabytes (10^6 bytes) of memory that it held at most.
    """

    started: float
    wall: float
    cpu: float
    peak: float


def measured(command: Sequence[str], *, folder: Path, environment: Mapping[str, str], output: Path) -> Usage:
    """Run a command to its end in `folder`; what it writes goes to the file `output`.

    Raises:
        BenchmarkError: it failed; the error holds the end of what it wrote.
    """
    with output.open("wb") as file:
        started = time.monotonic()
        # Not `with`: the process is waited for below, where its usage is asked for.
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)} failed:\n{output.read_text(errors='replace')[-2000:]}")
    return Usage(
        started=started,
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss * MEMORY_UNIT / 1e6,
    )


@contextmanager
def running(command: Sequence[str], *, folder: Path) -> Iterator[IO[bytes]]:
    """Run a command beside what is measured, and end it afterwards; gives its output, which is not buffered."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None, "the output is a pipe"
        try:
            yield process.stdout
        finally:
            process.terminate()


def says_something(output: IO[bytes], seconds: float) -> bool:
    """Is there something to read within so many seconds?"""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        return bool(selector.select(seconds))


def next_line(output: IO[bytes]) -> bytes:
    """The next line of a running command.

    Raises:
        BenchmarkError: there is none in time.
    """
    line = output.readline() if says_something(output, _PATIENCE_SECONDS) else b""
    if not line:
        raise BenchmarkError("nothing was reported in time; run it again")
    return line
