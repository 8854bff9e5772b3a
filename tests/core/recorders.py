"""A log of events that is polled as a component does, with what is delivered of it and what goes wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from httpkit.client import Client
from httpkit.errors import HttpkitError
from httpkit.freshness import SeenKeys
from httpkit.source import Source
from httpkit.values import Position
from tests.core.clocks import Clock
from tests.core.polls import get, source_of
from tests.fake_api import Answer, Asked, FakeApi

Refusal = Callable[[datetime, datetime], Answer | None]

START = datetime(2026, 1, 1, tzinfo=UTC)
BOUNDS = {"since_parameter": "since", "until_parameter": "until"}


def moment_of(number: int) -> datetime:
    """When an event of the log happened: one a minute, and never on a whole second."""
    return START + timedelta(minutes=number, seconds=0.5)


class Recorder:
    """Polls a source as a component does, and keeps what it delivers and what goes wrong."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.seen = SeenKeys()
        self.position = Position()
        self.delivered: list[int] = []
        self.errors: list[str] = []

    def poll(self, times: int = 1) -> None:
        """Poll, deliver and remember."""
        for _ in range(times):
            self.position = self.source.opened(self.position)
            try:
                for batch in self.source.poll(self.seen, self.position):
                    self.delivered += [record.value["id"] for record in batch.records]
                    self.seen.add(record.key for record in batch.records)
                    self.position = batch.position
            except HttpkitError as error:
                self.errors.append(error.message)
                self.position = self.source.failed(self.position, error)


class Log:
    """An API of events, one a minute from the start on, that cannot answer every question.

    Attributes:
        refuses: decides from the bounds whether a question is refused, and how.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.refuses: Refusal = lambda since, until: None

    def __call__(self, asked: Asked) -> Answer:
        since = datetime.fromisoformat(asked.params["since"])
        until = datetime.fromisoformat(asked.params.get("until", self.clock.now.isoformat()))
        refused = self.refuses(since, until)
        if refused is not None:
            return refused
        minutes = range(int((self.clock.now - START).total_seconds() // 60))
        shown = [n for n in minutes if since <= moment_of(n) <= until]
        return Answer(json={"items": [{"id": n} for n in shown]})


def too_large(most: timedelta) -> Refusal:
    """Refuses windows that are longer than allowed."""
    return lambda since, until: Answer(status=413) if until - since > most else None


def poisoned(moment: datetime, status: int = 500) -> Refusal:
    """Refuses windows in which there is a certain moment."""
    return lambda since, until: Answer(status=status) if since <= moment <= until else None


def recorder_of(api: FakeApi, client: Client, clock: Clock, **fields: Any) -> Recorder:
    """Reads the log from its start, two hours before the clock."""
    request = get(api.url, **fields.pop("request", BOUNDS))
    settings = {"start_from": "2026-01-01", "overlap_seconds": 0, **fields}
    return Recorder(source_of(client, request, clocks=clock.clocks, **settings))
