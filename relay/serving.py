"""The relay in the foreground, for modules that run elsewhere; the application itself is in `server.py`."""

from collections.abc import Callable
from secrets import token_urlsafe

from pydantic import SecretStr
from rich.console import Console
from sqlalchemy.exc import ArgumentError

from relay.errors import UnavailableError
from relay.foreground import Foreground
from relay.server import RunningServer, create_app
from relay.settings import RelaySettings
from relay.store import Store

ANY_MODULE = "any module"
DEFAULT_INTAKE = "default"


def serve_until_stopped(
    settings: RelaySettings, foreground: Foreground, *, new_secret: Callable[[], str] = token_urlsafe
) -> None:
    """Serve until interrupted; OSError when the address cannot be used, UnavailableError without a database."""
    token, token_note = _given_or_new(settings.token, new_secret)
    intake_key, intake_note = _given_or_new(settings.intake_key, new_secret)
    store = _open_store(settings.database_url)
    try:
        store.open_run(component=ANY_MODULE, token=token, secrets={})
        store.open_intake(name=DEFAULT_INTAKE, key=intake_key)
        app = create_app(store, allowed_hosts=(*settings.allowed_hosts, settings.host))
        with RunningServer(app, host=settings.host, port=settings.port) as server:
            if settings.port not in (0, server.port):
                foreground.console.print(
                    f"Port {settings.port} is taken; port {server.port} is used instead.", style="yellow"
                )
            _introduce(foreground.console, server.url, token_note, intake_note)
            foreground.interruption.wait()
            foreground.console.print("Stopping.")
    finally:
        store.close()


def _open_store(url: str) -> Store:
    try:
        return Store(url)
    except ArgumentError as error:
        raise UnavailableError("RELAY_DATABASE_URL is not a database URL; write sqlite:///relay.sqlite3") from error
    except ModuleNotFoundError as error:
        raise UnavailableError(f"RELAY_DATABASE_URL needs a driver that is not installed: {error.name}") from error


def _given_or_new(given: SecretStr | None, new_secret: Callable[[], str]) -> tuple[str, str]:
    """The secret, and what to print for it: one that the user set is not repeated."""
    if given is not None:
        return given.get_secret_value(), "(as set)"
    made = new_secret()
    return made, made


def _introduce(console: Console, url: str, token_note: str, intake_note: str) -> None:
    lines = [
        f"The relay answers at {url}/ (web page). Ctrl-C stops it.",
        "",
        "Point a module at it with these environment variables:",
        f"  TOKEN={token_note}",
        f"  URL_CALLBACK={url}/sekoia/callback",
        f"  INTAKE_URL={url}/sekoia/intake",
        "and give a connector this intake key in its CONNECTOR_CONFIGURATION:",
        f"  {intake_note}",
        f"A sample API to read from is described at {url}/sample.",
    ]
    # Written without wrapping: addresses and keys are copied from here.
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
