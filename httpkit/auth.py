"""How a request proves who sends it: the account's settings, and the schemes whose proof never changes.

A scheme is a generator: it yields the requests to send, is given the answer of each, and the answer to the last one is
the result. So a scheme needs no network and can be read from top to bottom, also when it takes several requests.
"""

import base64
from collections.abc import Generator, Mapping
from typing import Literal, Protocol
from urllib.parse import parse_qsl, urlsplit

from msgspec import field
from msgspec.structs import replace

from httpkit.errors import SettingsError
from httpkit.redaction import Redactor
from httpkit.templates import render
from httpkit.values import Confidential, JsonValue, Request, Response

Scheme = Literal["bearer", "header", "query", "basic", "digest", "oauth2", "login", "none"]

Flow = Generator[Request, Response, None]


class AccountSettings(Confidential, frozen=True, kw_only=True):
    """Who we are to an API; the fields are those of the configuration, where each is explained."""

    auth: Scheme = "bearer"
    api_key: str = ""
    auth_name: str = ""
    auth_prefix: str = ""
    username: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    token_url: str = ""
    oauth2_grant: Literal["client_credentials", "refresh_token", "password"] = "client_credentials"
    oauth2_client: Literal["form", "basic"] = "form"
    token_params: Mapping[str, JsonValue] = field(default_factory=dict)
    token_params_in: Literal["form", "query"] = "form"  # noqa: S105
    login_headers: Mapping[str, str] = field(default_factory=dict)
    login_body: JsonValue = None
    login_format: Literal["json", "form"] = "json"
    login_capture: Mapping[str, str] = field(default_factory=lambda: {"token": "token"})
    login_inject: Mapping[str, str] = field(default_factory=lambda: {"Authorization": "Bearer {login.token}"})
    token_path: str = "access_token"  # noqa: S105  (a path, not a secret)
    token_expires_path: str = "expires_in"  # noqa: S105

    @property
    def scope(self) -> Mapping[str, JsonValue]:
        """The placeholders that an account gives to templates."""
        return {"username": self.username, "api_key": self.api_key}


class Credentials(Protocol):
    """One scheme with its secrets."""

    def flow(self, request: Request) -> Flow:
        """Yield the requests that send `request` with its proof."""

    def sign_in(self) -> Flow:
        """Yield the requests that only get a proof; none where there is nothing to fetch."""


class FixedCredentials:
    """A proof that is the same for each request: headers, or query parameters."""

    def __init__(self, *, headers: Mapping[str, str], params: Mapping[str, str] | None = None) -> None:
        self._headers = headers
        self._params = params or {}

    def flow(self, request: Request) -> Flow:
        """Yield the request with the proof added; headers of the request itself win."""
        params = request.params
        if self._params:
            # A next URL or a redirect may hold the key already.
            present = {name for name, _ in parse_qsl(urlsplit(request.url).query, keep_blank_values=True)}
            params = {**params, **{name: value for name, value in self._params.items() if name not in present}}
        yield replace(request, headers=with_headers(self._headers, request.headers), params=params)

    def sign_in(self) -> Flow:
        """Yield nothing."""
        yield from ()


def fixed_credentials(account: AccountSettings, redactor: Redactor) -> FixedCredentials:
    """The credentials of the schemes bearer, header, query, basic and none.

    Raises:
        SettingsError: the account lacks what its scheme needs.
    """
    own = own_headers(account)
    if account.auth == "none":
        return FixedCredentials(headers=own)
    if account.auth == "query":
        return FixedCredentials(headers=own, params={account.auth_name or "api_key": account.api_key})
    if account.auth == "basic":
        proof = basic_proof(account.username, account.api_key, redactor)
    elif account.auth == "bearer":
        proof = f"{account.auth_prefix or 'Bearer '}{account.api_key}"
    else:
        proof = f"{account.auth_prefix}{account.api_key}"
    return FixedCredentials(headers={account.auth_name or "Authorization": proof, **own})


def own_headers(account: AccountSettings) -> dict[str, str]:
    """The static headers of an account, which go with every authenticated request."""
    return {name: str(value) for name, value in render(dict(account.headers), account.scope).items()}


def basic_proof(user: str, password: str, redactor: Redactor) -> str:
    """The value of an Authorization header (RFC 7617); its encoded form is masked from now on.

    Raises:
        SettingsError: the user contains a colon, which separates the two.
    """
    if ":" in user:
        raise SettingsError(
            "username",
            "must not contain a colon, where the basic scheme ends it; for OAuth 2.0 use oauth2_client form",
        )
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    redactor.add(encoded)
    return f"Basic {encoded}"


def with_headers(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """Both sets of headers; where a name is in both, in whatever case, the second one wins."""
    taken = {name.lower() for name in second}
    return {name: value for name, value in first.items() if name.lower() not in taken} | dict(second)
