"""What a failed exchange means, in words for the person who configured it."""

import re
import ssl
from collections.abc import Mapping

import requests
import urllib3

from httpkit.connections import CONNECT_SECONDS, inner_cause, never_opened
from httpkit.sockets import ExchangeTooLongError

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OTHER_HOST = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""


def explained(error: Exception, timeout_seconds: float) -> str:
    """Why there is no complete answer, and what to do about it."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"the TLS connection failed ({_last_words(error)}); {_tls_remedy(_innermost(error))}"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy did not connect ({_last_words(error)}); check proxy"
    if isinstance(error, (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError)):
        seconds = min(CONNECT_SECONDS, timeout_seconds)
        return f"no connection within {seconds:g} s; check the host, the port and the firewall"
    if isinstance(error, (TimeoutError, requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)):
        # Ours says itself how long it was; those of the libraries speak of sockets.
        what = _too_long(error) or f"no answer within {timeout_seconds:g} s"
        return f"{what}; ask for less, or raise timeout_seconds"
    if isinstance(error, requests.exceptions.ConnectionError):
        what = "could not connect" if never_opened(error) else "the connection broke"
        return f"{what} ({_last_words(error)}); check the host and the port"
    return f"the answer was cut or damaged ({_last_words(error)})"


def _too_long(error: BaseException | None) -> ExchangeTooLongError | None:
    """The error of the exchange inside those of the libraries."""
    while error is not None and not isinstance(error, ExchangeTooLongError):
        error = error.__cause__ or error.__context__
    return error


def _tls_remedy(cause: BaseException) -> str:
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return "check scheme and port; a server that asks for a certificate needs client_certificate"
    if cause.verify_code in _OTHER_HOST:
        return "use a host that its certificate names"
    return "for a private authority set ca_certificate"


def _innermost(error: BaseException) -> BaseException:
    while (inner := inner_cause(error)) is not None:
        error = inner
    return error


def _last_words(error: BaseException) -> str:
    """The innermost cause, which says what happened without the layers around it."""
    error = _innermost(error)
    return str(error).rpartition(">: ")[2].rpartition("): ")[2] or type(error).__name__


def bad_header(headers: Mapping[str, str]) -> str | None:
    """Why a header cannot be sent (RFC 9110 §5), None when all can; its value is not shown, it may be a secret."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            return f"the name {name!r} cannot be sent; use letters, digits and dashes"
        if not _HEADER_VALUE.fullmatch(value) or value != value.strip():
            return f"the value of {name} must be one line of Latin-1 text without spaces at its ends"
    return None
