"""Polls as tests run them: every record is delivered at once and remembered."""

from collections.abc import Callable, Sequence
from typing import Any

from httpkit.client import Client
from httpkit.clocks import SYSTEM_CLOCKS
from httpkit.freshness import SeenKeys
from httpkit.paging_styles import PagingSettings
from httpkit.records import RecordSettings
from httpkit.request_templates import RequestSettings
from httpkit.shaping import ShapingSettings
from httpkit.source import Source
from httpkit.source_settings import SourceSettings
from httpkit.values import Batch, JsonValue, Position
from httpkit.windows import WindowSettings
from tests.fake_api import Answer, Asked, FakeApi


def get(url: str, **fields: Any) -> RequestSettings:
    """A GET request as the configuration makes it."""
    return RequestSettings(url=url, **fields)


def source_of(client: Client, request: RequestSettings, *, records_path: str = "items", **fields: Any) -> Source:
    """A source; the fields are those of the configuration, whatever group they are in."""
    groups: dict[str, Any] = {"paging": PagingSettings, "windows": WindowSettings, "shaping": ShapingSettings}
    own = {
        name: group(**{one: fields.pop(one) for one in group.__struct_fields__ if one in fields})
        for name, group in groups.items()
    }
    records = RecordSettings(
        records_path=[records_path] if records_path else [],
        response_format=fields.pop("response_format", "auto"),
        required_path=fields.pop("required_path", ""),
    )
    clocks = fields.pop("clocks", SYSTEM_CLOCKS)
    return Source(SourceSettings(request=request, records=records, **own, **fields), client, clocks=clocks)


def poll(source: Source, seen: SeenKeys, position: Position | None = None) -> list[Batch]:
    """Poll once, delivering and remembering each batch before the next one is taken."""
    batches = []
    for batch in source.poll(seen, position or Position()):
        seen.add(record.key for record in batch.records)
        batches.append(batch)
    return batches


def records_of(batches: Sequence[Batch]) -> list[JsonValue]:
    """The records of some batches, in order."""
    return [record.value for batch in batches for record in batch.records]


def items(*ids: int) -> list[dict[str, int]]:
    """Records with these identities."""
    return [{"id": number} for number in ids]


def in_turn(*answers: Answer) -> Callable[[Asked], Answer]:
    """A handler that gives one answer after the other, and then the last one for ever."""
    waiting = list(answers)
    return lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def page(*ids: int, **fields: Any) -> Answer:
    """An answer with some records and, beside them, what the API says about paging."""
    return Answer(json={"items": items(*ids), **fields})


def read(
    api: FakeApi, client: Client, *, path: str = "/items", request: dict[str, Any] | None = None, **paging: Any
) -> list[Any]:
    """The identities that one poll with an empty memory gives."""
    source = source_of(client, get(f"{api.url}{path}", **(request or {})), **paging)
    return [record["id"] for record in records_of(poll(source, SeenKeys()))]
