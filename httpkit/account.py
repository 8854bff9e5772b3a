"""From the settings of an account to the credentials that a client uses."""

from httpkit.auth import AccountSettings, Credentials, fixed_credentials, own_headers
from httpkit.auth_digest import DigestCredentials
from httpkit.auth_tokens import LoginTokens, OAuth2Tokens, TokenCredentials
from httpkit.clocks import Clocks
from httpkit.errors import SettingsError
from httpkit.redaction import Redactor, request_secrets


def credentials_of(account: AccountSettings, *, redactor: Redactor, clocks: Clocks) -> Credentials:
    """The credentials of an account; its secrets, and those fetched later, are masked by the redactor.

    Raises:
        SettingsError: the account lacks what its scheme needs, or has what its scheme does not use.
    """
    if account.auth != "none":
        redactor.add(account.api_key)
    parts = (account.headers, account.token_params, account.login_headers, account.login_body)
    redactor.add(*request_secrets(account.token_url, *parts))
    if account.auth in {"basic", "digest"} and not account.username:
        raise SettingsError("username", f"is needed by auth {account.auth!r}")
    if account.auth == "digest":
        return DigestCredentials(user=account.username, password=account.api_key, headers=own_headers(account))
    if account.auth == "oauth2":
        return TokenCredentials(
            OAuth2Tokens(account, redactor=redactor, clocks=clocks), redactor=redactor, clocks=clocks
        )
    if account.auth == "login":
        return TokenCredentials(
            LoginTokens(account, redactor=redactor, clocks=clocks), redactor=redactor, clocks=clocks
        )
    return fixed_credentials(account, redactor)
