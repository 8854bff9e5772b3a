"""Failures on demand, asked for with `?fail=`: what an API does on a bad day; good answers are made in `routes.py`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from relay.errors import MalformedError

Sleep = Callable[[float], Awaitable[None]]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]

DEFAULT_SECONDS = 3.0
LONGEST_SECONDS = 60.0
DRIPS = 10
KNOWN_FAILURES = ("500", "429", "slow", "truncated", "html", "invalid")
LOGIN_PAGE = "<!doctype html><title>Sign in</title><h1>Your session has ended</h1><form><input name=user></form>"


def failing_route(sleep: Sleep) -> type[APIRoute]:
    """Give a route class whose routes fail when the query says `fail=`; `sleep` paces the slow answer, in seconds."""

    class FailingRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            succeed = super().get_route_handler()

            async def answer(request: Request) -> Response:
                return await _answer(request, succeed, sleep)

            return answer

    return FailingRoute


async def _answer(request: Request, succeed: Handler, sleep: Sleep) -> Response:
    how = request.query_params.get("fail")
    if how is None:
        return await succeed(request)
    if how in ("slow", "truncated"):
        return _hamper(await succeed(request), how, _seconds(request), sleep)
    return _replace(how)


def _hamper(answer: Response, how: str, seconds: float, sleep: Sleep) -> Response:
    return _drip(answer, seconds, sleep) if how == "slow" else TruncatedResponse(answer)


def _replace(how: str) -> Response:
    match how:
        case "500":
            return JSONResponse({"error": "the audit log is broken, as asked for"}, status_code=500)
        case "429":
            refusal = {"error": "too many requests, as asked for; wait as Retry-After says"}
            return JSONResponse(refusal, status_code=429, headers={"Retry-After": "2"})
        case "html":
            return HTMLResponse(LOGIN_PAGE)
        case "invalid":
            return Response('{"records": [{"id": "log-', media_type="application/json")
        case _:
            raise MalformedError(f"fail: this failure is not known; known are {', '.join(KNOWN_FAILURES)}")


def _seconds(request: Request) -> float:
    try:
        seconds = float(request.query_params.get("seconds", DEFAULT_SECONDS))
    except ValueError:
        seconds = -1.0
    if 0 <= seconds <= LONGEST_SECONDS:
        return seconds
    raise MalformedError(f"seconds: it is no number from 0 to {LONGEST_SECONDS:g}; correct it or leave it out")


def _drip(answer: Response, seconds: float, sleep: Sleep) -> Response:
    body = bytes(answer.body)
    size = max(1, -(-len(body) // DRIPS))

    async def drops() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            await sleep(seconds / DRIPS)
            yield body[start : start + size]

    return StreamingResponse(drops(), status_code=answer.status_code, headers=dict(answer.headers))


class TruncatedResponse(Response):
    """Announces the whole of `answer`, sends half of it and leaves, so that the connection is cut."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.body, answer.status_code, dict(answer.headers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
