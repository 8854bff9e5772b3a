"""Servers over TLS, whose certificates are made for each run."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import trustme


def pem(authority: trustme.CA) -> str:
    """An authority as a user would paste it."""
    return authority.cert_pem.bytes().decode()


class SayWho(BaseHTTPRequestHandler):
    """Answers with the name in the certificate of the client, null without one."""

    def do_GET(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        who: object = (self.connection.getpeercert() or {}).get("subjectAltName")
        body = json.dumps(who).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests look at what was answered."""


class Tunnel(BaseHTTPRequestHandler):
    """Opens tunnels, as a proxy does, and notes who asked for them."""

    clients: ClassVar[list[object]] = []

    def do_CONNECT(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        self.clients.append(self.connection.getpeercert())
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as server:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_carry, args=(server, self.connection), daemon=True)
            back.start()
            _carry(self.connection, server)
            back.join()

    def log_message(self, *_: object) -> None:
        """Tests look at what was answered."""


def _carry(source: socket.socket, target: socket.socket) -> None:
    """Send on what comes, until nothing does any more."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


class TlsServer(ThreadingHTTPServer):
    """What serves, each client in a thread of its own."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off the handshake is part of many tests."""


@contextmanager
def tls_server(
    leaf: trustme.LeafCert,
    *,
    clients: trustme.CA | None = None,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    handler: type[BaseHTTPRequestHandler] = SayWho,
) -> Iterator[str]:
    """The URL of a server with this certificate; `clients` is the authority whose certificate it demands.

    A tunnel asks for one, too, but does not demand it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    leaf.configure_cert(context)
    if clients:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL if handler is Tunnel else ssl.CERT_REQUIRED
    with TlsServer(("127.0.0.1", 0), handler) as server:
        # In the thread of the connection, so that a client that breaks off does not hold up the next one.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()
