"""Whatever the order, the faults and the crashes: over some polls every record is delivered exactly once."""

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from httpkit.client import Client
from httpkit.clocks import Clocks
from httpkit.errors import HttpkitError, RefusedError, UnavailableError
from httpkit.memory import Memory
from httpkit.source import Source
from httpkit.values import Request, Response
from tests.core.clients import begun
from tests.core.polls import get, source_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
OVERLAP = 300

Order = Literal["newest first", "oldest first", "unsorted"]
Style = Literal["link_header", "next_url", "cursor", "page", "offset"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """A record of the model: it happened at `time` and the API shows it from `arrival` on; seconds since the start."""

    number: int
    time: float
    arrival: float

    @property
    def shuffled(self) -> int:
        """A place in an order that has nothing to do with time."""
        return self.number * 7919 % 101


class CrashError(Exception):
    """The process dies here."""


@dataclass(kw_only=True)
class TimedApi:
    """An API that filters by time and pages, in memory, in the place of a client.

    Attributes:
        second: seconds since the start, the clock of everybody.
        bounded: does it take an end bound?
        faults: numbers of the requests that fail, counted from 0.
        longest: seconds; a longer window is too much for a bounded API, and refused.
        sick: a bounded API fails on windows that hold this moment, until it is well again.
        well_at: when that is.
    """

    style: Style
    order: Order
    size: int
    bounded: bool
    events: list[Event]
    second: float = 0.0
    faults: frozenset[int] = frozenset()
    longest: float = float("inf")
    sick: float | None = None
    well_at: float = 0.0
    requests: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def now(self) -> datetime:
        """The time of day."""
        return BEGIN + timedelta(seconds=self.second)

    def clean(self, text: str) -> str:
        return text

    def begin(self, request: Request) -> Callable[[], Response]:
        """Ask for a page."""
        return begun(self.send, request)

    def send(self, request: Request) -> Response:
        """The page for a request; each takes a little time."""
        self.second += 0.25
        self.requests += 1
        assert self.requests < 20_000, "the poll does not end"
        if self.requests - 1 in self.faults:
            raise UnavailableError("the model fails")
        asked: dict[str, str] = dict(parse_qsl(urlsplit(request.url).query))
        asked.update((name, str(value)) for name, value in request.params.items())
        if self.bounded:
            self._refuse(*(self._second(asked[name]) for name in ("since", "until")))
        shown = self._shown(asked)
        start = (int(asked.get("page", 1)) - 1) * self.size
        start = int(asked.get({"cursor": "cursor", "offset": "offset"}.get(self.style, "start"), start))
        return self._answer(request, asked, shown, start)

    def _refuse(self, since: float, until: float) -> None:
        if until - since > self.longest:
            raise RefusedError("too many results", status=413)
        if self.sick is not None and since <= self.sick <= until and self.second < self.well_at:
            raise UnavailableError("the index is broken", status=500)

    @staticmethod
    def _second(text: str) -> float:
        return (datetime.fromisoformat(text) - BEGIN).total_seconds()

    def _shown(self, asked: dict[str, str]) -> list[Event]:
        """What is there now and lies within the bounds, which are whole seconds."""
        since = self._second(asked["since"])
        until = self._second(asked["until"]) if self.bounded else float("inf")
        there = [one for one in self.events if one.arrival <= self.second and since <= one.time <= until]
        if self.order == "unsorted":
            return sorted(there, key=lambda one: one.shuffled)
        return sorted(there, key=lambda one: one.time, reverse=self.order == "newest first")

    def _answer(self, request: Request, asked: dict[str, str], shown: list[Event], start: int) -> Response:
        end = start + self.size
        bounds = [(name, asked[name]) for name in ("since", "until") if name in asked]
        link = f"/items?{urlencode([*bounds, ('start', str(end))])}" if end < len(shown) else None
        document = {
            "items": [
                {"id": one.number, "time": (BEGIN + timedelta(seconds=one.time)).isoformat()}
                for one in shown[start:end]
            ],
            "next": (end if link else None) if self.style == "cursor" else link,
        }
        return Response(
            status=200,
            reason="OK",
            url=request.url,
            headers={"link": f"<{link}>; rel=next"} if link and self.style == "link_header" else {},
            body=json.dumps(document).encode(),
            elapsed=0.25,
            received_at=self.now(),
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One poll: how long after the one before, which of its requests fail, and after which batch the process dies.

    Attributes:
        faults: numbers of requests, counted from the first one of the poll.
        crash: number of the batch that is delivered but not remembered any more; None is no crash.
    """

    pause: float
    faults: frozenset[int]
    crash: int | None
    restart: bool


@dataclass(kw_only=True)
class Consumer:
    """Reads the model as the connector does: deliver, then remember; a crash leaves only what is on the disk."""

    api: TimedApi
    folder: Path
    bounds: dict[str, str]
    fields: dict[str, Any]
    delivered: Counter[int] = field(default_factory=Counter)
    may_repeat: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the process."""
        clocks = Clocks(monotonic=lambda: self.api.second, now=self.api.now)
        self.source: Source = source_of(
            cast("Client", self.api), get("https://a.test/items", **self.bounds), clocks=clocks, **self.fields
        )
        self.end()
        self.memory = Memory(self.folder, source="the model")

    def end(self) -> None:
        """The process is gone, and with it its hold on the memory."""
        if hasattr(self, "memory"):
            self.memory.close()

    def take(self, step: Step) -> None:
        """One poll, with what befalls it."""
        self.api.second += step.pause
        self.api.faults = frozenset(self.api.requests + number for number in step.faults)
        if step.restart:
            self.start()
        try:
            self.poll(step.crash)
        except CrashError:
            self.start()
        except HttpkitError as error:
            self.memory.remember([], self.source.failed(self.memory.position, error))

    def poll(self, crash: int | None = None) -> None:
        """Read, deliver and remember; die after having delivered the batch of this number."""
        memory = self.memory
        memory.remember([], self.source.opened(memory.position))
        for number, batch in enumerate(self.source.poll(memory.seen, memory.position)):
            numbers = [record.value["id"] for record in batch.records]
            self.delivered.update(numbers)
            if number == crash:
                self.may_repeat.update(numbers)
                raise CrashError
            memory.remember([record.key for record in batch.records], batch.position)

    def catch_up(self, second: float) -> None:
        """Poll, without faults, until all up to a second was read."""
        self.api.faults = frozenset()
        self.api.second = max(self.api.second, second)
        while not self._is_done(BEGIN + timedelta(seconds=second)):
            # A gap is tried again after an hour, and then less and less often.
            self.api.second += 90_000 if self.memory.position.gaps else 60
            self.take(Step(pause=0.0, faults=frozenset(), crash=None, restart=False))

    def _is_done(self, until: datetime) -> bool:
        position = self.memory.position
        return not (position.window or position.gaps or not position.watermark or position.watermark < until)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events over two hours; some come late, by less than the overlap."""
    # A second is lost to bounds that are whole seconds, and some to the requests themselves.
    lateness = st.one_of(st.just(0.0), st.floats(0, OVERLAP - 10))
    times = draw(st.lists(st.tuples(st.floats(0, 7200), lateness), max_size=25))
    return [Event(number=number, time=time, arrival=time + late) for number, (time, late) in enumerate(times)]


steps = st.builds(
    Step,
    pause=st.floats(0, 1500),
    faults=st.frozensets(st.integers(0, 9), max_size=3),
    crash=st.one_of(st.none(), st.integers(0, 4)),
    restart=st.booleans(),
)


@st.composite
def sources(draw: st.DrawFn, events: Sequence[Event], style: Style) -> tuple[TimedApi, dict[str, Any]]:
    """An API, and settings that describe it truly."""
    order: Order = draw(st.sampled_from(["newest first", "oldest first", "unsorted"]))
    api = TimedApi(
        style=style,
        order=order,
        size=draw(st.integers(1, 6)),
        bounded=draw(st.booleans()),
        events=list(events),
        longest=draw(st.sampled_from([float("inf"), float("inf"), 1800.0])),
        sick=draw(st.one_of(st.none(), st.none(), st.floats(0, 7200))),
        well_at=draw(st.floats(0, 20_000)),
    )
    fields: dict[str, Any] = {
        "pagination": style,
        "next_path": "next" if style in {"next_url", "cursor"} else "",
        "start_from": draw(st.sampled_from(["2026-01-01", "1 minute"])),
        "overlap_seconds": OVERLAP,
        "settle_seconds": draw(st.sampled_from([0, 60])),
        "window_minutes": draw(st.sampled_from([0, 0, 3, 20])),
        "max_pages": draw(st.sampled_from([1, 3, 1000])),
        "timestamp_path": "time",
        "only_in_window": draw(st.booleans()),
    }
    return api, fields


@pytest.mark.timeout(300)
@pytest.mark.parametrize("style", ["link_header", "next_url", "cursor", "page", "offset"])
@given(data=st.data(), events=histories(), first=steps, history=st.lists(steps, max_size=8))
@settings(max_examples=200)
def test_every_record_is_delivered_once_whatever_befalls_the_polls(
    style: Style, data: st.DataObject, events: list[Event], first: Step, history: list[Step]
) -> None:
    api, fields = data.draw(sources(events, style))
    with tempfile.TemporaryDirectory() as folder:
        bounds = {"since_parameter": "since", "until_parameter": "until" if api.bounded else ""}
        consumer = Consumer(api=api, folder=Path(folder), bounds=bounds, fields=fields)
        for step in [replace(first, pause=0.0), *history]:
            consumer.take(step)
        consumer.catch_up(7200 + OVERLAP)
        consumer.end()

    assert set(consumer.delivered) == {event.number for event in events}
    repeated = {number for number, times in consumer.delivered.items() if times > 1}
    assert repeated <= consumer.may_repeat
