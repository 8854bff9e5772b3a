"""A tap of the Singer SDK whose messages go to a sink in the same process, which pushes the records.

Called as `python singer_tap.py API_URL INTAKE_URL`. A target in a process of its own would encode and decode each
record once more.
"""

import sys
from typing import Any

from singer_sdk import RESTStream, Tap
from singer_sdk.pagination import JSONPathPaginator
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.messages import Message, RecordMessage

from benchmarks.peers.pushing import BATCH_SIZE, Intake


def of(kind: str) -> dict[str, Any]:
    """The schema of a value that may be missing."""
    return {"type": [kind, "null"]}


def having(**properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object."""
    return {"type": ["object", "null"], "properties": properties}


TEXT, NUMBER, WHOLE, TRUTH = of("string"), of("number"), of("integer"), of("boolean")
RECORD = having(
    id=TEXT,
    time=TEXT,
    version=TEXT,
    action=TEXT,
    outcome=TEXT,
    severity=WHOLE,
    actor=having(id=TEXT, name=TEXT, type=TEXT, roles={"type": "array", "items": TEXT}, mfa=TRUTH),
    client=having(ip=TEXT, port=WHOLE, user_agent=TEXT, geo=having(city=TEXT, lat=NUMBER, country=TEXT)),
    target=having(id=TEXT, type=TEXT, path=TEXT, size=WHOLE, labels=having(confidentiality=TEXT, owner=TEXT)),
    request=having(id=TEXT, trace=TEXT, duration_ms=NUMBER, bytes_sent=WHOLE),
    session=having(id=TEXT, age_seconds=WHOLE, fresh=TRUTH),
    policies={"type": "array", "items": having(name=TEXT, matched=TRUTH, rule=WHOLE)},
    message=TEXT,
    error=TEXT,
)


class EventStream(RESTStream):
    """The pages."""

    name = "events"
    path = ""
    primary_keys = ("id",)
    schema = RECORD
    records_jsonpath = "$.items[*]"

    @property
    def url_base(self) -> str:
        return self.config["api"]

    def get_new_paginator(self) -> JSONPathPaginator:
        return JSONPathPaginator("$.next_cursor")

    def get_url_params(self, context: Any, next_page_token: Any) -> dict[str, Any]:
        cursor = {"cursor": next_page_token} if next_page_token else {}
        return {"limit": BATCH_SIZE, **cursor}


class EventTap(Tap):
    """The tap with its one stream."""

    name = "tap-events"
    config_jsonschema = {"type": "object", "properties": {"api": {"type": "string"}}}  # noqa: RUF012  # as taps do

    def discover_streams(self) -> list[RESTStream]:
        return [EventStream(self)]


class PushingWriter(GenericSingerWriter):
    """Pushes the records of the messages, where other writers print them.

    Args:
        intake: where they go.
    """

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self._intake = intake

    def serialize_message(self, message: Message) -> str:
        raise NotImplementedError("nothing is printed")

    def write_message(self, message: Message) -> None:
        if isinstance(message, RecordMessage):
            self._intake.add(message.record)


def main(api: str, intake_url: str) -> None:
    """Read all pages once."""
    intake = Intake(intake_url)
    EventTap(config={"api": api}, message_writer=PushingWriter(intake)).sync_all()
    intake.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
