"""What a failed exchange means, in words for the person who configured it."""

import re
import ssl
from collections.abc import Mapping

from httpkit.connections import CONNECT_SECONDS, NotConnectedError, ProxyError
from httpkit.errors import words_of
from httpkit.sockets import ExchangeTooLongError

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OTHER_HOST = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""


def explained(error: Exception, timeout_seconds: float) -> str:
    """Why there is no complete answer, and what to do about it."""
    if isinstance(error, NotConnectedError):
        return _not_connected(error, min(CONNECT_SECONDS, timeout_seconds))
    if isinstance(error, TimeoutError):
        what = str(error) if isinstance(error, ExchangeTooLongError) else f"no answer within {timeout_seconds:g} s"
        return f"{what}; ask for less, or raise timeout_seconds"
    if isinstance(error, ssl.SSLError):
        return f"the TLS connection failed ({words_of(error)}); {_tls_remedy(error)}"
    if isinstance(error, OSError):
        return f"the connection broke ({words_of(error)}); check the host and the port"
    return f"the answer was cut or damaged ({words_of(error)})"


def _not_connected(error: NotConnectedError, seconds: float) -> str:
    if isinstance(error, ProxyError):
        return f"the proxy did not connect ({words_of(error)}); check proxy"
    if isinstance(error.__cause__, TimeoutError):
        return f"no connection within {seconds:g} s; check the host, the port and the firewall"
    return f"could not connect ({words_of(error)}); check the host and the port"


def _tls_remedy(cause: BaseException) -> str:
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return "check scheme and port; a server that asks for a certificate needs client_certificate"
    if cause.verify_code in _OTHER_HOST:
        return "use a host that its certificate names"
    return "for a private authority set ca_certificate"


def bad_header(headers: Mapping[str, str]) -> str | None:
    """Why a header cannot be sent (RFC 9110 §5), None when all can; its value is not shown, it may be a secret."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            return f"the name {name!r} cannot be sent; use letters, digits and dashes"
        if not _HEADER_VALUE.fullmatch(value) or value != value.strip():
            return f"the value of {name} must be one line of Latin-1 text without spaces at its ends"
    return None
