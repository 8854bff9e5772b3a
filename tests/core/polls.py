"""Polls as tests run them: every record is delivered at once and remembered."""

from collections.abc import Callable, Sequence
from typing import Any

from httpkit.client import Client
from httpkit.freshness import SeenKeys
from httpkit.pagination import PagingSettings
from httpkit.source import Source, SourceSettings
from httpkit.values import Batch, JsonValue, Request
from tests.fake_api import Answer, Asked, FakeApi


def get(url: str, **fields: Any) -> Request:
    """A GET request as the configuration makes it."""
    return Request(method="GET", url=url, **fields)


def source_of(client: Client, request: Request, *, records_path: str = "items", **paging: Any) -> Source:
    """A source whose paging fields are those of the configuration."""
    settings = SourceSettings(request=request, records_path=records_path, paging=PagingSettings(**paging))
    return Source(settings, client)


def poll(source: Source, seen: SeenKeys) -> list[Batch]:
    """Poll once, delivering and remembering each batch before the next one is taken."""
    batches = []
    for batch in source.poll(seen):
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
