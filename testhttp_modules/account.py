"""From the form of the account to the clients that use it; what is read with them is not known here."""

from collections.abc import Callable
from threading import Event

from sekoia_automation.configuration.exception import MissingConfigurationError
from sekoia_automation.module import Module

from httpkit.account import credentials_of
from httpkit.auth import AccountSettings
from httpkit.client import Client, Proof
from httpkit.client_settings import ClientSettings
from httpkit.clocks import SYSTEM_CLOCKS
from httpkit.destinations import DestinationPolicy, origin_of
from httpkit.errors import SettingsError
from httpkit.redaction import Redactor, request_secrets, without_query
from httpkit.throttle import RetryPolicy
from httpkit.tls import TlsSettings
from testhttp_modules import metrics
from testhttp_modules.models import TesthttpModuleConfiguration

_USUAL_RETRIES = RetryPolicy()


def account_of(module: Module) -> TesthttpModuleConfiguration:
    """The account of the module; without one, an account that has no credentials and the defaults for all else."""
    try:
        account = module.configuration
    except MissingConfigurationError:
        account = None
    return (
        account
        if isinstance(account, TesthttpModuleConfiguration)
        else TesthttpModuleConfiguration(api_key="", auth="none")
    )


def user_agent(module: Module) -> str:
    """The name under which the module presents itself to servers."""
    return f"sekoiaio-connector/{module.manifest.get('slug')}-{module.manifest.get('version')}"


def absolute_url(account: TesthttpModuleConfiguration, url: str) -> str:
    """The URL of a component; a relative one is joined to the account's base_url, whose path is kept.

    Raises:
        SettingsError: it is neither absolute nor is there a base.
    """
    if "://" in url.partition("?")[0]:
        origin_of(url)
        return url
    if not account.base_url:
        shown = without_query(url)
        raise SettingsError("url", f"{shown!r} must start with https:// or http://, or be relative to a base_url")
    base = base_url(account)
    separator = "" if url.startswith("?") or not url else "/"
    return f"{base.rstrip('/')}{separator}{url.lstrip('/')}"


def base_url(account: TesthttpModuleConfiguration) -> str:
    """The account's base_url.

    Raises:
        SettingsError: it is not a URL.
    """
    try:
        origin_of(account.base_url)
    except SettingsError as error:
        raise SettingsError("base_url", error.message.removeprefix("url: ")) from None
    return account.base_url


def account_client(
    module: Module,
    account: TesthttpModuleConfiguration,
    url: str,
    *,
    stop: Event,
    redactor: Redactor,
    settings: ClientSettings | None = None,
) -> Client:
    """The client with the credentials of the account, which belong to base_url, or else to the origin of `url`."""
    redactor.add(*request_secrets(account.proxy))
    credentials = credentials_of(account_settings(account), redactor=redactor, clocks=SYSTEM_CLOCKS)
    origin = origin_of(base_url(account) if account.base_url else url)
    return Client(
        settings or client_settings(module, account),
        proof=Proof(credentials=credentials, origin=origin),
        redactor=redactor,
        stop=stop,
    )


def account_settings(account: TesthttpModuleConfiguration) -> AccountSettings:
    """Who we are to the API; the names of the fields are the same on both sides."""
    return AccountSettings(**{name: getattr(account, name) for name in AccountSettings.__struct_fields__})


def client_settings(
    module: Module,
    account: TesthttpModuleConfiguration,
    *,
    retry: RetryPolicy = _USUAL_RETRIES,
    meanwhile: Callable[[], None] = lambda: None,
) -> ClientSettings:
    """The limits and ways that the account sets for every exchange."""
    return ClientSettings(
        user_agent=user_agent(module),
        timeout_seconds=account.timeout_seconds,
        max_response_megabytes=account.max_response_megabytes,
        destinations=DestinationPolicy(
            allow_private_networks=account.allow_private_networks, allowed_hosts=account.allowed_hosts
        ),
        tls=TlsSettings(
            verify_tls=account.verify_tls,
            ca_certificate=account.ca_certificate,
            client_certificate=account.client_certificate,
            client_key=account.client_key or "",
        ),
        proxy=account.proxy,
        requests_per_minute=account.requests_per_minute,
        retry=retry,
        repeating=metrics.repeating,
        meanwhile=meanwhile,
    )


def intake_client(module: Module, *, stop: Event, redactor: Redactor) -> Client:
    """The client for Sekoia.io: no credentials of the source, since the intake key travels in the body.

    The platform gives the address, so private ones are reached. The client repeats nothing, since `Intake.deliver`
    does: for as long as the component runs, and in smaller pieces where a push is refused.
    """
    settings = ClientSettings(
        user_agent=user_agent(module),
        timeout_seconds=30,
        destinations=DestinationPolicy(allow_private_networks=True),
        retry=RetryPolicy(retries=0),
    )
    return Client(settings, redactor=redactor, stop=stop)
