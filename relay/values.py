"""The frozen values that the store takes and gives; no behaviour lives here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

RunStatus = Literal["opened", "running", "finished"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One component that may talk to the relay, with what it reported; all times are aware UTC."""

    id: int
    component: str
    status: RunStatus
    results: object
    error: str | None
    logs: str | None
    opened_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Intake:
    """One place where events arrive; its key is known by hash only."""

    id: int
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """A log line as a component sent it; a naive `date` is UTC, None means the moment of arrival."""

    date: datetime | None
    level: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredLog:
    """A log line as it is shown, with the component that wrote it."""

    date: datetime
    component: str
    level: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEvent:
    """An event that an intake accepted: its uuid, the intake's name, and its text as received."""

    id: str
    intake: str
    received_at: datetime
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaybookRun:
    """A trigger event, which starts one playbook run."""

    received_at: datetime
    component: str
    name: str
    event: object
    request_id: str
    directory: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """Counts of everything held; `event_bytes` counts the UTF-8 bytes of the events."""

    events: int
    event_bytes: int
    playbook_runs: int
    log_lines: int
    actions_finished: int
    runs: int


Secrets = Mapping[str, object]
