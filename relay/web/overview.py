"""One bounded picture of what the relay holds, as the page polls it; how it is drawn lives in `static/`."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from relay.store import PlaybookRun, Run, Store, StoredEvent, StoredLog

LATEST = 20
"""Rows per list."""
TEXT_CHARACTERS = 8_000
"""Longest text of one row: the picture is fetched every second, so its size has a bound."""
BUCKET_SECONDS = 5
RATE_BUCKETS = 120
"""Ten minutes of `BUCKET_SECONDS`."""


class Shown(BaseModel):
    """What all parts of the picture share: they never change once taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ShownTotals(Shown):
    """How much arrived since the database was created."""

    events: int
    event_bytes: int
    playbook_runs: int
    log_lines: int
    components: int


class ShownComponent(Shown):
    """One run of a component and how far it is."""

    id: int
    component: str
    state: Literal["opened", "running", "finished", "failed"]
    error: str | None
    opened_at: datetime
    finished_at: datetime | None


class ShownEvent(Shown):
    """One event of an intake; `cut` says that `text` is only its beginning."""

    id: str
    intake: str
    received_at: datetime
    text: str
    cut: bool


class ShownPlaybookRun(Shown):
    """One playbook run that a trigger asked for, its event as JSON text."""

    request_id: str
    received_at: datetime
    name: str
    text: str
    cut: bool


class ShownLog(Shown):
    """One log line that a component sent."""

    date: datetime
    component: str
    level: str
    message: str


class ShownRate(Shown):
    """Events received per bucket, oldest first; quiet buckets are zeros and the last one is still filling."""

    start: datetime
    bucket_seconds: int
    counts: list[int]


class Overview(Shown):
    """Everything the page shows, taken at one moment."""

    at: datetime
    totals: ShownTotals
    components: list[ShownComponent]
    events: list[ShownEvent]
    playbook_runs: list[ShownPlaybookRun]
    logs: list[ShownLog]
    rate: ShownRate


def take_overview(store: Store, at: datetime) -> Overview:
    """Read the picture from the store; `at` is the aware moment that ends the rate."""
    totals = store.totals()
    return Overview(
        at=at,
        totals=ShownTotals(
            events=totals.events,
            event_bytes=totals.event_bytes,
            playbook_runs=totals.playbook_runs,
            log_lines=totals.log_lines,
            components=totals.runs,
        ),
        components=_components(store.runs()),
        events=[_event(event) for event in store.latest_events(LATEST)],
        playbook_runs=[_playbook_run(run) for run in store.latest_playbook_runs(LATEST)],
        logs=[_log(line) for line in store.latest_logs(LATEST)],
        rate=_rate(store, at),
    )


def _components(runs: Iterable[Run]) -> list[ShownComponent]:
    newest = sorted(runs, key=lambda run: run.id, reverse=True)[:LATEST]
    return [
        ShownComponent(
            id=run.id,
            component=run.component,
            state="failed" if run.error else run.status,
            error=_beginning(run.error) if run.error else None,
            opened_at=run.opened_at,
            finished_at=run.finished_at,
        )
        for run in newest
    ]


def _event(event: StoredEvent) -> ShownEvent:
    return ShownEvent(
        id=event.id,
        intake=event.intake,
        received_at=event.received_at,
        text=_beginning(event.text),
        cut=len(event.text) > TEXT_CHARACTERS,
    )


def _playbook_run(run: PlaybookRun) -> ShownPlaybookRun:
    text = json.dumps(run.event, ensure_ascii=False)
    return ShownPlaybookRun(
        request_id=run.request_id,
        received_at=run.received_at,
        name=run.name,
        text=_beginning(text),
        cut=len(text) > TEXT_CHARACTERS,
    )


def _log(line: StoredLog) -> ShownLog:
    return ShownLog(date=line.date, component=line.component, level=line.level, message=_beginning(line.message))


def _rate(store: Store, at: datetime) -> ShownRate:
    # Aligned to whole buckets since 1970, so that a bar keeps its place and its count from one poll to the next.
    last = int(at.timestamp()) // BUCKET_SECONDS * BUCKET_SECONDS
    start = datetime.fromtimestamp(last, UTC) - timedelta(seconds=BUCKET_SECONDS * (RATE_BUCKETS - 1))
    counts = [0] * RATE_BUCKETS
    for bucket, count in store.event_counts(since=start, bucket_seconds=BUCKET_SECONDS):
        position = int((bucket - start).total_seconds()) // BUCKET_SECONDS
        if 0 <= position < RATE_BUCKETS:
            counts[position] = count
    return ShownRate(start=start, bucket_seconds=BUCKET_SECONDS, counts=counts)


def _beginning(text: str) -> str:
    return text[:TEXT_CHARACTERS]
