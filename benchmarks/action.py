"""Time and memory of one `Request`, from the start of its process to the PATCH that ends it, beside two comparisons.

`make bench ARGS=action` runs it: the module of this repository, the action of Sekoia.io's tutorial, and the import of
the SDK that both start with. Runs take turns, so that whatever else the machine does disturbs all of them alike.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.counterpart import FinalReport
from benchmarks.measurement import BenchmarkError, measured, next_line, running
from benchmarks.tutorial import write_tutorial

ROOT = Path(__file__).resolve().parent.parent
LAUNCHER = ROOT / "relay" / "sekoia" / "launcher.py"
SIZES = {"1 KB": 1_000, "1 MB": 1_000_000, "50 MB": 50_000_000}
LEAST_ROUNDS = 7
SDK_ONLY = "SDK import alone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What one run took: seconds until the result arrived, seconds until the process had ended, and the rest."""

    result: float
    end: float
    cpu: float
    peak: float
    report: float
    """Megabytes of the PATCH that ended the action."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contestant:
    """Something that is measured: its row in the table, and how it is run once."""

    name: str
    answer: str
    run: Callable[[], Sample]


class Workshop:
    """Where the children run: the address and the reports of their counterpart, and a folder for what they write."""

    def __init__(self, folder: Path, counterpart: IO[bytes]) -> None:
        self._folder = folder
        self._output = folder / "output.txt"
        self._counterpart = counterpart
        self._url = f"http://127.0.0.1:{int(next_line(counterpart))}"

    def contestants(self) -> Iterator[Contestant]:
        """All that is compared, in the order of the table."""
        tutorial = write_tutorial(self._folder / "tutorial")
        yield Contestant(name=SDK_ONLY, answer="", run=self._import_sdk)
        for answer, size in SIZES.items():
            for name, module in (("tutorial", tutorial), ("this module", ROOT)):
                yield Contestant(name=name, answer=answer, run=partial(self._request, module, size))

    def _import_sdk(self) -> Sample:
        command = [sys.executable, "-c", "import sekoia_automation.action"]
        usage = measured(command, folder=self._folder, environment=self._environment(), output=self._output)
        return Sample(result=usage.wall, end=usage.wall, cpu=usage.cpu, peak=usage.peak, report=0.0)

    def _request(self, module: Path, size: int) -> Sample:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            command = [sys.executable, str(LAUNCHER), folder, "Request"]
            usage = measured(command, folder=module, environment=self._environment(size), output=self._output)
        final = FinalReport(**json.loads(next_line(self._counterpart)))
        if final.error or final.status_code != 200:
            raise BenchmarkError(f"the action of {module} did not succeed: {final.error or final.status_code}")
        return Sample(
            result=final.moment - usage.started,
            end=usage.wall,
            cpu=usage.cpu,
            peak=usage.peak,
            report=final.size / 1e6,
        )

    def _environment(self, size: int = 0) -> dict[str, str]:
        """What the platform sets, and nothing of the user's shell, which could change what is measured."""
        arguments = {"url": f"{self._url}/answer/{size}", "method": "get"}
        return {
            "PATH": os.defpath,
            "TMPDIR": str(self._folder),
            # Compiled once and kept, as in the image, whatever the user's shell says.
            "PYTHONPYCACHEPREFIX": str(self._folder / "bytecode"),
            "TOKEN": "benchmark",
            "URL_CALLBACK": f"{self._url}/callback",
            "MODULE_CONFIGURATION": json.dumps({"api_key": "asked for", "allow_private_networks": True}),
            "ARGUMENTS": json.dumps(arguments),
        }


@contextmanager
def workshop() -> Iterator[Workshop]:
    """A counterpart at work and an empty folder."""
    command = [sys.executable, "-m", "benchmarks.counterpart"]
    with tempfile.TemporaryDirectory() as folder, running(command, folder=ROOT) as output:
        yield Workshop(Path(folder), output)


def take_turns(contestants: list[Contestant], rounds: int, advance: Callable[[], None]) -> list[list[Sample]]:
    """The samples of each contestant; the first round only warms up, and each round starts with another one."""
    samples: list[list[Sample]] = [[] for _ in contestants]
    places = list(range(len(contestants)))
    for turn in range(rounds + 1):
        shift = turn % len(places)
        for place in places[shift:] + places[:shift]:
            sample = contestants[place].run()
            if turn:
                samples[place].append(sample)
            advance()
    return samples


def median(samples: list[Sample]) -> Sample:
    """The median of each number by itself."""
    names = [field.name for field in fields(Sample)]
    return Sample(**{name: statistics.median(getattr(sample, name) for sample in samples) for name in names})


def table_of(contestants: list[Contestant], medians: list[Sample], rounds: int) -> Table:
    """The medians as they are shown."""
    table = Table(title=f"One Request, median of {rounds} runs", title_justify="left")
    table.add_column("what")
    for heading in ("answer", "result after s", "ended after s", "CPU s", "peak MB", "sent MB"):
        table.add_column(heading, justify="right")
    for contestant, sample in zip(contestants, medians, strict=True):
        acting = contestant.name != SDK_ONLY
        table.add_row(
            contestant.name,
            contestant.answer,
            f"{sample.result:.2f}" if acting else "",
            f"{sample.end:.2f}",
            f"{sample.cpu:.2f}",
            f"{sample.peak:.0f}",
            f"{sample.report:.1f}" if acting else "",
        )
    return table


def document_of(contestants: list[Contestant], samples: list[list[Sample]]) -> str:
    """All samples as JSON, for programs."""
    rows = [
        {
            "name": contestant.name,
            "answer": contestant.answer,
            "median": asdict(median(own)),
            "samples": [asdict(sample) for sample in own],
        }
        for contestant, own in zip(contestants, samples, strict=True)
    ]
    return json.dumps({"python": sys.version.split()[0], "cores": os.cpu_count(), "rows": rows}, indent=2) + "\n"


def compare(rounds: int, document: Path | None) -> None:
    """Measure everything, show the table, and write the document where one is wanted."""
    console = Console()
    with workshop() as place, Progress(console=console, transient=True) as progress:
        contestants = list(place.contestants())
        task = progress.add_task("Measuring", total=len(contestants) * (rounds + 1))
        samples = take_turns(contestants, rounds, lambda: progress.advance(task))
    console.print(table_of(contestants, [median(own) for own in samples], rounds))
    if document:
        document.write_text(document_of(contestants, samples), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Read the command line, compare, and give the exit status."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=action", description="Time and memory of one Request.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE too")
    parser.add_argument("--rounds", type=int, default=LEAST_ROUNDS, help="runs of each (default and least: 7)")
    given = parser.parse_args(arguments)
    if given.rounds < LEAST_ROUNDS:
        parser.error(f"--rounds must be {LEAST_ROUNDS} or more; medians of fewer runs say little")
    try:
        compare(given.rounds, given.json)
    except BenchmarkError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
