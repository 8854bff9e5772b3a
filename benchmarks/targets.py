"""What this connector should reach beside the others, as ratios within one comparison; a miss is shown, no error."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.scoreboard import Comparison, Row, Scenario

COMPARED = frozenset({"ours", "ours-plain", "seed"})
"""Rows of which the processor time is compared."""

_TWO_SIDED = 0.10


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One promise: what it is about, what was reached, and between which bounds that should lie."""

    what: str
    value: float
    least: float | None = None
    most: float | None = None
    form: str = ".1f"

    @property
    def met(self) -> bool:
        """Is the value within its bounds?"""
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    def __str__(self) -> str:
        bounds = [f"at least {self.least:g}"] if self.least is not None else []
        bounds += [f"at most {self.most:g}"] if self.most is not None else []
        mark = "pass" if self.met else "MISS"
        return f"{mark}  {self.what}: {self.value:{self.form}} ({' and '.join(bounds)})"


def targets_of(comparison: Comparison) -> Iterator[Target]:
    """The targets that can be told from what was measured, with and without gzip."""
    for key in ("ours", "ours-plain"):
        ours = comparison.row(key)
        if ours is None:
            continue
        for scenario in comparison.of_latency(False)[-1:]:
            yield from _when_nothing_waits(comparison, ours, scenario)
        for scenario in comparison.of_latency(True)[-1:]:
            yield from _faster(comparison, ours, "seed", scenario, 2.6)
        yield from _memory(comparison, ours)
        if comparison.sdk and ours.start_cpu is not None:
            yield Target(
                what=f"{ours.contestant.name}: CPU to the first request over the import of the SDK",
                value=ours.start_cpu / comparison.sdk_cpu,
                most=1.1,
                form=".2f",
            )


def _when_nothing_waits(comparison: Comparison, ours: Row, scenario: Scenario) -> Iterator[Target]:
    for key, least in (("seed", 6.0), ("bare", 0.5), ("dlt", 10.0), ("airbyte", 10.0)):
        yield from _faster(comparison, ours, key, scenario, least)
    seed = comparison.row("seed")
    theirs = seed.cpu_per_million(scenario) if seed else None
    own = ours.cpu_per_million(scenario)
    if theirs and own:
        yield Target(
            what=f"{ours.contestant.name}: CPU per event over that of the tutorial's",
            value=own / theirs,
            most=0.2,
            form=".2f",
        )


def _faster(comparison: Comparison, ours: Row, key: str, scenario: Scenario, least: float) -> Iterator[Target]:
    other = comparison.row(key)
    theirs = other.speed(scenario) if other else None
    own = ours.speed(scenario)
    if other and theirs and own:
        name = other.contestant.name
        what = f"{ours.contestant.name}: events/s at {scenario.title} events over {name}"
        yield Target(what=what, value=own / theirs, least=least, form=".2f")


def _memory(comparison: Comparison, ours: Row) -> Iterator[Target]:
    busy = comparison.of_latency(False)
    peaks = [peak for peak in (ours.peak(scenario) for scenario in busy) if peak is not None]
    if peaks and comparison.sdk:
        what = f"{ours.contestant.name}: peak MB over that of the import of the SDK"
        yield Target(what=what, value=max(peaks) - comparison.sdk_peak, most=40.0)
    if len(peaks) > 1:
        what = f"{ours.contestant.name}: peak at {busy[-1].title} events over that at {busy[0].title}"
        yield Target(what=what, value=peaks[-1] / peaks[0], least=1 - _TWO_SIDED, most=1 + _TWO_SIDED, form=".2f")
