"""What a failed exchange means, in words for the person who configured it."""

from collections.abc import Mapping

import requests
import urllib3

from httpkit.connections import CONNECT_SECONDS, inner_cause, never_opened


def explained(error: Exception, timeout_seconds: float) -> str:
    """Why there is no complete answer, and what to do about it."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"the TLS connection failed ({_last_words(error)}); for a private authority set ca_certificate"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy did not connect ({_last_words(error)}); check proxy"
    if isinstance(error, (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError)):
        seconds = min(CONNECT_SECONDS, timeout_seconds)
        return f"no connection within {seconds:g} s; check the host, the port and the firewall"
    if isinstance(error, (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)):
        return f"no answer within {timeout_seconds:g} s; ask for less, or raise timeout_seconds"
    if isinstance(error, requests.exceptions.ConnectionError):
        what = "could not connect" if never_opened(error) else "the connection broke"
        return f"{what} ({_last_words(error)}); check the host and the port"
    return f"the answer was cut or damaged ({_last_words(error)})"


def _last_words(error: BaseException) -> str:
    """The innermost cause, which says what happened without the layers around it."""
    while (inner := inner_cause(error)) is not None:
        error = inner
    return str(error).rpartition(">: ")[2].rpartition("): ")[2] or type(error).__name__


def bad_header(headers: Mapping[str, str]) -> str:
    """Which header cannot be sent; its value is not shown, since it may be a secret."""
    for name, value in headers.items():
        if not name or any(character in "\r\n\0: " for character in name) or not name.isascii():
            return f"the name {name!r} cannot be sent; use letters, digits and dashes"
        if any(character in "\r\n\0" for character in str(value)) or str(value) != str(value).strip():
            return f"the value of {name} must be one line of text without spaces at its ends"
    return "a name or value cannot be sent; both must be one line of Latin-1 text"
