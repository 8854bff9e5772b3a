"""What one seed decides: the API and what it shows, how it is read, what goes wrong, and when the process dies."""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

Order = Literal["newest", "oldest", "unsorted", "arrival"]
Style = Literal["cursor", "next_url", "link_header", "page", "offset", "token"]
Bounds = Literal["none", "since", "both", "windows", "local"]
Moment = Literal["time", "page answered", "push read", "push answered"]

START_AGE_SECONDS = 600
"""How far the first window reaches back."""

_TEXTS = (
    "plain",
    "naïve café",
    "日本語のログ",
    "🦊 and \U0001f9d1\u200d\U0001f680",
    'quotes " and \\ and /',
    "line\nfeed\ttab\r",
    "\u0000\u0001\u001f\u007f\u2028",
    "</script>{since}{{x}}",
    "",
    " ",
)
_NUMBERS = (0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 2**64 + 1, 10**30, 0.1, -1.5e-7, 1.7e308)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A record of the API.

    Attributes:
        stream: the stream that shows it, "" when there is only one.
        number: its identity within the stream.
        moment: its event time, in seconds from the beginning of the run.
        appears: when the API begins to show it, likewise.
        rank: its place in the order "unsorted".
        content: what else it holds.
    """

    stream: str
    number: int
    moment: float
    appears: float
    rank: float
    content: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Crash:
    """How a process ends.

    Attributes:
        signal: SIGKILL, or SIGTERM as the platform sends it.
        moment: what it waits for; `time` is the start of the process.
        count: how often that must happen first.
        delay: seconds after it.
        pause: seconds until the next start.
    """

    signal: signal.Signals
    moment: Moment
    count: int
    delay: float
    pause: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """One run, whole; the fields of the configuration have the names of the connector's own."""

    seed: int
    style: Style
    order: Order
    bounds: Bounds
    end_sign: Literal["none", "more", "total"]
    nested: bool
    until_included: bool
    gzip: bool
    ascii_only: bool
    page_size: int
    max_pages: int
    batch_size: int
    compress: bool
    source: str
    since_format: str
    window_minutes: int
    overlap_seconds: int
    settle_seconds: int
    streams: Sequence[str]
    entries: Sequence[Entry]
    api_faults: int
    api_fault_rate: float
    intake_faults: int
    intake_fault_rate: float
    crashes: Sequence[Crash]
    beside: Mapping[str, Any]

    def __str__(self) -> str:
        crashes = ", ".join(
            f"{crash.signal.name} {crash.delay:.2f} s after {crash.moment} {crash.count}" for crash in self.crashes
        )
        return (
            f"{len(self.entries)} records by {self.style}, {self.order} first, bounds {self.bounds} "
            f"(window {self.window_minutes} min, overlap {self.overlap_seconds} s, settle {self.settle_seconds} s), "
            f"end sign {self.end_sign}, pages of {self.page_size} (at most {self.max_pages} per poll), "
            f"batches of {self.batch_size}, {len(self.streams)} streams, faults {self.api_faults} at the API and "
            f"{self.intake_faults} at the intake, crashes: {crashes or 'none'}"
        )


