"""The sample API: one audit log paged in five ways, and a short list of entries; failures are in `failures.py`."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from relay.errors import MalformedError, UnauthorizedError
from relay.sample import wire
from relay.sample.audit_log import AuditLog, latest_entries
from relay.sample.failures import DEFAULT_SECONDS, KNOWN_FAILURES, Sleep, failing_route
from relay.store import utc_now

Clock = Callable[[], datetime]

SEED = "testhttp"

GUIDE: Mapping[str, object] = {
    "what": "an audit log that gains two records per second, paged in five ways",
    "authentication": "Authorization: Bearer <any text>; none for /sample/entries",
    "parameters": {
        "limit": f"records per page, {wire.DEFAULT_LIMIT} by default, at most {wire.LARGEST_LIMIT}",
        "since": "only records at or after this date (ISO 8601 with a zone)",
        "until": "only records before this date",
        "fail": f"answer badly, one of {', '.join(KNOWN_FAILURES)}",
        "seconds": f"how long fail=slow takes, {DEFAULT_SECONDS:g} by default",
    },
    "addresses": {
        "/sample/link": {"pagination": "link_header", "records_path": ""},
        "/sample/next": {"pagination": "next_url", "records_path": "items", "next_path": "next"},
        "/sample/cursor": {
            "pagination": "cursor",
            "records_path": "data",
            "next_path": "next_cursor",
            "next_parameter": "cursor",
        },
        "/sample/page": {
            "pagination": "page",
            "records_path": "results",
            "page_parameter": "page",
            "first_page": 1,
            "total_path": "total",
        },
        "/sample/offset": {
            "pagination": "offset",
            "records_path": "records",
            "offset_parameter": "offset",
            "total_path": "total",
        },
        "/sample/entries": {"pagination": "none", "records_path": ""},
    },
}


def _require_bearer(request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthorizedError("Authorization: it is missing; send `Bearer ` and any text")


SIGNED_IN = [Depends(_require_bearer)]


def create_router(*, now: Clock = utc_now, sleep: Sleep = asyncio.sleep) -> APIRouter:
    """Give the sample's routes; the log starts with 120 records at the moment of this call."""
    router = APIRouter(route_class=failing_route(sleep))
    log = AuditLog(seed=SEED, started=now())

    @router.get("")
    @router.get("/")
    def guide() -> Response:
        return _json(GUIDE)

    @router.get("/entries")
    def entries() -> Response:
        return _json(latest_entries(SEED, now()))

    _page_by_token(router, log, now)
    _page_by_number(router, log, now)
    return router


def _page_by_token(router: APIRouter, log: AuditLog, now: Clock) -> None:
    @router.get("/link", dependencies=SIGNED_IN)
    def by_link(request: Request, query: Annotated[wire.CursorQuery, Query()]) -> Response:
        start, stop, end = _span_from_cursor(log, query, now())
        answer = _json(log.records(start, stop))
        if stop < end:
            answer.headers["Link"] = f'<{_address_of(request, stop)}>; rel="next"'
        return answer

    @router.get("/next", dependencies=SIGNED_IN)
    def by_next_url(request: Request, query: Annotated[wire.CursorQuery, Query()]) -> Response:
        start, stop, end = _span_from_cursor(log, query, now())
        following = _address_of(request, stop) if stop < end else None
        return _json(wire.NextAnswer(items=log.records(start, stop), next=following))

    @router.get("/cursor", dependencies=SIGNED_IN)
    def by_cursor(query: Annotated[wire.CursorQuery, Query()]) -> Response:
        start, stop, end = _span_from_cursor(log, query, now())
        following = _to_cursor(stop) if stop < end else None
        return _json(wire.CursorAnswer(data=log.records(start, stop), next_cursor=following))


def _page_by_number(router: APIRouter, log: AuditLog, now: Clock) -> None:
    @router.get("/page", dependencies=SIGNED_IN)
    def by_page(query: Annotated[wire.PageQuery, Query()]) -> Response:
        low, end = _bounds(log, query, now())
        start = min(low + (query.page - 1) * query.limit, end)
        records = log.records(start, min(start + query.limit, end))
        pages = -(-(end - low) // query.limit)
        return _json(wire.PageAnswer(results=records, page=query.page, pages=pages, total=end - low))

    @router.get("/offset", dependencies=SIGNED_IN)
    def by_offset(query: Annotated[wire.OffsetQuery, Query()]) -> Response:
        low, end = _bounds(log, query, now())
        start = min(low + query.offset, end)
        records = log.records(start, min(start + query.limit, end))
        answer = wire.OffsetAnswer(records=records, offset=query.offset, limit=query.limit, total=end - low)
        return _json(answer)


def _bounds(log: AuditLog, query: wire.LogQuery, now: datetime) -> tuple[int, int]:
    """Give the numbers of the first record asked for and of the one after the last."""
    low = log.first if query.since is None else max(log.first, log.number_at(query.since))
    end = log.end(now) if query.until is None else min(log.end(now), log.number_at(query.until))
    return low, max(low, end)


def _span_from_cursor(log: AuditLog, query: wire.CursorQuery, now: datetime) -> tuple[int, int, int]:
    """Give the numbers where this page starts and stops, and where the records asked for end."""
    low, end = _bounds(log, query, now)
    start = low if query.cursor is None else min(max(low, _from_cursor(query.cursor)), end)
    return start, min(start + query.limit, end), end


def _to_cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"from:{number}".encode()).decode().rstrip("=")


def _from_cursor(cursor: str) -> int:
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        mark, _, number = base64.urlsafe_b64decode(padded).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        mark, number = "", ""
    if mark != "from" or not number.isdigit() or len(number) > len(str(wire.LARGEST_NUMBER)):
        raise MalformedError("cursor: it was not handed out here; start again without it")
    return int(number)


def _address_of(request: Request, number: int) -> str:
    return str(request.url.include_query_params(cursor=_to_cursor(number)))


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
