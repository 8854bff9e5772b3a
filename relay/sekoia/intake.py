"""Sekoia.io's HTTP intake: keys, formats, limits and answers; how a body is read is in `body.py`.

Source: Sekoia.io's pages on HTTPS ingestion (formatting options, compression). Where the pages are silent on a refused
event, `statuses` lists one entry per event, in the order sent, when at least one was refused.
"""

import base64
import binascii
from collections.abc import Sequence

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from relay.errors import MalformedError, TooLargeError, UnauthorizedError, WrongShapeError
from relay.sekoia import wire
from relay.sekoia.body import decode, read_body
from relay.store import Intake, Store

EVENT_LIMIT_BYTES = 250_000
LONGEST_CHARACTER_BYTES = 4

SINGLE_EXAMPLE = '{"intake_key": "...", "json": "the event as a string"}'
BATCH_EXAMPLE = '{"intake_key": "...", "jsons": ["an event as a string", ...]}'
ARRAY_EXAMPLE = '[{"intake_key": "...", "json": "the event as a string"}, ...]'
JSONS_EXAMPLE = "a list of events, or an object with one at `?path=$.name.name`"


def create_router(store: Store) -> APIRouter:
    """Give the intake's six endpoints; the bare address takes a single event."""
    router = APIRouter()

    @router.post("")
    @router.post("/")
    async def single(request: Request) -> Response:
        body = await read_body(request)
        return await run_in_threadpool(_take_single, store, body)

    @router.post("/batch")
    async def batch(request: Request) -> Response:
        body = await read_body(request)
        return await run_in_threadpool(_take_batch, store, body)

    @router.post("/array")
    async def array(request: Request) -> Response:
        body = await read_body(request)
        return await run_in_threadpool(_take_array, store, body)

    @router.post("/plain")
    async def plain(request: Request) -> Response:
        intake = await run_in_threadpool(_intake_of, store, _key_beside_the_body(request))
        body = await read_body(request)
        return await run_in_threadpool(_keep_one, store, intake, _plain_text(body))

    @router.post("/plain/batch")
    async def lines(request: Request) -> Response:
        intake = await run_in_threadpool(_intake_of, store, _key_beside_the_body(request))
        body = await read_body(request)
        texts = [line for line in _plain_text(body).replace("\r\n", "\n").split("\n") if line]
        return await run_in_threadpool(_keep, store, [(intake, text) for text in texts])

    @router.post("/jsons")
    async def jsons(request: Request) -> Response:
        intake = await run_in_threadpool(_intake_of, store, _key_beside_the_body(request))
        body = await read_body(request)
        return await run_in_threadpool(_take_jsons, store, intake, body, request.query_params.get("path", "$"))

    return router


def _take_single(store: Store, body: bytes) -> Response:
    sent = decode(body, wire.SingleEvent, expected=SINGLE_EXAMPLE)
    return _keep_one(store, _intake_of(store, sent.intake_key), sent.text)


def _take_batch(store: Store, body: bytes) -> Response:
    sent = decode(body, wire.EventBatch, expected=BATCH_EXAMPLE)
    intake = _intake_of(store, sent.intake_key)
    return _keep(store, [(intake, text) for text in sent.jsons])


def _take_array(store: Store, body: bytes) -> Response:
    sent = decode(body, list[wire.SingleEvent], expected=ARRAY_EXAMPLE)
    intakes = {key: _intake_of(store, key) for key in {one.intake_key for one in sent}}
    return _keep(store, [(intakes[one.intake_key], one.text) for one in sent])


def _take_jsons(store: Store, intake: Intake, body: bytes, path: str) -> Response:
    found = decode(_value_at(body, path), list[msgspec.Raw], expected=JSONS_EXAMPLE)
    return _keep(store, [(intake, _event_text(raw)) for raw in found])


def _value_at(body: bytes, path: str) -> bytes | msgspec.Raw:
    """Walk a path of plain names (`$.a.b`) into the body; the value found stays unparsed."""
    root, *names = path.split(".")
    if root != "$" or not all(names):
        raise WrongShapeError("path: only `$` followed by names is read; write it like $.data.events")
    value: bytes | msgspec.Raw = body
    for name in names:
        members = decode(value, dict[str, msgspec.Raw], expected=f"an object with the member `{name}` of the path")
        if name not in members:
            raise WrongShapeError(f"path: the body has no `{name}` there; correct the path or the body")
        value = members[name]
    return value


def _event_text(raw: msgspec.Raw) -> str:
    """Give a JSON string's content, and any other JSON value as it was written."""
    text = bytes(raw)
    if text.startswith(b'"'):
        return decode(text, str, expected=JSONS_EXAMPLE)
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("body: it is not UTF-8; send JSON in UTF-8") from error


def _plain_text(body: bytes) -> str:
    # A log line in an older character set is kept readable rather than refused.
    return body.decode("utf-8", "backslashreplace")


def _keep_one(store: Store, intake: Intake, text: str) -> Response:
    if not text:
        raise WrongShapeError("event: it is empty; send one event")
    if not _fits(text):
        raise TooLargeError(_refusal())
    return _answer({"event_id": store.add_events(intake.id, [text])[0]})


def _keep(store: Store, events: Sequence[tuple[Intake, str]]) -> Response:
    """Store what fits, each intake's events in one transaction, and answer in the order sent."""
    places: dict[int, list[int]] = {}
    for place, (intake, text) in enumerate(events):
        if _fits(text):
            places.setdefault(intake.id, []).append(place)
    if events and not places:
        raise TooLargeError(_refusal())
    ids: dict[int, str] = {}
    for intake_id, chosen in places.items():
        ids.update(zip(chosen, store.add_events(intake_id, [events[place][1] for place in chosen]), strict=True))
    answer: dict[str, object] = {"event_ids": [ids[place] for place in sorted(ids)]}
    if len(ids) < len(events):
        answer["statuses"] = [_status(ids.get(place)) for place in range(len(events))]
    return _answer(answer)


def _status(event_id: str | None) -> dict[str, object]:
    return {"status": 413, "error": _refusal()} if event_id is None else {"status": 200, "event_id": event_id}


def _fits(text: str) -> bool:
    # Encoding is only worth its time when the length in characters leaves a doubt.
    return len(text) * LONGEST_CHARACTER_BYTES <= EVENT_LIMIT_BYTES or len(text.encode()) <= EVENT_LIMIT_BYTES


def _refusal() -> str:
    return f"event: it is over {EVENT_LIMIT_BYTES} bytes in UTF-8; shorten it"


def _answer(content: dict[str, object]) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


def _intake_of(store: Store, key: str | None) -> Intake:
    if not key:
        raise UnauthorizedError("intake_key: it is missing; send it as header X-SEKOIAIO-INTAKE-KEY")
    intake = store.intake_of_key(key)
    if intake is None:
        raise UnauthorizedError("intake_key: no intake has this key; use the one the relay printed")
    return intake


def _key_beside_the_body(request: Request) -> str | None:
    """Find the key in the header, the password of Basic authentication or the query string, in this order."""
    return (
        request.headers.get("x-sekoiaio-intake-key")
        or _basic_password(request.headers.get("authorization", ""))
        or request.query_params.get("intake_key")
    )


def _basic_password(authorization: str) -> str | None:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return None