def plan_of(seed: int) -> Plan:
    """The run that belongs to a seed."""
    chance = Random(seed)
    style: Style = chance.choice(("cursor", "next_url", "link_header", "page", "offset", "token"))
    order: Order = "arrival" if style == "token" else chance.choice(("newest", "oldest", "unsorted"))
    bounds: Bounds = "none" if style == "token" else chance.choice(("none", "since", "both", "windows", "local"))
    overlap = chance.randint(2, 12)
    streams = ("",) if chance.random() < 0.7 else ("alpha", "beta")
    entries = _entries(chance, streams, overlap)
    page_size = chance.choice((7, 10, 25, 40, 60))
    most_pages = len(entries) // page_size + 1
    return Plan(
        seed=seed,
        style=style,
        order=order,
        bounds=bounds,
        end_sign=_end_sign(chance, style, order),
        nested=chance.random() < 0.3,
        until_included=chance.random() < 0.5,
        gzip=chance.random() < 0.3,
        ascii_only=chance.random() < 0.5,
        page_size=page_size,
        max_pages=1000 if chance.random() < 0.7 else max(2, most_pages // 3),
        batch_size=chance.choice((3, 10, 25, 100, 1000)),
        compress=chance.random() < 0.5,
        source=chance.choice(("testhttp", "")),
        since_format=chance.choice(("iso8601", "iso8601_ms", "iso8601_us", "epoch", "epoch_ms")),
        window_minutes=chance.randint(1, 4) if bounds == "windows" or (bounds == "local" and seed % 2) else 0,
        overlap_seconds=overlap,
        settle_seconds=chance.choice((0, 0, 1)) if bounds in {"both", "windows", "local"} else 0,
        streams=streams,
        entries=entries,
        api_faults=chance.randint(0, 8),
        api_fault_rate=chance.uniform(0.05, 0.4),
        intake_faults=chance.randint(0, 5),
        intake_fault_rate=chance.uniform(0.1, 0.6),
        crashes=tuple(_crash(chance) for _ in range(chance.choice((1, 1, 2, 2, 3, 4)))),
        # Short records and long ones are found in different ways, and those that hold others alike in a third one.
        beside=chance.choice(({}, {"long": "x" * 600}, {"parts": [{"a": 1}, {"id": 1}], "long": "x" * 600})),
    )


def _end_sign(chance: Random, style: Style, order: Order) -> Literal["none", "more", "total"]:
    """How the last page is told, beside the end of the paging style itself.

    While pages of the newest records first are read, records that arrive push the others to later pages. So many may
    arrive that a page shows only what the one before it showed, which is taken for the end unless a total contradicts.
    """
    if style in {"page", "offset"} and order == "newest":
        return "total"
    if style == "token":
        return "more"
    return chance.choice(("none", "more", "total"))


def _entries(chance: Random, streams: Sequence[str], overlap: int) -> tuple[Entry, ...]:
    entries = []
    arriving, arrival_seconds = chance.uniform(0.05, 0.5), chance.uniform(2, 8)
    for stream in streams:
        for number in range(chance.randint(60, 400) // len(streams)):
            if chance.random() < arriving:
                appears = chance.uniform(0.1, arrival_seconds)
                # Later than the overlap forgives would be the mistake of the configuration.
                late = chance.uniform(0, overlap - 1) if chance.random() < 0.5 else chance.uniform(0, 0.01)
                moment = appears - late
            else:
                appears, moment = 0.0, -chance.uniform(0, START_AGE_SECONDS * 0.7)
            entries.append(
                Entry(
                    stream=stream,
                    number=number,
                    moment=moment,
                    appears=appears,
                    rank=chance.random(),
                    content=_content(chance),
                )
            )
    return tuple(entries)


def _content(chance: Random) -> dict[str, Any]:
    content: dict[str, Any] = {
        "text": chance.choice(_TEXTS),
        "number": chance.choice(_NUMBERS),
        "nested": {"list": [chance.choice(_NUMBERS), None, True, {}], chance.choice(_TEXTS): False},
    }
    if chance.random() < 0.02:
        content["longer"] = chance.choice(_TEXTS[:5]) * 500
    return content


def _crash(chance: Random) -> Crash:
    moment: Moment = chance.choice(("time", "page answered", "push read", "push answered"))
    return Crash(
        signal=signal.SIGTERM if chance.random() < 0.2 else signal.SIGKILL,
        moment=moment,
        count=1 if moment == "time" else chance.randint(1, 8),
        # Starting takes a second or more, and a process may die in it, too.
        delay=chance.uniform(0.3, 4) if moment == "time" else chance.choice((0, 0, 0.002, chance.uniform(0, 0.1))),
        pause=chance.choice((0.0, chance.uniform(0, 1))),
    )
