"""Clients as the tests of the core use them: loopback may be reached, and nothing is repeated unasked."""

from collections.abc import Callable
from typing import Any

from httpkit.account import credentials_of
from httpkit.auth import AccountSettings
from httpkit.client import Client, Proof
from httpkit.client_settings import ClientSettings
from httpkit.clocks import SYSTEM_CLOCKS
from httpkit.destinations import DestinationPolicy, origin_of
from httpkit.errors import HttpkitError
from httpkit.redaction import Redactor
from httpkit.throttle import RetryPolicy
from httpkit.values import Request, Response


def local_settings(**changes: Any) -> ClientSettings:
    """Settings that reach loopback, with short time limits and no retries."""
    defaults: dict[str, Any] = {
        "user_agent": "tests",
        "timeout_seconds": 5,
        "destinations": DestinationPolicy(allow_private_networks=True),
        "retry": RetryPolicy(retries=0),
    }
    return ClientSettings(**{**defaults, **changes})


def local_client(
    *,
    url: str = "",
    bearer: str = "",
    account: AccountSettings | None = None,
    redactor: Redactor | None = None,
    **changes: Any,
) -> Client:
    """A client; with an account, or a bearer token, its credentials belong to the origin of `url`."""
    redactor = redactor or Redactor()
    if bearer:
        account = AccountSettings(auth="bearer", api_key=bearer)
    if account is None:
        return Client(local_settings(**changes), redactor=redactor)
    credentials = credentials_of(account, redactor=redactor, clocks=SYSTEM_CLOCKS)
    return Client(
        local_settings(**changes), proof=Proof(credentials=credentials, origin=origin_of(url)), redactor=redactor
    )


def get(url: str, **fields: Any) -> Request:
    """A GET request as a client sends it."""
    return Request(method="GET", url=url, **fields)


def begun(send: Callable[[Request], Response], request: Request) -> Callable[[], Response]:
    """What `Client.begin` gives, for models that answer at once; an error shows when the answer is waited for."""
    results: list[Response] = []
    try:
        results.append(send(request))
    except HttpkitError as error:
        failure = error

    def answer() -> Response:
        if not results:
            raise failure
        return results[0]

    return answer
