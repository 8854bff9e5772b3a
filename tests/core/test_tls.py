"""Who is trusted over TLS, and how we prove ourselves; certificates are made for each run."""

import json
import os
import pty
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from httpkit.client import Client
from httpkit.errors import SettingsError, UnavailableError
from httpkit.tls import TlsSettings
from httpkit.values import Response
from tests.core.clients import get, local_client, local_settings
from tests.core.tls_servers import SayWho, TlsServer, Tunnel, pem, tls_server

ROOT = Path(__file__).resolve().parents[2]

BUILD_A_CLIENT = """
import fcntl, json, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from httpkit.tls import TlsSettings, tls_context
from httpkit.errors import SettingsError
certificate, key = json.loads(sys.argv[1])
try:
    tls_context(TlsSettings(client_certificate=certificate, client_key=key), longest_seconds=1)
except SettingsError as error:
    print(error)
"""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A certificate and its key, as PEM texts."""

    certificate: str
    key: str

    @classmethod
    def of(cls, leaf: trustme.LeafCert) -> "Pair":
        """What a user would paste."""
        certificate = "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems)
        return cls(certificate=certificate, key=leaf.private_key_pem.bytes().decode())

    @property
    def encrypted_key(self) -> str:
        """The key, protected by a password."""
        key = serialization.load_pem_private_key(self.key.encode(), password=None)
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        ).decode()


@pytest.fixture(scope="module")
def us(authority: trustme.CA) -> Pair:
    """A certificate of a client."""
    return Pair.of(authority.issue_cert("us@example.com"))


def ask(url: str, **tls: str | bool) -> Response:
    """Send one request with these TLS settings."""
    client = local_client(tls=TlsSettings(**tls))  # type: ignore[arg-type]  # the tests name the fields correctly
    try:
        return client.send(get(url))
    finally:
        client.close()


def test_a_server_of_a_private_authority_is_trusted_with_its_certificate(
    authority: trustme.CA, here: trustme.LeafCert
) -> None:
    with tls_server(here) as url:
        assert ask(url, ca_certificate=pem(authority)).status == 200


def test_a_proxy_is_trusted_as_a_server_is_and_is_not_told_who_we_are(
    authority: trustme.CA, here: trustme.LeafCert, us: Pair
) -> None:
    settings = TlsSettings(ca_certificate=pem(authority), client_certificate=us.certificate, client_key=us.key)
    with (
        tls_server(here, clients=authority) as url,
        tls_server(here, clients=authority, handler=Tunnel) as proxy,
    ):
        client = local_client(proxy=proxy, tls=settings)
        try:
            assert b"us@example.com" in client.send(get(url)).body
        finally:
            client.close()
    assert [client or None for client in Tunnel.clients] == [None]


def test_several_authorities_may_be_given_in_one_text(authority: trustme.CA, here: trustme.LeafCert) -> None:
    with tls_server(here) as url:
        assert ask(url, ca_certificate=f"{pem(trustme.CA())}\n# ours\n{pem(authority)}").status == 200


def test_an_unknown_authority_is_refused_and_the_remedy_named(here: trustme.LeafCert) -> None:
    with tls_server(here) as url, pytest.raises(UnavailableError, match="for a private authority set ca_certificate"):
        ask(url)


def test_another_authority_than_the_trusted_one_is_refused(here: trustme.LeafCert) -> None:
    with tls_server(here) as url, pytest.raises(UnavailableError, match="certificate verify failed"):
        ask(url, ca_certificate=pem(trustme.CA()))


def test_a_certificate_for_another_host_is_refused(authority: trustme.CA) -> None:
    elsewhere = authority.issue_cert("elsewhere.example")

    with tls_server(elsewhere) as url, pytest.raises(UnavailableError, match=r"(?i)mismatch.*127\.0\.0\.1") as caught:
        ask(url, ca_certificate=pem(authority))

    assert "set ca_certificate" not in caught.value.message


def test_without_verification_any_certificate_is_taken() -> None:
    with tls_server(trustme.CA().issue_cert("elsewhere.example")) as url:
        assert ask(url, verify_tls=False).status == 200


def test_one_client_without_verification_changes_nothing_for_another(here: trustme.LeafCert) -> None:
    with tls_server(here) as url:
        ask(url, verify_tls=False)
        with pytest.raises(UnavailableError, match="certificate verify failed"):
            ask(url)


@pytest.mark.parametrize("verify", [True, False])
def test_we_prove_ourselves_with_our_certificate(
    authority: trustme.CA, here: trustme.LeafCert, us: Pair, verify: bool
) -> None:
    with tls_server(here, clients=authority) as url:
        response = ask(
            url,
            verify_tls=verify,
            ca_certificate=pem(authority),
            client_certificate=us.certificate,
            client_key=us.key,
        )

    assert b"us@example.com" in response.body


def test_our_key_may_stand_in_the_text_of_our_certificate(
    authority: trustme.CA, here: trustme.LeafCert, us: Pair
) -> None:
    both = f"{us.key}\n{us.certificate}"

    with tls_server(here, clients=authority) as url:
        assert b"us@" in ask(url, ca_certificate=pem(authority), client_certificate=both).body


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_demands_our_certificate_refuses_us_without_one_and_the_remedy_is_named(
    authority: trustme.CA, here: trustme.LeafCert, version: ssl.TLSVersion
) -> None:
    with (
        tls_server(here, clients=authority, newest=version) as url,
        pytest.raises(UnavailableError, match=r"\bclient_certificate"),
    ):
        ask(url, ca_certificate=pem(authority))


def test_a_plain_server_behind_an_https_address_is_told() -> None:
    with TlsServer(("127.0.0.1", 0), SayWho) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        with pytest.raises(UnavailableError, match="TLS connection failed"):
            ask(f"https://127.0.0.1:{server.server_address[1]}/")
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "text", ["nonsense", "   ", "é", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_an_authority_that_is_no_certificate_names_its_field(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^ca_certificate: is not a PEM certificate") as caught:
        Client(local_settings(tls=TlsSettings(ca_certificate=text)))

    assert caught.value.field == "ca_certificate"


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        ("nonsense", "own"),
        ("own", "nonsense"),
        ("own", ""),
        ("own", "foreign"),
        ("own", "encrypted"),
        ("é\0", "own"),
    ],
)
def test_a_pair_that_does_not_work_names_its_fields_and_shows_no_key(
    us: Pair, authority: trustme.CA, certificate: str, key: str
) -> None:
    texts = {
        "own": us.key,
        "foreign": Pair.of(authority.issue_cert("other@example.com")).key,
        "encrypted": us.encrypted_key,
    }
    tls = TlsSettings(
        client_certificate=us.certificate if certificate == "own" else certificate, client_key=texts.get(key, key)
    )

    with pytest.raises(SettingsError, match=r"^client_certificate: and client_key are not a usable pair") as caught:
        Client(local_settings(tls=tls))

    assert not any(line in str(caught.value) for line in us.key.splitlines())


def test_a_key_without_a_certificate_is_refused(us: Pair) -> None:
    with pytest.raises(SettingsError, match=r"^client_certificate: is missing") as caught:
        Client(local_settings(tls=TlsSettings(client_key=us.key)))

    assert caught.value.field == "client_certificate"


def test_an_encrypted_key_never_asks_for_its_password_at_the_terminal(us: Pair) -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", BUILD_A_CLIENT, json.dumps([us.certificate, us.encrypted_key])],
            stdin=theirs,
            capture_output=True,
            start_new_session=True,
            timeout=20,
            check=True,
            cwd=ROOT,
            text=True,
        )
    finally:
        os.close(ours)
        os.close(theirs)

    assert done.stdout.startswith("client_certificate: ")
    assert "the key without a password" in done.stdout


def test_the_key_is_not_in_the_text_of_the_settings(us: Pair) -> None:
    assert us.key not in repr(TlsSettings(client_certificate=us.certificate, client_key=us.key))
