"""What modules and senders of events put on the wire to Sekoia.io, as typed structures; no behaviour lives here.

Source: the requests that sekoia-automation-sdk 1.27 makes, and Sekoia.io's page on HTTPS formatting options.
Unknown fields are ignored, because newer SDKs may add some.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

DEEPEST_NESTING = 100


class Running(Struct, frozen=True, kw_only=True, tag_field="status", tag="running"):
    """An action or an account validator says that it has started."""

    need_secrets: bool = False


class Finished(Struct, frozen=True, kw_only=True, tag_field="status", tag="finished"):
    """An action or an account validator says how it ended."""

    results: object = None
    error: str | None = None
    logs: str | None = None
    outputs: dict[str, bool] = {}

    def __post_init__(self) -> None:
        _require_flat_enough("results", self.results)


Report = Running | Finished


class TriggerEvent(Struct, frozen=True, kw_only=True):
    """A trigger starts a playbook run; a retry comes with the same `request_id`."""

    name: str
    event: dict[str, object]
    request_id: str
    directory: str | None = None

    def __post_init__(self) -> None:
        _require_flat_enough("event", self.event)


class LogEntry(Struct, frozen=True, kw_only=True):
    """One log line; the SDK writes its dates in UTC without saying so."""

    date: datetime | None = None
    level: Annotated[str, Meta(min_length=1, max_length=32)]
    message: str

    def __post_init__(self) -> None:
        # At the calendar's edges a time zone moves the moment out of what a datetime can hold.
        if self.date is not None and not 1 < self.date.year < 9999:
            raise ValueError("date: the year must lie between 2 and 9998")


class LogDelivery(Struct, frozen=True, kw_only=True):
    """A batch of log lines."""

    logs: list[LogEntry]


class EventBatch(Struct, frozen=True, kw_only=True):
    """`POST /batch`: events under one key, each as a string."""

    intake_key: str
    jsons: list[str]


class SingleEvent(Struct, frozen=True, kw_only=True):
    """`POST /` and one element of `POST /array`: an event with the key it belongs to."""

    intake_key: str
    text: str = field(name="json")


def _require_flat_enough(name: str, value: object) -> None:
    # What is kept is written and read again by recursive encoders, which give up on deep values.
    level = [value]
    for _ in range(DEEPEST_NESTING):
        level = [member for container in level for member in _members(container)]
        if not level:
            return
    raise ValueError(f"{name}: it is nested over {DEEPEST_NESTING} levels; flatten it or send it as text")


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
