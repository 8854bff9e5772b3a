"""The relay as one web application and one running server; the adapters' own routes live in their packages."""

import errno
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from relay import errors
from relay.hosts import LOOPBACK_HOSTS, HostCheck
from relay.sample.routes import create_router as create_sample_router
from relay.sekoia.intake import create_router as create_intake_router
from relay.sekoia.routes import create_router as create_sekoia_router
from relay.store import Store
from relay.web.routes import create_router as create_web_router

logger = logging.getLogger(__name__)

STATUS_OF_ERROR: dict[type[errors.RelayError], HTTPStatus] = {
    errors.MalformedError: HTTPStatus.BAD_REQUEST,
    errors.UnauthorizedError: HTTPStatus.UNAUTHORIZED,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.WrongShapeError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}
HEADERS_OF_STATUS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "2"},
}
# Listening everywhere is only ever the user's own choice; this merely names an address that then answers.
REACHABLE_FOR_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104
PORTS_TRIED = 100
STOP_SECONDS = 5


def create_app(store: Store, *, allowed_hosts: Sequence[str] = LOOPBACK_HOSTS) -> FastAPI:
    """Put the adapters together over `store`; requests for a name outside `allowed_hosts` are refused."""
    app = FastAPI(title="TestHTTP relay", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(HostCheck, allowed=allowed_hosts)
    app.include_router(create_sekoia_router(store), prefix="/sekoia")
    app.include_router(create_intake_router(store), prefix="/sekoia/intake")
    app.include_router(create_sample_router(), prefix="/sample")
    app.include_router(create_web_router(store))
    for kind in STATUS_OF_ERROR:
        app.add_exception_handler(kind, _refuse)
    app.add_exception_handler(HTTPException, _explain)
    app.add_exception_handler(RequestValidationError, _name_fields)
    app.add_exception_handler(ClientDisconnect, _leave)
    app.add_exception_handler(Exception, _apologise)
    return app


def _answer(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status, headers=HEADERS_OF_STATUS.get(HTTPStatus(status)))


def _refuse(_request: Request, error: Exception) -> JSONResponse:
    return _answer(STATUS_OF_ERROR[type(error)], str(error))  # type: ignore[index]  # only registered for these types


def _explain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _answer(error.status_code, f"{request.url.path}: there is nothing here; check the address")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer = _answer(error.status_code, f"{request.method}: this address does not take it")
        answer.headers.update(error.headers or {})
        return answer
    return _answer(error.status_code, str(error.detail))


def _name_fields(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = (f"{'.'.join(str(part) for part in found['loc'][1:])}: {found['msg']}" for found in error.errors())
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(problems))


def _leave(_request: Request, _error: Exception) -> JSONResponse:
    # Nobody reads this answer: the client went away while it was sending.
    return _answer(HTTPStatus.BAD_REQUEST, "the connection was closed before the body was complete")


def _apologise(_request: Request, _error: Exception) -> JSONResponse:
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "the relay failed; its log says why")


class RunningServer:
    """A context manager that serves `app` from a thread until it is left.

    `port` 0 takes any free port; a port that is taken is replaced by the next free one. `url` is where it answers.
    """

    def __init__(self, app: FastAPI, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = _listen(host, port)
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        # Uvicorn's access log would write intake keys that come in the query string, whatever else is configured.
        logging.getLogger("uvicorn.access").disabled = True
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False
        )
        self._ready = threading.Event()
        self._server = _NoticingServer(config, self._ready.set)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="relay", daemon=True
        )

    @property
    def url(self) -> str:
        """The address to reach it at, without a final slash."""
        reachable = REACHABLE_FOR_EVERYWHERE.get(self.host, self.host)
        return f"http://[{reachable}]:{self.port}" if ":" in reachable else f"http://{reachable}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        self._socket.close()


class _NoticingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def _listen(host: str, port: int) -> socket.socket:
    last = port + PORTS_TRIED if port else port
    for candidate in range(port, min(last, 65535) + 1):
        try:
            return _listen_at(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            logger.info("port %d is taken, trying the next one", candidate)
    raise OSError(errno.EADDRINUSE, f"ports {port} to {last} of {host} are all taken; choose another with RELAY_PORT")


def _listen_at(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio only switches Nagle's delay off (40 ms per answer) when the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener
