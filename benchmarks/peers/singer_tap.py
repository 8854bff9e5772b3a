"""A tap of the Singer SDK whose messages go to a sink in the same process, which pushes the records.

Called as `python singer_tap.py API_URL INTAKE_URL`. A target in a process of its own would encode and decode each
record once more.
"""

import sys
from typing import Any

from singer_sdk import RESTStream, Tap
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.pagination import JSONPathPaginator
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.messages import Message, RecordMessage

from benchmarks.peers.pushing import BATCH_SIZE, Intake


def of(*kinds: str) -> dict[str, Any]:
    """The schema of a value that may be missing."""
    return {"type": [*kinds, "null"]}


TEXTS = ("id", "time", "version", "action", "outcome", "message", "error")
OBJECTS = ("actor", "client", "target", "request", "session")
SCHEMA = {
    "type": "object",
    "properties": {
        **{name: of("string") for name in TEXTS},
        **{name: of("object") for name in OBJECTS},
        "policies": of("array"),
        "severity": of("integer"),
    },
}


class EventStream(RESTStream):
    """The pages."""

    name = "events"
    path = ""
    primary_keys = ("id",)
    schema = SCHEMA
    # The least that it offers: what lies deeper is passed on as it is.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.ROOT_ONLY
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
