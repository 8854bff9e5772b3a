"""Connectors side by side: how fast each carries events from an API to an intake, and what it takes for that.

`make bench` runs it. Runs take turns, so that whatever else the machine does disturbs all of them alike.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.children import ROOT, clean_environment
from benchmarks.measurement import BenchmarkError, measured
from benchmarks.pages import PAGE_SIZE
from benchmarks.roster import PEER_INTERPRETER, SDK_IMPORT, Roster
from benchmarks.scoreboard import Comparison, Row, Scenario, document_of, shown
from benchmarks.targets import COMPARED, targets_of
from benchmarks.trials import Counterpart, counterpart, trial

EMPTY = Scenario(latency=0.05, events=0)
"""Its latency lets a connector wait for its first answer while its processor time is read."""

LEAST_STARTS = 9
"""Of the rows whose processor time is compared: a start takes as much of it as some ten thousand events."""

LEAST_RUNS = 5
"""Of the same rows, where nothing waits: who lives from the caches is a fifth slower whenever others use them."""

PICTURE = ROOT / "docs" / "performance.png"
LEAST_WIDTH = 140
"""Of the output; a table cut into slices cannot be read."""

QUICK = (Scenario(latency=0.0, events=100_000), Scenario(latency=0.05, events=100_000))
FULL = (
    Scenario(latency=0.0, events=50_000),
    Scenario(latency=0.0, events=1_000_000),
    Scenario(latency=0.05, events=100_000),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the command line asks for."""

    scenarios: list[Scenario]
    rounds: int
    only: list[str]
    document: Path | None
    picture: Path | None
    profile: Path | None

    def takes(self, key: str) -> bool:
        """Is a contestant wanted? `ours` stands for `ours-plain` too."""
        return not self.only or any(key == name or key.startswith(f"{name}-") for name in self.only)


