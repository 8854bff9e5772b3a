"""TLS: whom we trust, and how we prove who we are."""

import ssl

import certifi

from httpkit.errors import SettingsError
from httpkit.files import unnamed_file
from httpkit.sockets import PatientTlsSocket
from httpkit.values import Confidential


class TlsSettings(Confidential, frozen=True, kw_only=True):
    """How a server proves who it is, and how we do.

    Attributes:
        ca_certificate: PEM text of authorities that are trusted besides the public ones.
        client_certificate: PEM text, with `client_key` for mutual TLS.
    """

    verify_tls: bool = True
    ca_certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""


def tls_context(tls: TlsSettings, longest_seconds: float) -> ssl.SSLContext:
    """The TLS configuration of one client.

    Args:
        longest_seconds: how long a handshake may take, or what is begun later.

    Raises:
        SettingsError: a certificate or key is not usable PEM text.
    """
    context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = type("LimitedTlsSocket", (PatientTlsSocket,), {"longest": longest_seconds})
    if tls.ca_certificate:
        try:
            context.load_verify_locations(cadata=tls.ca_certificate)
        except (ssl.SSLError, ValueError, TypeError) as error:
            raise SettingsError("ca_certificate", f"is not a PEM certificate ({error}); paste it whole") from None
    if tls.client_certificate:
        _load_client_certificate(context, tls)
    elif tls.client_key:
        raise SettingsError("client_certificate", "is missing; client_key is of no use without it")
    if not tls.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_client_certificate(context: ssl.SSLContext, tls: TlsSettings) -> None:
    text = f"{tls.client_certificate.strip()}\n{tls.client_key.strip()}\n".encode()
    with unnamed_file(text) as path:
        try:
            context.load_cert_chain(path, password=_no_password)
        except (ssl.SSLError, ValueError, OSError) as error:
            raise SettingsError(
                "client_certificate",
                f"and client_key are not a usable pair of PEM texts ({_short(error)}); paste both whole, "
                "the key without a password",
            ) from None


def _no_password() -> str:
    """Without this, OpenSSL would ask at the terminal for the password of an encrypted key."""
    return ""


def _short(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)
