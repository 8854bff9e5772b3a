"""One run of one connector against the counterpart: started, watched, stopped, judged. Who runs is decided elsewhere.

Like `measurement.py` this runs in the process that starts the children, so nothing large is imported here.
"""

import http.client
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import IO

from benchmarks.children import GLANCE_SECONDS, ROOT, Child, Start
from benchmarks.deliveries import Report
from benchmarks.measurement import BenchmarkError, next_line, running, says_something

_SETTLE_SECONDS = 0.3
_LEAST_PATIENCE_SECONDS = 60.0
_SLOWEST_EVENTS_PER_SECOND = 1000
_REPORT_SECONDS = 120.0
_SAID_AT_THE_END = 600


class Ending(Enum):
    """How a connector ends when it has delivered everything."""

    BY_ITSELF = auto()
    WHEN_ASKED = auto()
    """On SIGTERM, with exit status 0."""

    WHEN_KILLED = auto()
    """It sleeps until its next poll and hears no signal in its sleep."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """Where a connector finds what it needs."""

    base: str

    @property
    def api(self) -> str:
        """The pages."""
        return f"{self.base}/events"

    @property
    def intake(self) -> str:
        """The intake, without `/batch`."""
        return f"{self.base}/intake"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contestant:
    """A connector that is measured.

    Attributes:
        key: short name, for the command line and for programs.
        name: its row in the table.
        start: what is started, from the addresses and an empty folder.
        ending: how it ends.
        watcher: a command that is given `--pid` and watches each run that carries events; empty for none.
    """

    key: str
    name: str
    start: Callable[[Addresses, Path], Start]
    ending: Ending
    watcher: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What one run took.

    Attributes:
        seconds: from the first request to the acknowledgement of the last push.
        cpu: seconds of processor time of the whole process.
        peak: megabytes (10^6 bytes) that it held at most.
        asked_after: seconds from its start to its first request.
        asked_cpu: seconds of processor time up to its first request; of the whole process where that cannot be told.
        report: what its counterpart saw.
    """

    seconds: float
    cpu: float
    peak: float
    asked_after: float
    asked_cpu: float
    report: Report


class Counterpart:
    """The other end, as the process that measures sees it."""

    def __init__(self, output: IO[bytes]) -> None:
        self.output = output
        self._port = int(next_line(output))
        self._run = 0

    def begin(self, *, events: int, latency: float) -> Addresses:
        """Forget the run before and begin another one, at addresses of its own."""
        while self.word(0.0):
            pass
        self._run += 1
        self._ask("POST", "/run", json.dumps({"number": self._run, "events": events, "latency": latency}))
        return Addresses(base=f"http://127.0.0.1:{self._port}/{self._run}")

    def report(self) -> Report:
        """How the run went."""
        return Report(**json.loads(self._ask("GET", "/report")))

    def word(self, seconds: float) -> str:
        """What it says next, or nothing when it says nothing in that time."""
        return self.output.readline().decode().strip() if says_something(self.output, seconds) else ""

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_REPORT_SECONDS)
        try:
            connection.request(method, path, body)
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def counterpart(interpreter: str) -> Iterator[Counterpart]:
    """A counterpart at work, under the interpreter that serves fastest."""
    with running([interpreter, "-m", "benchmarks.event_server"], folder=ROOT) as output:
        yield Counterpart(output)


def trial(contestant: Contestant, other: Counterpart, *, events: int, latency: float, workshop: Path) -> Trial:
    """Run a connector once.

    Raises:
        BenchmarkError: it failed, or took far too long.
    """
    log = workshop / f"{contestant.key}.log"
    with tempfile.TemporaryDirectory(dir=workshop) as folder, log.open("wb") as output:
        start = contestant.start(other.begin(events=events, latency=latency), Path(folder))
        if not Path(start.command[0]).exists():
            raise BenchmarkError("Its environment is not there; `make bench` installs it where it can.")
        child = Child(start, output)
        watcher = _watcher(contestant, child) if events else None
        try:
            patience = _LEAST_PATIENCE_SECONDS + events / _SLOWEST_EVENTS_PER_SECOND
            asked_cpu = _watch(child, other, time.monotonic() + patience)
            failed = _end(child, contestant.ending)
        finally:
            child.send(signal.SIGKILL)
            child.wait(_LEAST_PATIENCE_SECONDS)
            if watcher:
                watcher.wait(_LEAST_PATIENCE_SECONDS)
    report = other.report()
    if failed or not report.requests:
        said = "\n".join([*report.errors, log.read_text(errors="replace")[-_SAID_AT_THE_END:]])
        raise BenchmarkError(f"It did not run to its end (status {child.status}):\n{said}")
    return Trial(
        seconds=max(0.0, report.last_push - report.first_request),
        cpu=child.cpu,
        peak=child.peak,
        asked_after=report.first_request - child.started,
        asked_cpu=asked_cpu if asked_cpu is not None else child.cpu,
        report=report,
    )


def _watcher(contestant: Contestant, child: Child) -> "subprocess.Popen[bytes] | None":
    if not contestant.watcher:
        return None
    return subprocess.Popen([*contestant.watcher, "--pid", str(child.process)], stdin=subprocess.DEVNULL)


def _watch(child: Child, other: Counterpart, deadline: float) -> float | None:
    """Wait until everything is delivered or the connector has ended; the processor time until it asked."""
    asked_cpu = None
    while time.monotonic() < deadline:
        word = other.word(GLANCE_SECONDS)
        if word == "asked":
            asked_cpu = child.cpu_so_far()
        elif word == "delivered" or (not word and child.ended()):
            return asked_cpu
    return asked_cpu


def _end(child: Child, ending: Ending) -> bool:
    """Let a connector end as it should, and tell whether it failed to."""
    if ending is Ending.BY_ITSELF:
        return not child.wait(_LEAST_PATIENCE_SECONDS) or child.status != 0
    # What is done after the last push belongs to the work: remembering it, for example.
    if child.wait(_SETTLE_SECONDS):
        return True
    if ending is Ending.WHEN_KILLED:
        child.send(signal.SIGKILL)
        return False
    child.send(signal.SIGTERM)
    return not child.wait(_LEAST_PATIENCE_SECONDS) or child.status != 0
