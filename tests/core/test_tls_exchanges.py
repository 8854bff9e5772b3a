"""What servers do over TLS beside what they should: answer too early or too often, or have no name."""

import pytest
import trustme

from httpkit.errors import UnavailableError
from httpkit.tls import TlsSettings
from httpkit.values import Request
from tests.core.clients import get, local_client
from tests.core.tls_servers import SayWho, Tunnel, pem, tls_server


class _Hasty(SayWho):
    """Refuses what it is sent before all of it has come."""

    def do_POST(self) -> None:
        self.wfile.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 7\r\n\r\nat most")


class _Promising(SayWho):
    """Opens a tunnel to whatever it is told."""

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()


class _SayMore(SayWho):
    """Adds an answer that nobody asked for to the body of its first one, in the same record."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        self.wfile.write(b"own" + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother" * (self.path == "/first"))


def test_a_server_that_does_not_want_all_of_a_body_says_why(authority: trustme.CA, here: trustme.LeafCert) -> None:
    with tls_server(here, handler=_Hasty) as url:
        client = local_client(tls=TlsSettings(ca_certificate=pem(authority)))
        request = Request(method="POST", url=url, body=bytes(16 * 1024 * 1024), body_format="raw")

        assert (client.send(request).status, client.send(request).body) == (413, b"at most")


@pytest.mark.parametrize("host", ["a..example", f"{'a' * 70}.example"])
def test_what_is_no_name_says_so_also_where_a_proxy_would_resolve_it(
    authority: trustme.CA, here: trustme.LeafCert, host: str
) -> None:
    with tls_server(here, handler=_Promising) as proxy:
        client = local_client(proxy=proxy, tls=TlsSettings(ca_certificate=pem(authority)))
        with pytest.raises(UnavailableError, match=r"could not connect \(.*\); check the host") as caught:
            client.send(get(f"https://{host}/"))

    assert host in caught.value.message


@pytest.mark.parametrize("is_tunnelled", [False, True])
def test_what_a_server_adds_to_an_answer_is_never_taken_for_the_next_one(
    authority: trustme.CA, here: trustme.LeafCert, is_tunnelled: bool
) -> None:
    with (
        tls_server(here, handler=_SayMore) as url,
        tls_server(here, handler=Tunnel) as proxy,
    ):
        client = local_client(proxy=proxy if is_tunnelled else "", tls=TlsSettings(ca_certificate=pem(authority)))
        try:
            assert [client.send(get(f"{url}{path}")).body for path in ("first", "second")] == [b"own", b"own"]
        finally:
            client.close()
