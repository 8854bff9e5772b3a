"""Connections: names resolved once, addresses checked, TLS set up; what travels over them is not known here.

The address that was checked is the address that is connected to, so a name that changes its answer in between gains
nothing. The original name still goes into the Host header and the TLS handshake.
"""

import select
import socket
import ssl
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from ipaddress import ip_address
from typing import Any

from msgspec.structs import replace
from urllib3.util.ssltransport import SSLTransport

from httpkit.destinations import DestinationPolicy, Origin
from httpkit.errors import UnavailableError, words_of
from httpkit.messages import DamagedAnswerError
from httpkit.proxies import Proxy, ask_for_tunnel
from httpkit.sockets import PatientSocket, PatientTlsSocket
from httpkit.tls import TlsSettings, tls_context
from httpkit.turns import in_thread

CONNECT_SECONDS = 10.0
_MOST_IDLE = 16
_ANYWHERE = DestinationPolicy(allow_private_networks=True)
"""The user has chosen the proxy himself, so it may stand in a private network."""


class NotConnectedError(OSError):
    """No connection stood, so that the server cannot have seen the request; the cause is why."""


class ProxyError(NotConnectedError):
    """It was the proxy that did not connect."""


class Connection:
    """A connection on which one request at a time is sent.

    Args:
        server: what it leads to; with a proxy and without TLS that is the proxy, whatever the server is.
        longest_seconds: how long a request and its answer may take together.
    """

    def __init__(self, opened: Any, server: Origin, longest_seconds: float) -> None:
        self.server = server
        self._opened = opened
        self._longest_seconds = longest_seconds
        # With TLS inside TLS the socket is behind another layer.
        self._socket: Any = opened.socket if isinstance(opened, SSLTransport) else opened
        self._readable = select.poll()
        self._readable.register(self._socket.fileno(), select.POLLIN)

    @property
    def is_dropped(self) -> bool:
        """Has the server closed it, or said something that it was not asked for?"""
        return bool(self._has_more or self._readable.poll(0))

    @property
    def _has_more(self) -> bool:
        """Has a layer of TLS already taken from the socket what nobody has read?"""
        inner, outer = self._opened, self._socket
        if isinstance(inner, SSLTransport) and (inner.sslobj.pending() or inner.incoming.pending):
            return True
        return isinstance(outer, PatientTlsSocket) and outer.pending() > 0

    def begin(self) -> None:
        """An exchange begins: the limit of a silence starts anew with each byte, that of the whole now."""
        self._socket.begin(self._longest_seconds)

    def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            OSError: the connection broke, or the time was over.
        """
        self._opened.sendall(data)

    def receive(self, most: int) -> bytes:
        """What has come, at most so many bytes; nothing when the server has ended the connection.

        Raises:
            OSError: as `send`.
        """
        received: bytes = self._opened.recv(most) or b""
        return received

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            self._opened.close()


class Connections:
    """Opens connections to allowed addresses only, and keeps some of them for the next requests.

    Args:
        policy: which addresses those are; with a proxy it is the proxy that resolves the name, so only `check_url`
            of the policy can be applied.
        silence_seconds: longest silence of a server.
        longest_seconds: how long it may take to connect, and how long a request and its answer together.

    Raises:
        SettingsError: a certificate or a key is not usable.
    """

    def __init__(
        self,
        policy: DestinationPolicy,
        tls: TlsSettings,
        proxy: Proxy | None,
        *,
        silence_seconds: float,
        longest_seconds: float,
    ) -> None:
        self._policy = policy
        self._proxy = proxy
        self._silence_seconds = silence_seconds
        self._longest_seconds = longest_seconds
        self._context = cache(lambda: tls_context(tls, longest_seconds))
        # Who we are is for the server alone to know.
        unnamed = replace(tls, client_certificate="", client_key="")
        self._proxy_context = cache(lambda: tls_context(unnamed, longest_seconds))
        if tls.ca_certificate or tls.client_certificate or tls.client_key:
            self._context()  # what is wrong with them shows now; otherwise it waits, since it takes long to make
        self._idle = list[Connection]()  # the one that was used last is the last one
        weakref.finalize(self, _close_all, self._idle)

    def take(self, origin: Origin) -> Connection:
        """A connection for a request to a server, as it was left by the request before or a new one.

        Raises:
            NotConnectedError: none could be opened.
            OSError: what TLS found wrong, or the time was over.
            UnavailableError: its address may not be reached.
        """
        server = self._proxy.origin if self._proxy and origin.scheme == "http" else origin
        for connection in self._idle[::-1]:
            if connection.server != server:
                continue
            try:
                self._idle.remove(connection)
            except ValueError:  # another thread was faster
                continue
            if not connection.is_dropped:
                return connection
            connection.close()
        return Connection(self._open(origin), server, self._longest_seconds)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        self._idle.append(connection)
        if len(self._idle) > _MOST_IDLE:
            self._idle.pop(0).close()

    def close(self) -> None:
        """Close those that are kept."""
        _close_all(self._idle)

    def _open(self, origin: Origin) -> Any:
        """A socket that is ready for a request."""
        proxy = self._proxy
        if proxy is None:
            opened: Any = self._dialled(origin, self._policy)
        else:
            try:
                opened = self._to_proxy(proxy, origin)
            except (OSError, DamagedAnswerError) as error:
                raise ProxyError(str(error)) from error
        secured = _secured(opened, origin.host, self._context) if origin.scheme == "https" else opened
        secured.settimeout(self._silence_seconds)
        return secured

    def _to_proxy(self, proxy: Proxy, origin: Origin) -> Any:
        opened: Any = self._dialled(proxy.origin, _ANYWHERE)
        if proxy.origin.scheme == "https":
            opened = _secured(opened, proxy.origin.host, self._proxy_context)
        if origin.scheme == "https":
            with _closing_unless_done(opened):
                ask_for_tunnel(opened, proxy, origin)
        return opened

    def _dialled(self, origin: Origin, policy: DestinationPolicy) -> PatientSocket:
        """A connection to an address of the host that was checked."""
        problem, failure = None, None
        for family, kind, protocol, _, target in _resolved(origin):
            problem = policy.problem_with(ip_address(str(target[0]).partition("%")[0]))
            if problem:
                continue
            try:
                return self._connected(PatientSocket(family, kind, protocol), target)
            except OSError as error:
                failure = error
        if failure:
            raise NotConnectedError(words_of(failure)) from failure
        raise UnavailableError(f"{origin.host} has {problem}")

    def _connected(self, opened: PatientSocket, target: Any) -> PatientSocket:
        with _closing_unless_done(opened):
            # A request is written in two pieces, and the second one must not wait until the first one was seen.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.settimeout(min(CONNECT_SECONDS, self._silence_seconds))
            opened.begin(self._longest_seconds)
            opened.connect(target)
        return opened


def _resolved(origin: Origin) -> list[Any]:
    name = origin.host.rstrip(".")  # a file of hosts knows no absolute names
    try:
        # It cannot be told to wait, and may take longer than a stop has.
        return in_thread(lambda: socket.getaddrinfo(name, origin.port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:  # the latter when it is no name at all
        raise NotConnectedError(f"{origin.host}: {words_of(error)}") from error


def _secured(opened: PatientSocket | PatientTlsSocket, host: str, context: Callable[[], ssl.SSLContext]) -> Any:
    """The same connection with TLS, or one more layer of it."""
    with _closing_unless_done(opened):
        name = host.partition("%")[0].rstrip(".")
        try:
            name.encode("idna")  # as TLS does, which would keep the socket when it cannot
        except UnicodeError as error:
            raise NotConnectedError(f"{host}: {error}") from None
        if isinstance(opened, PatientTlsSocket):
            return SSLTransport(opened, context(), server_hostname=name)
        return context().wrap_socket(opened, server_hostname=name)


@contextmanager
def _closing_unless_done(opened: PatientSocket | PatientTlsSocket) -> Iterator[None]:
    """Close a connection that is given up half-way, when nobody has it yet."""
    try:
        yield
    except BaseException:  # a call may be given up in its middle
        opened.close()
        raise


def _close_all(idle: list[Connection]) -> None:
    while idle:
        idle.pop().close()