class Contest:
    """A comparison under way.

    Args:
        wanted: what is compared.
        other: the counterpart at work.
        workshop: a folder for what the children write.

    Raises:
        BenchmarkError: none of the wanted rows exists.
    """

    def __init__(self, wanted: Wanted, other: Counterpart, workshop: Path) -> None:
        roster = Roster(workshop, profile=wanted.profile)
        everyone = list(roster.contestants())
        rows = [Row(contestant=one) for one in everyone if wanted.takes(one.key)]
        if not rows:
            raise BenchmarkError(f"--only names no row; there are {', '.join(one.key for one in everyone)}")
        self.comparison = Comparison(scenarios=wanted.scenarios, rows=rows)
        self._wanted = wanted
        self._other = other
        self._workshop = workshop

    def turns(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Each run to make: its name and how to make it. The first runs of all only warm up."""
        measures_ours = any(row.contestant.key.startswith("ours") for row in self.comparison.rows)
        if measures_ours:
            yield "SDK import, warming up", partial(self._import_sdk, kept=False)
        yield from self._runs(self.comparison.rows, EMPTY, "warming up", kept=False)
        for turn in range(self._wanted.rounds):
            shift = turn % max(1, len(self.comparison.rows))
            rows = self.comparison.rows[shift:] + self.comparison.rows[:shift]
            for start in range(self._times(LEAST_STARTS)):
                if measures_ours:
                    yield "SDK import alone", partial(self._import_sdk, kept=True)
                yield from self._runs(rows if start == 0 else compared(rows), EMPTY, "no events")
            for scenario in self.comparison.scenarios:
                for run in range(1 if scenario.latency else self._times(LEAST_RUNS)):
                    yield from self._runs(rows if run == 0 else compared(rows), scenario, scenario.title)

    def _times(self, least: int) -> int:
        """How often in each round, so that it is done so many times in all."""
        return -(-least // self._wanted.rounds)

    def _runs(
        self, rows: Iterable[Row], scenario: Scenario, title: str, *, kept: bool = True
    ) -> Iterator[tuple[str, Callable[[], None]]]:
        for row in rows:
            yield f"{row.contestant.name}, {title}", partial(self._run, row, scenario, kept=kept)

    def _import_sdk(self, *, kept: bool) -> None:
        output = self._workshop / "import.log"
        usage = measured(
            [sys.executable, *SDK_IMPORT],
            folder=self._workshop,
            environment=clean_environment(self._workshop),
            output=output,
        )
        if kept:
            # Its last breath, in which all modules are taken down, is no part of a start.
            self.comparison.sdk.append(replace(usage, cpu=float(output.read_text())))

    def _run(self, row: Row, scenario: Scenario, *, kept: bool = True) -> None:
        if row.failure:
            return
        try:
            sample = trial(
                row.contestant,
                self._other,
                events=scenario.events,
                latency=scenario.latency,
                workshop=self._workshop,
            )
        except BenchmarkError as error:
            row.failure = str(error)
            return
        if kept:
            row.add(scenario, sample)


def compared(rows: Iterable[Row]) -> list[Row]:
    """Those of which the processor time is compared."""
    return [row for row in rows if row.contestant.key in COMPARED]


def compare(wanted: Wanted) -> Comparison:
    """Measure everything that is wanted, showing how far it is."""
    fastest = str(PEER_INTERPRETER) if PEER_INTERPRETER.exists() else sys.executable
    with tempfile.TemporaryDirectory() as folder, counterpart(fastest) as other:
        contest = Contest(wanted, other, Path(folder))
        turns = list(contest.turns())
        for run in shown_progress(turns):
            run()
    return contest.comparison


def shown_progress(turns: list[tuple[str, Callable[[], None]]]) -> Iterator[Callable[[], None]]:
    """Give the runs in turn and show how far they are: a bar in a terminal, otherwise a line for each."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(turns))
        for place, (name, run) in enumerate(turns, start=1):
            progress.update(task, description=name)
            if not console.is_terminal:
                console.print(f"{place}/{len(turns)} {name}", highlight=False)
            yield run
            progress.advance(task)


def draw(document: str, picture: Path) -> None:
    """Draw the picture, in the environment that has Matplotlib.

    Raises:
        BenchmarkError: it could not be drawn.
    """
    command = [str(PEER_INTERPRETER), str(ROOT / "benchmarks" / "plot.py"), str(picture)]
    try:
        subprocess.run(command, input=document, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchmarkError(f"--plot: {picture} could not be drawn ({error}); run: make bench") from error


def read_command_line(arguments: list[str]) -> Wanted:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="make bench", description="Connectors side by side.")
    parser.add_argument("--full", action="store_true", help="50 k to 1 M events; about 40 minutes instead of five")
    parser.add_argument("--only", default="", metavar="KEYS", help="rows to measure, as in --only ours,seed")
    parser.add_argument("--events", type=int, action="append", metavar="N", help="events of a run; may be repeated")
    parser.add_argument("--latency", type=int, action="append", metavar="MS", help="of each request; may be repeated")
    parser.add_argument("--rounds", type=int, metavar="N", help="runs of each; the table holds their medians")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE too")
    parser.add_argument(
        "--plot", type=Path, nargs="?", const=PICTURE, metavar="FILE", help="draw a PNG; default: docs/performance.png"
    )
    parser.add_argument("--profile", type=Path, metavar="FILE", help="flame graph (SVG) of our last run")
    given = parser.parse_args(arguments)
    for events in given.events or []:
        if events < PAGE_SIZE or events % PAGE_SIZE:
            parser.error(f"--events {events}: give a multiple of {PAGE_SIZE}, the size of a page")
    standard = FULL if given.full else QUICK
    scenarios = list(standard)
    if given.events or given.latency:
        latencies = [latency / 1000 for latency in given.latency or (0, 50)]
        counts = given.events or sorted({scenario.events for scenario in standard})
        scenarios = [Scenario(latency=latency, events=events) for latency in latencies for events in counts]
    return Wanted(
        scenarios=scenarios,
        rounds=given.rounds or (3 if given.full else 1),
        only=[name for name in given.only.split(",") if name],
        document=given.json,
        picture=given.plot.resolve() if given.plot else None,
        profile=given.profile.resolve() if given.profile else None,
    )


def main(arguments: list[str]) -> int:
    """Compare as the command line says, show the result, and give the exit status."""
    wanted = read_command_line(arguments)
    try:
        comparison = compare(wanted)
        targets = (str(target) for target in targets_of(comparison))
        Console(width=max(Console().width, LEAST_WIDTH)).print(shown(comparison, targets))
        document = document_of(comparison)
        if wanted.document:
            wanted.document.write_text(document, encoding="utf-8")
        if wanted.picture:
            draw(document, wanted.picture)
    except BenchmarkError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
