"""Sekoia.io's side of a running component: callback, secrets and logs; the intake is in `intake.py`.

Source: the requests that sekoia-automation-sdk 1.27 makes (`action.py`, `trigger.py`, `account_validator.py`).
"""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from relay.errors import ConflictError, UnauthorizedError
from relay.sekoia import wire
from relay.sekoia.body import decode, read_body
from relay.store import LogLine, Run, Store

REPORT_EXAMPLE = '{"status": "running", "need_secrets": true} or {"status": "finished", "results": {...}}'
EVENT_EXAMPLE = '{"name": "...", "event": {...}, "request_id": "..."}'
LOGS_EXAMPLE = '{"logs": [{"date": "...", "level": "info", "message": "..."}]}'


def create_router(store: Store) -> APIRouter:
    """Give the routes that a component calls with the bearer token of its run."""
    router = APIRouter()

    @router.patch("/callback")
    async def report(request: Request) -> Mapping[str, object]:
        run = await run_in_threadpool(_run_of, store, request)
        message: wire.Report = decode(
            await read_body(request),
            wire.Report,  # type: ignore[arg-type]  # mypy does not take a union for a type
            expected=REPORT_EXAMPLE,
        )
        return await run_in_threadpool(_note, store, run, message)

    @router.post("/callback")
    async def start_playbook(request: Request) -> Mapping[str, object]:
        run = await run_in_threadpool(_run_of, store, request)
        sent = decode(await read_body(request), wire.TriggerEvent, expected=EVENT_EXAMPLE)
        await run_in_threadpool(
            store.add_playbook_run,
            run.id,
            name=sent.name,
            event=sent.event,
            request_id=sent.request_id,
            directory=sent.directory,
        )
        return {}

    @router.get("/secrets")
    def secrets(request: Request) -> Mapping[str, object]:
        run = _run_of(store, request)
        if run.status == "opened":
            # A trigger or connector never says that it runs; asking for its secrets is its first sign of life.
            store.start_run(run.id)
        return {"value": store.secrets_of(run.id), "node_value": {}}

    @router.post("/logs")
    async def keep_logs(request: Request) -> Mapping[str, object]:
        run = await run_in_threadpool(_run_of, store, request)
        sent = decode(await read_body(request), wire.LogDelivery, expected=LOGS_EXAMPLE)
        lines = [LogLine(date=entry.date, level=entry.level, message=entry.message) for entry in sent.logs]
        await run_in_threadpool(store.add_logs, run.id, lines)
        return {}

    return router


def _note(store: Store, run: Run, message: wire.Report) -> Mapping[str, object]:
    match message:
        case wire.Running():
            store.start_run(run.id)
            # The account validator reads the secrets without having asked for them.
            return {"module_configuration": {"value": store.secrets_of(run.id)}}
        case wire.Finished(results=results, error=error, logs=logs):
            if not store.finish_run(run.id, results=results, error=error, logs=logs):
                raise ConflictError("status: this run has finished before; its first report is kept")
            return {}


def _run_of(store: Store, request: Request) -> Run:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthorizedError("Authorization: the token is missing; send `Bearer <token of the run>`")
    run = store.run_of_token(token.strip())
    if run is None:
        raise UnauthorizedError("Authorization: this token belongs to no run; use the one the relay printed")
    return run
