"""Sockets: names resolved once, addresses checked, TLS set up; what travels over them is the client's affair.

The address that was checked is the address that is connected to, so a name that changes its answer in between gains
nothing. The original name still goes into the Host header and the TLS handshake.
"""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from ipaddress import ip_address
from typing import Any
from weakref import WeakValueDictionary

import certifi
import requests.adapters
import urllib3
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from httpkit.destinations import DestinationPolicy
from httpkit.errors import SettingsError, UnavailableError
from httpkit.files import unnamed_file
from httpkit.sockets import PatientSocket, PatientTlsSocket
from httpkit.turns import in_thread

CONNECT_SECONDS = 10.0
_POOL_SIZE = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsSettings:
    """How a server proves who it is, and how we do.

    Attributes:
        ca_certificate: PEM text of authorities that are trusted besides the public ones.
        client_certificate: PEM text, with `client_key` for mutual TLS.
    """

    verify_tls: bool = True
    ca_certificate: str = ""
    client_certificate: str = ""
    client_key: str = field(default="", repr=False)


class CheckedAdapter(requests.adapters.HTTPAdapter):
    """Opens connections to allowed addresses only.

    Args:
        policy: which addresses those are; with a proxy it is the proxy that resolves the name, so only `check_url`
            of the policy can be applied.
        longest_seconds: how long it may take to connect, and how long a request and its answer together.
    """

    def __init__(self, policy: DestinationPolicy, tls: TlsSettings, *, longest_seconds: float) -> None:
        self._policy = policy
        self._longest_seconds = longest_seconds
        # Weak, so that those are closed that are too many.
        self._pools = WeakValueDictionary[tuple[str, str], Any]()
        self._context = cache(lambda: tls_context(tls, longest_seconds))
        # Who we are is for the server alone to know.
        unnamed = replace(tls, client_certificate="", client_key="")
        self._proxy_context = cache(lambda: tls_context(unnamed, longest_seconds))
        if tls.ca_certificate or tls.client_certificate or tls.client_key:
            self._context()  # what is wrong with them shows now; otherwise it waits, since it takes long to make
        if not tls.verify_tls:
            # The user has said so in the settings; a warning for each request would bury the log.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        super().__init__(pool_connections=_POOL_SIZE, pool_maxsize=_POOL_SIZE, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools for direct connections."""
        super().init_poolmanager(*args, **kwargs)
        http, https = _checked_pools(self._policy, self._context, self._longest_seconds)
        self.poolmanager.pool_classes_by_scheme = {"http": http, "https": https}

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> Any:
        """The pool of a server; of one without a proxy it is known from before, since finding it takes long."""
        if proxies or not request.url:
            return super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        scheme, _, rest = request.url.partition("://")
        server = (scheme, rest.partition("/")[0])
        pool = self._pools.get(server)
        if pool is None or pool.pool is None:  # closed, because there are too many
            pool = super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
            self._pools[server] = pool
        return pool

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """What is read of an answer; cookies are taken from it elsewhere."""
        response = requests.Response()
        response.status_code, response.reason, response.raw = resp.status, resp.reason, resp
        response.headers = CaseInsensitiveDict(resp.headers)
        response.url, response.request = req.url or "", req
        return response

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pools for connections through a proxy."""
        if proxy.lower().startswith("https:"):
            kwargs["proxy_ssl_context"] = self._proxy_context()
        manager = super().proxy_manager_for(proxy, **kwargs)
        # The user has chosen the proxy himself, so it may stand in a private network.
        policy = DestinationPolicy(allow_private_networks=True)
        http, https = _checked_pools(policy, self._context, self._longest_seconds)
        manager.pool_classes_by_scheme = {"http": http, "https": https}
        return manager


def tls_context(tls: TlsSettings, longest_seconds: float) -> ssl.SSLContext:
    """The TLS configuration of one client.

    Args:
        longest_seconds: as in `CheckedAdapter`; it holds for the handshake, too.

    Raises:
        SettingsError: a certificate or key is not usable PEM text.
    """
    context = ssl.create_default_context(cafile=certifi.where())
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


def _checked_pools(
    policy: DestinationPolicy, context: Callable[[], ssl.SSLContext], longest_seconds: float
) -> tuple[type[HTTPConnectionPool], type[HTTPSConnectionPool]]:
    class CheckedHttpConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            opened = _connect(self, policy)
            opened.begin(longest_seconds)
            return opened

        def connect(self) -> None:
            super().connect()
            _begin(self, longest_seconds)

        def request(self, *args: Any, **kwargs: Any) -> None:
            _begin(self, longest_seconds)
            super().request(*args, **kwargs)

    class CheckedHttpsConnection(CheckedHttpConnection, HTTPSConnection):
        def connect(self) -> None:
            self.ssl_context = context()
            super().connect()

    class CheckedHttpPool(HTTPConnectionPool):
        ConnectionCls = CheckedHttpConnection

    class CheckedHttpsPool(HTTPSConnectionPool):
        ConnectionCls = CheckedHttpsConnection

    return CheckedHttpPool, CheckedHttpsPool


def _begin(connection: HTTPConnection, seconds: float) -> None:
    """Let what is done next on a connection take so long: the limit of a silence starts anew with each byte."""
    # With TLS inside TLS the socket is behind another layer.
    opened = getattr(connection.sock, "socket", connection.sock)
    if isinstance(opened, (PatientSocket, PatientTlsSocket)):
        opened.begin(seconds)


def _connect(connection: HTTPConnection, policy: DestinationPolicy) -> PatientSocket:
    """Open the connection that urllib3 asks for, to an address that was checked."""
    host, problem, failure = connection.host, None, None
    for family, kind, protocol, _, target in _resolved(connection):
        problem = policy.problem_with(ip_address(str(target[0]).partition("%")[0]))
        if problem:
            continue
        try:
            return _opened(connection, PatientSocket(family, kind, protocol), target)
        except OSError as error:
            failure = error
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, f"{host} did not answer") from failure
    if failure:
        raise NewConnectionError(connection, f"{failure.strerror or failure}") from failure
    raise UnavailableError(f"{host} has {problem}")


def _resolved(connection: HTTPConnection) -> list[Any]:
    try:
        # It cannot be told to wait, and may take longer than a stop has.
        return in_thread(lambda: socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM))
    except (socket.gaierror, UnicodeError) as error:
        failure = error if isinstance(error, socket.gaierror) else socket.gaierror(socket.EAI_NONAME, str(error))
        raise NameResolutionError(connection.host, connection, failure) from error


def _opened(connection: HTTPConnection, opened: PatientSocket, target: Any) -> PatientSocket:
    try:
        for option in connection.socket_options or ():
            opened.setsockopt(*option)
        opened.settimeout(connection.timeout if isinstance(connection.timeout, (int, float)) else None)
        opened.connect(target)
    except BaseException:  # a call may be given up in its middle
        opened.close()
        raise
    return opened


def never_opened(error: BaseException | None) -> bool:
    """Did an exchange fail before a connection stood, so that the server cannot have seen the request?"""
    while error is not None:
        if isinstance(error, (NewConnectionError, NameResolutionError, ConnectTimeoutError)):
            return True
        error = inner_cause(error)
    return False


def inner_cause(error: BaseException) -> BaseException | None:
    """The error inside an error of requests or urllib3, which wrap each other's as `reason` or argument."""
    candidates = (getattr(error, "reason", None), *error.args)
    return next((part for part in candidates if isinstance(part, BaseException)), None)
