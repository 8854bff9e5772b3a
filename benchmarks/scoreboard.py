"""What the samples of a comparison say: medians, the table, the bars and the document. Nothing is run here."""

import json
import os
import statistics
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.measurement import Usage
from benchmarks.pages import PAGE_SIZE
from benchmarks.trials import Contestant, Trial

_BAR_WIDTH = 50


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Scenario:
    """What a run is given: the latency of each request in seconds, and how many events."""

    latency: float
    events: int

    @property
    def title(self) -> str:
        """As people say it."""
        return f"{self.latency * 1000:.0f} ms, {short(self.events)}"

    @property
    def heading(self) -> str:
        """As it stands above a column."""
        return self.title.replace(", ", "\n")


@dataclass(kw_only=True, slots=True)
class Row:
    """All runs of one contestant."""

    contestant: Contestant
    empty: list[Trial] = field(default_factory=list)
    """Runs against an API without events."""

    full: dict[Scenario, list[Trial]] = field(default_factory=dict)
    failure: str = ""
    """Why it was given up."""

    def add(self, scenario: Scenario, trial: Trial) -> None:
        """Note a run."""
        if scenario.events:
            self.full.setdefault(scenario, []).append(trial)
        else:
            self.empty.append(trial)

    @property
    def faults(self) -> list[str]:
        """What was wrong with its deliveries, each once."""
        runs = [trial for trials in self.full.values() for trial in trials]
        return list(dict.fromkeys(fault for trial in runs for fault in trial.report.faults))

    def speed(self, scenario: Scenario) -> float | None:
        """Events per second."""
        trials = self.full.get(scenario)
        return statistics.median(scenario.events / trial.seconds for trial in trials) if trials else None

    def cpu_per_million(self, scenario: Scenario) -> float | None:
        """Seconds of processor time for a million events, without what an empty run takes."""
        trials = self.full.get(scenario)
        if not trials or not self.empty:
            return None
        start = statistics.median(trial.cpu for trial in self.empty)
        return (statistics.median(trial.cpu for trial in trials) - start) / scenario.events * 1e6

    def peak(self, scenario: Scenario) -> float | None:
        """Megabytes of memory."""
        trials = self.full.get(scenario)
        return statistics.median(trial.peak for trial in trials) if trials else None

    def counterpart_cpu(self, scenario: Scenario) -> float | None:
        """Seconds of processor time that the other end took for a run."""
        trials = self.full.get(scenario)
        return statistics.median(trial.report.own_cpu for trial in trials) if trials else None

    @property
    def start_seconds(self) -> float | None:
        """Seconds from the start to the first request."""
        return statistics.median(trial.asked_after for trial in self.empty) if self.empty else None

    @property
    def start_cpu(self) -> float | None:
        """Seconds of processor time from the start to the first request."""
        return statistics.median(trial.asked_cpu for trial in self.empty) if self.empty else None


@dataclass(kw_only=True, slots=True)
class Comparison:
    """All that was measured."""

    scenarios: list[Scenario]
    rows: list[Row]
    sdk: list[Usage] = field(default_factory=list)
    """The import of the SDK alone."""

    def row(self, key: str) -> Row | None:
        """The row of a contestant that was measured and delivered rightly."""
        return next((row for row in self.rows if row.contestant.key == key and row.empty and not row.faults), None)

    @property
    def sdk_peak(self) -> float:
        """Megabytes of memory that the import of the SDK takes."""
        return statistics.median(usage.peak for usage in self.sdk)

    @property
    def sdk_cpu(self) -> float:
        """Seconds of processor time that the import of the SDK takes."""
        return statistics.median(usage.cpu for usage in self.sdk)

    def of_latency(self, waiting: bool) -> list[Scenario]:
        """The scenarios with or without latency, the one with most events last."""
        return sorted(scenario for scenario in self.scenarios if (scenario.latency > 0) == waiting)


def short(events: int) -> str:
    """A number of events as people say it."""
    return f"{events / 1e6:g} M" if events >= 1_000_000 else f"{events / 1e3:g} k"


