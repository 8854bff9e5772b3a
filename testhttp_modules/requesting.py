"""From the arguments of the action to the request and the client that sends it."""

from threading import Event

from msgspec.structs import replace
from sekoia_automation.module import Module

from httpkit.account import credentials_of
from httpkit.auth import AccountSettings, Scheme
from httpkit.client import Client, Proof
from httpkit.client_settings import ClientSettings
from httpkit.clocks import SYSTEM_CLOCKS
from httpkit.destinations import origin_of
from httpkit.errors import SettingsError
from httpkit.redaction import Redactor, request_secrets
from httpkit.throttle import RetryPolicy
from httpkit.values import BodyFormat, JsonValue, Request
from testhttp_modules.account import absolute_url, account_client, client_settings
from testhttp_modules.models import RequestArguments, TesthttpModuleConfiguration


def request_of(account: TesthttpModuleConfiguration, arguments: RequestArguments, redactor: Redactor) -> Request:
    """The request that the arguments describe; what looks like a secret in them is masked from now on.

    Raises:
        SettingsError: an argument is wrong, or contradicts another one.
    """
    parts = (arguments.headers, arguments.params, arguments.form, arguments.json_body)
    redactor.add(arguments.auth_password, arguments.auth_token, *request_secrets(arguments.url, *parts))
    url = absolute_url(account, arguments.url)
    params = arguments.params or {}
    if isinstance(params, str):
        url, params = _with_query(url, params), {}
    body, body_format = _body(arguments)
    return Request(
        method=arguments.method.upper(),
        url=url,
        params=params,
        headers=arguments.headers or {},
        body=body,
        body_format=body_format,
        authenticate=arguments.authenticate or arguments.auth_type != "None",
        follow_redirects=arguments.follow_redirects,
    )


def client_of(
    module: Module,
    account: TesthttpModuleConfiguration,
    arguments: RequestArguments,
    url: str,
    *,
    stop: Event,
    redactor: Redactor,
) -> Client:
    """The client with the limits of the account and the arguments, and the credentials that the arguments choose.

    Raises:
        SettingsError: credentials are missing or given twice, or the account is wrong.
    """
    settings = _settings(module, account, arguments)
    own = _own_account(arguments)
    if own is None and not arguments.authenticate:
        return Client(settings, redactor=redactor, stop=stop)
    if own is None:
        return account_client(module, account, url, stop=stop, redactor=redactor, settings=settings)
    if arguments.authenticate:
        raise SettingsError("auth_type", "is given together with authenticate; choose one of the two")
    credentials = credentials_of(own, redactor=redactor, clocks=SYSTEM_CLOCKS)
    proof = Proof(credentials=credentials, origin=origin_of(url))
    return Client(settings, proof=proof, redactor=redactor, stop=stop)


def _settings(module: Module, account: TesthttpModuleConfiguration, arguments: RequestArguments) -> ClientSettings:
    retry = RetryPolicy(retries=arguments.retries, retry_unsafe=arguments.retry_unsafe)
    settings = client_settings(module, account, retry=retry)
    tls = replace(settings.tls, verify_tls=settings.tls.verify_tls and arguments.verify_ssl)
    return replace(settings, tls=tls, timeout_seconds=arguments.timeout_seconds)


def _own_account(arguments: RequestArguments) -> AccountSettings | None:
    """The credentials that stand in the arguments themselves."""
    if arguments.auth_type == "None":
        return None
    if arguments.auth_type == "Bearer":
        _require("auth_token", arguments.auth_token, arguments)
        return AccountSettings(auth="bearer", api_key=arguments.auth_token)
    _require("auth_username", arguments.auth_username, arguments)
    scheme: Scheme = "basic" if arguments.auth_type == "Basic" else "digest"
    return AccountSettings(auth=scheme, username=arguments.auth_username, api_key=arguments.auth_password)


def _require(field: str, value: str, arguments: RequestArguments) -> None:
    if not value:
        raise SettingsError(field, f"is needed by auth_type {arguments.auth_type}")


def _body(arguments: RequestArguments) -> tuple[JsonValue, BodyFormat]:
    """The body and its format; one at most may be given."""
    bodies: tuple[tuple[str, JsonValue, BodyFormat], ...] = (
        ("json", arguments.json_body, "json"),
        ("data", arguments.data, "raw"),
        ("form", arguments.form, "form"),
    )
    given = [body for body in bodies if body[1] is not None]
    if len(given) > 1:
        raise SettingsError(
            given[1][0], f"is given together with {given[0][0]}; a request has one body, remove one of them"
        )
    return (given[0][1], given[0][2]) if given else (None, "json")


def _with_query(url: str, query: str) -> str:
    address, mark, fragment = url.partition("#")
    separator = "&" if "?" in address else "?"
    # In a query of its own a number sign starts no fragment.
    return f"{address}{separator}{query.lstrip('?&').replace('#', '%23')}{mark}{fragment}"
