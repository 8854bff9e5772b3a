"""Schemes that fetch a token first: OAuth 2.0 (RFC 6749) and a login request; tokens live in memory only."""

import math
from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from httpkit.auth import AccountSettings, Flow, basic_proof, own_headers, with_headers
from httpkit.clocks import Clocks
from httpkit.documents import decode_json
from httpkit.errors import RefusedError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.paths import AnswerPath, compile_answer_path
from httpkit.redaction import Redactor, named
from httpkit.templates import render
from httpkit.text import excerpt
from httpkit.throttle import asks_for_later, told_wait
from httpkit.times import moment_of
from httpkit.turns import Lock
from httpkit.values import JsonValue, Request, Response

_MARGIN, _LONGEST_MARGIN = 0.1, 300.0


class TokenSource(Protocol):
    """Where tokens come from."""

    def request(self) -> Request:
        """The request that asks for a token."""

    def headers(self, content: JsonValue, response: Response) -> Mapping[str, str]:
        """The headers that the answer, with its decoded content, allows to send."""

    def lifetime(self, content: JsonValue, response: Response) -> float | None:
        """Seconds that the token lives; None when the answer does not say."""


class _Proof(Struct, frozen=True, kw_only=True):
    headers: Mapping[str, str]
    renew_at: float


class TokenCredentials:
    """Fetches a token when there is none, renews it before its end, and once when the server refuses it.

    Args:
        source: knows the request and reads the answer.
    """

    def __init__(self, source: TokenSource, *, redactor: Redactor, clocks: Clocks) -> None:
        self._source = source
        self._redactor = redactor
        self._clocks = clocks
        self._proof: _Proof | None = None
        # Held while a token is fetched: requests that run side by side wait for the one token.
        self._lock = Lock()

    def flow(self, request: Request) -> Flow:
        """Yield the request for a token if one is needed, then the request itself."""
        proof = yield from self._usable(refused=None)
        response = yield replace(request, headers=with_headers(proof.headers, request.headers))
        if response.status == 401:
            proof = yield from self._usable(refused=proof)
            yield replace(request, headers=with_headers(proof.headers, request.headers))

    def sign_in(self) -> Flow:
        """Yield the request for a token."""
        yield from self._usable(refused=self._proof)

    def _usable(self, *, refused: _Proof | None) -> Generator[Request, Response, _Proof]:
        with self._lock.held():
            proof = self._proof
            if proof is None or proof is refused or self._clocks.monotonic() >= proof.renew_at:
                request = self._source.request()
                response = yield request
                proof = self._proof = self._read(request, response)
        return proof

    def _read(self, request: Request, response: Response) -> _Proof:
        content = _checked(request, response, self._redactor)
        headers = self._source.headers(content, response)
        for name, value in headers.items():
            if not value.isprintable() or not value.isascii() or value != value.strip():
                raise UnexpectedShapeError(f"the token answer gives a value that cannot be sent as {name}")
        lifetime = self._source.lifetime(content, response)
        renew_at = float("inf")
        if lifetime is not None:
            renew_at = self._clocks.monotonic() + lifetime - min(lifetime * _MARGIN, _LONGEST_MARGIN)
        return _Proof(headers=headers, renew_at=renew_at)


class OAuth2Tokens:
    """The token endpoint of RFC 6749 with the grants client_credentials, refresh_token and password."""

    def __init__(self, account: AccountSettings, *, redactor: Redactor, clocks: Clocks) -> None:
        _require_token_url(account)
        self._account = account
        self._redactor = redactor
        self._clocks = clocks
        self._refresh_token = account.api_key
        self._token = compile_answer_path("token_path", account.token_path)
        self._expires = compile_answer_path("token_expires_path", account.token_expires_path)

    def request(self) -> Request:
        """POST the grant as a form, or all of it in the query."""
        account = self._account
        params = {**self._grant(), **self._client(), **render(dict(account.token_params), account.scope)}
        headers = {"Accept": "application/json"}
        if account.oauth2_client == "basic":
            user, secret = self._client_pair(params)
            headers["Authorization"] = basic_proof(user, secret, self._redactor)
        in_query = account.token_params_in == "query"  # noqa: S105  (a place, not a secret)
        return Request(
            method="POST",
            url=account.token_url,
            params=params if in_query else {},
            body=None if in_query else params,
            body_format="form",
            headers=headers,
            follow_redirects=False,
            safe=account.oauth2_grant != "refresh_token",
        )

    def headers(self, content: JsonValue, response: Response) -> Mapping[str, str]:
        """`Authorization: Bearer <token>` and the account's own headers."""
        # First, whatever is wrong with the rest: the old one may not be taken a second time.
        self._rotate(content)
        token = self._token(content, response, None)
        if not isinstance(token, str) or not token:
            raise UnexpectedShapeError(
                f"the token answer holds no text at token_path {self._account.token_path!r}; {_seen(content)}"
            )
        self._redactor.add(token)
        name = self._account.auth_name or "Authorization"
        return {name: f"{self._account.auth_prefix or 'Bearer '}{token}", **own_headers(self._account)}

    def lifetime(self, content: JsonValue, response: Response) -> float | None:
        """Read at token_expires_path: seconds, or a date."""
        return _lifetime(self._expires(content, response, None), self._clocks.now())

    def _grant(self) -> dict[str, JsonValue]:
        account = self._account
        grant: dict[str, JsonValue] = {"grant_type": account.oauth2_grant}
        if account.oauth2_grant == "refresh_token":
            grant["refresh_token"] = self._refresh_token
        if account.oauth2_grant == "password":
            grant |= {"username": account.username, "password": account.api_key}
        return grant

    def _client(self) -> dict[str, JsonValue]:
        account = self._account
        if account.oauth2_client == "basic" or account.oauth2_grant == "password":
            return {}
        if account.oauth2_grant == "refresh_token":
            return {"client_id": account.username}
        return {"client_id": account.username, "client_secret": account.api_key}

    def _client_pair(self, params: dict[str, JsonValue]) -> tuple[str, str]:
        """Client id and secret for the basic style; those in token_params are taken out of the form."""
        account = self._account
        if account.oauth2_grant == "client_credentials":
            return account.username, account.api_key
        default = "" if account.oauth2_grant == "password" else account.username
        return str(params.pop("client_id", default)), str(params.pop("client_secret", ""))

    def _rotate(self, content: JsonValue) -> None:
        """Servers may give a new refresh token with each use; it is known until the process ends."""
        new = content.get("refresh_token") if isinstance(content, dict) else None
        if self._account.oauth2_grant == "refresh_token" and isinstance(new, str) and new:
            self._redactor.add(new)
            self._refresh_token = new