def table_of(comparison: Comparison) -> Table:
    """The medians."""
    busy = comparison.of_latency(False)
    counts = sorted({len(trials) for row in comparison.rows for trials in row.full.values()} or {0})
    runs = " or ".join(map(str, counts))
    title = "Connectors, one run each" if counts == [1] else f"Connectors, medians of {runs} runs"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("what", no_wrap=True)
    headings = [f"events/s\n{scenario.heading}" for scenario in comparison.scenarios]
    headings += [f"CPU s/M\n{scenario.heading}" for scenario in comparison.scenarios]
    headings += [f"peak MB\n{scenario.heading}" for scenario in busy]
    for heading in (*headings, "asks\nafter s", "CPU s\ntill then"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in comparison.rows:
        if not row.failure:
            table.add_row(
                row.contestant.name + (" (invalid)" if row.faults else ""),
                *(_shown(row.speed(scenario), ",.0f") for scenario in comparison.scenarios),
                *(_shown(row.cpu_per_million(scenario), ".1f") for scenario in comparison.scenarios),
                *(_shown(row.peak(scenario), ".0f") for scenario in busy),
                _shown(row.start_seconds, ".2f"),
                _shown(row.start_cpu, ".2f"),
            )
    if comparison.sdk:
        before = [""] * (2 * len(comparison.scenarios))
        peaks = [f"{comparison.sdk_peak:.0f}"] * len(busy)
        table.add_row("SDK import alone", *before, *peaks, "", f"{comparison.sdk_cpu:.2f}")
    return table


def bars_of(comparison: Comparison) -> Iterator[RenderableType]:
    """One line for each row and latency, as long as it is fast."""
    for waiting in (False, True):
        for scenario in comparison.of_latency(waiting)[-1:]:
            speeds = {row.contestant.name: row.speed(scenario) or 0.0 for row in comparison.rows}
            most = max(speeds.values(), default=0.0) or 1.0
            yield Text(f"\nevents/s, {scenario.title} events", style="bold")
            for name, speed in speeds.items():
                if speed:
                    yield Text(f"{name:>28} {'█' * max(1, round(_BAR_WIDTH * speed / most))} {speed:,.0f}")


def notes_of(comparison: Comparison) -> Iterator[str]:
    """What must be known beside the numbers."""
    for scenario in comparison.of_latency(False)[-1:]:
        costs = [cost for cost in (row.counterpart_cpu(scenario) for row in comparison.rows) if cost]
        if costs:
            yield f"The API and intake alone would carry {scenario.events / max(costs):,.0f} events/s or more."
    for scenario in comparison.of_latency(True)[-1:]:
        # A page tells where the next one is, and the last push follows the last page.
        most = scenario.events / ((scenario.events / PAGE_SIZE + 1) * scenario.latency)
        seed = comparison.row("seed")
        speed = seed.speed(scenario) if seed else None
        ratio = f", which is {most / speed:.2f} over {seed.contestant.name}" if seed and speed else ""
        yield f"At {scenario.title} events no connector can carry more than {most:,.0f} events/s{ratio}."
    for row in comparison.rows:
        if row.failure:
            yield f"{row.contestant.name}: not measured. {row.failure}"
        for fault in row.faults:
            yield f"{row.contestant.name}: INVALID, {fault}"


def shown(comparison: Comparison, targets: Iterator[str]) -> Group:
    """Everything, as it is printed."""
    lines = [Text(line) for line in (*notes_of(comparison), *targets)]
    return Group(table_of(comparison), *bars_of(comparison), Text(""), *lines)


def document_of(comparison: Comparison) -> str:
    """All samples as JSON, for programs."""
    rows = [
        {
            "key": row.contestant.key,
            "name": row.contestant.name,
            "failure": row.failure,
            "empty": [asdict(trial) for trial in row.empty],
            "scenarios": [
                {
                    **asdict(scenario),
                    "events_per_second": row.speed(scenario),
                    "cpu_seconds_per_million": row.cpu_per_million(scenario),
                    "peak_megabytes": row.peak(scenario),
                    "samples": [asdict(trial) for trial in trials],
                }
                for scenario, trials in row.full.items()
            ],
        }
        for row in comparison.rows
    ]
    sdk = [asdict(usage) for usage in comparison.sdk]
    facts = {"python": sys.version.split()[0], "cores": os.cpu_count(), "sdk_import": sdk, "rows": rows}
    return json.dumps(facts, indent=2) + "\n"


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
