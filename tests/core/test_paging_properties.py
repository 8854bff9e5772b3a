"""Whatever the API does at its end, every record comes exactly once and every poll ends."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st

from httpkit.client import Client
from httpkit.errors import UnavailableError
from httpkit.freshness import SeenKeys
from httpkit.source import Source
from httpkit.values import Position, Request, Response
from tests.core.clients import begun
from tests.core.polls import get, source_of

Style = Literal["link_header", "next_url", "cursor", "page", "offset"]
End = Literal["stops", "empty", "repeats", "loops"]


@dataclass(kw_only=True)
class ModelApi:
    """A paged API in memory, in the place of a client.

    Attributes:
        size: records on a page, unless fewer are asked for.
        end: what comes after the last page: nothing, an empty page, the last page again, or the first one.
        fail_at: number of the request that fails, counted from 1.
    """

    style: Style
    size: int
    end: End
    records: list[int] = field(default_factory=list)
    requests: int = 0
    fail_at: int | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def clean(self, text: str) -> str:
        return text

    def begin(self, request: Request) -> Callable[[], Response]:
        """Ask for a page."""
        return begun(self.send, request)

    def send(self, request: Request) -> Response:
        """The page for a request."""
        self.requests += 1
        assert self.requests < 1000, "the poll does not end"
        if self.requests == self.fail_at:
            raise UnavailableError("the model fails")
        parts = urlsplit(request.url)
        asked = {**dict(parse_qsl(parts.query)), **{name: str(value) for name, value in request.params.items()}}
        start, size = self._place(asked)
        following = self._following(start, size)
        link = f"/items?{urlencode({'start': following, 'limit': size})}"
        document = {
            "items": [{"id": number} for number in self.records[start : start + size]],
            "next": None if following is None else str(following) if self.style == "cursor" else link,
            "total": len(self.records),
            "more": start + size < len(self.records),
        }
        return Response(
            status=200,
            reason="OK",
            url=request.url,
            headers={"link": f"<{link}>; rel=next"} if following is not None and self.style == "link_header" else {},
            body=json.dumps(document).encode(),
            elapsed=0.0,
            received_at=datetime.now(UTC),
        )

    def _place(self, asked: dict[str, str]) -> tuple[int, int]:
        """Where the page starts, and how many records it may have."""
        size = min(self.size, int(asked.get("limit", self.size)))
        if self.style == "page":
            start = (int(asked["page"]) - 1) * size
        else:
            start = int(asked.get({"cursor": "cursor", "offset": "offset"}.get(self.style, "start"), 0))
        count = len(self.records)
        if start < count or not count:
            return start, size
        if self.end == "repeats":
            return (count - 1) // size * size, size
        return (0 if self.end == "loops" else start), size

    def _following(self, start: int, size: int) -> int | None:
        """Where the page that the answer names starts."""
        count = len(self.records)
        if start + size < count:
            return start + size
        if start >= count:
            return None
        return {"stops": None, "empty": count, "repeats": start, "loops": 0}[self.end]


styles: st.SearchStrategy[Style] = st.sampled_from(["link_header", "next_url", "cursor", "page", "offset"])
ends: st.SearchStrategy[End] = st.sampled_from(["stops", "empty", "repeats", "loops"])


@st.composite
def apis(draw: st.DrawFn) -> tuple[ModelApi, dict[str, Any]]:
    """An API, and settings that describe it truly."""
    api = ModelApi(style=draw(styles), size=draw(st.integers(1, 7)), end=draw(ends))
    paging: dict[str, Any] = {"pagination": api.style}
    if api.style in {"next_url", "cursor"}:
        paging["next_path"] = "next"
    if draw(st.booleans()):
        paging |= {"total_path": "total"}
    if draw(st.booleans()):
        paging |= {"has_more_path": "more"}
    if draw(st.booleans()):
        asked = draw(st.integers(1, 10))
        paging |= {"page_size": asked, "page_size_parameter": "limit"}
        # A short page is a sign of the end only where the server gives as many records as it is asked for.
        paging |= {"stop_on_short_page": asked <= api.size and draw(st.booleans())}
    return api, paging


def poll_each(source: Source, seen: SeenKeys) -> Iterator[int]:
    """The identities of one poll, each delivered and remembered at once."""
    for batch in source.poll(seen, Position()):
        seen.add(record.key for record in batch.records)
        yield from (record.value["id"] for record in batch.records)


def source_on(api: ModelApi, paging: dict[str, Any]) -> Source:
    """A source that reads the model."""
    return source_of(cast("Client", api), get("https://api.example.com/items"), **paging)


@given(apis(), st.lists(st.integers(0, 25), min_size=1, max_size=4))
@settings(max_examples=200)
def test_each_record_of_a_growing_api_is_given_once_and_each_poll_ends(
    described: tuple[ModelApi, dict[str, Any]], growth: Sequence[int]
) -> None:
    api, paging = described
    source, seen = source_on(api, paging), SeenKeys()
    for more in growth:
        old = len(api.records)
        api.records += range(old, old + more)
        api.requests = 0

        assert list(poll_each(source, seen)) == api.records[old:]
        assert api.requests <= len(api.records) + 12


@given(apis(), st.lists(st.integers(0, 25), min_size=1, max_size=4))
def test_new_records_may_come_before_the_old_ones(
    described: tuple[ModelApi, dict[str, Any]], growth: Sequence[int]
) -> None:
    api, paging = described
    source, seen = source_on(api, paging), SeenKeys()
    for more in growth:
        new = list(range(len(api.records), len(api.records) + more))
        api.records = new + api.records

        assert list(poll_each(source, seen)) == new


@given(apis(), st.integers(0, 40), st.integers(1, 20))
def test_a_poll_after_a_failed_one_gives_what_is_missing(
    described: tuple[ModelApi, dict[str, Any]], count: int, fail_at: int
) -> None:
    api, paging = described
    api.records, api.fail_at = list(range(count)), fail_at
    source, seen, delivered = source_on(api, paging), SeenKeys(), list[int]()
    with suppress(UnavailableError):
        for number in poll_each(source, seen):
            delivered.append(number)
    api.fail_at = None

    assert delivered + list(poll_each(source, seen)) == api.records