class LoginTokens:
    """A login request whose answer holds what the following requests send."""

    def __init__(self, account: AccountSettings, *, redactor: Redactor, clocks: Clocks) -> None:
        _require_token_url(account)
        self._account = account
        self._redactor = redactor
        self._clocks = clocks
        self._capture = {
            name: compile_answer_path(f"login_capture.{name}", path) for name, path in account.login_capture.items()
        }
        self._expires = compile_answer_path("token_expires_path", account.token_expires_path)

    def request(self) -> Request:
        """POST user and key as the settings say."""
        account = self._account
        return Request(
            method="POST",
            url=account.token_url,
            headers=render(dict(account.login_headers), account.scope),
            body=render(account.login_body, account.scope),
            body_format=account.login_format,
            follow_redirects=False,
            safe=True,
        )

    def headers(self, content: JsonValue, response: Response) -> Mapping[str, str]:
        """The headers of login_inject, with what was captured."""
        captured = {
            f"login.{name}": self._captured(name, path, content, response) for name, path in self._capture.items()
        }
        scope = {**self._account.scope, **captured}
        templates = {**self._account.headers, **self._account.login_inject}
        return {name: str(value) for name, value in render(templates, scope).items()}

    def lifetime(self, content: JsonValue, response: Response) -> float | None:
        """Read at token_expires_path: seconds, or a date."""
        return _lifetime(self._expires(content, response, None), self._clocks.now())

    def _captured(self, name: str, path: AnswerPath, content: JsonValue, response: Response) -> JsonValue:
        value = path(content, response, None)
        if value is None or value == "":
            raise UnexpectedShapeError(
                f"the login answer holds nothing at login_capture.{name} {self._account.login_capture[name]!r}; "
                f"{_seen(content)}"
            )
        if isinstance(value, (dict, list, bool)):
            kind = type(value).__name__
            raise UnexpectedShapeError(f"the login answer holds {kind} at login_capture.{name}; it must be text")
        self._redactor.add(str(value))
        return value


def _require_token_url(account: AccountSettings) -> None:
    if not account.token_url:
        raise SettingsError("token_url", f"is needed by auth {account.auth!r}: where tokens are fetched")


def _checked(request: Request, response: Response, redactor: Redactor) -> JsonValue:
    """The content of a good answer; what was refused is told without what was sent."""
    if response.ok:
        return _content(response)
    what = f"{named(request)}: no token, {response.status} {response.reason}{excerpt(response, redactor.clean)}"
    if asks_for_later(response):
        raise UnavailableError(what, status=response.status, retry_after=told_wait(response))
    raise RefusedError(
        f"{what}; check username, api_key and the token settings of the account", status=response.status
    )


def _content(response: Response) -> JsonValue:
    if not response.body.strip():
        return None
    try:
        return decode_json(response.body)
    except ValueError:
        return None


def _lifetime(value: JsonValue, now: datetime) -> float | None:
    """Seconds until the end that an answer names as a number of seconds, an epoch or a date."""
    if isinstance(value, bool):
        return None
    try:
        seconds = float(value)
    except OverflowError:  # a number of hundreds of digits is no lifetime
        return None
    except (TypeError, ValueError):
        moment = moment_of(value) if isinstance(value, str) else None
        return max(0.0, (moment - now).total_seconds()) if moment else None
    if not math.isfinite(seconds):
        return None
    if seconds > 1e11:
        seconds /= 1000
    return max(0.0, seconds - now.timestamp()) if seconds > 1e9 else max(0.0, seconds)


def _seen(content: JsonValue) -> str:
    if isinstance(content, dict):
        return f"it has {', '.join(list(content)[:10]) or 'no fields'}"
    return "it is not a JSON object"
