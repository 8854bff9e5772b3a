"""Which hosts and addresses may be reached; names are resolved and connections opened elsewhere."""

import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct
from urllib3.util import parse_url

from httpkit.errors import SettingsError
from httpkit.redaction import without_query

_KNOWN_ORIGINS = _KNOWN_ADDRESSES = 64
_BEGINNING = re.compile(r"https?://[^/?#]+")
DEFAULT_PORTS = {"http": 80, "https": 443}

Address = IPv4Address | IPv6Address

Verdict = Literal["public", "private", "metadata", "unusable"]

# Credentials of the machine itself are handed out at these addresses to whoever asks.
_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google, DigitalOcean, Oracle, OpenStack
        "169.254.170.2",  # AWS container credentials
        "169.254.170.23",  # AWS pod identity
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",  # Google over IPv6
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure wire server
    )
)
_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata", "instance-data", "metadata.goog"})
# Listed and not asked of `ipaddress`, whose opinion of what is private differs between Python releases.
_PRIVATE = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("192.0.0.0/24", "198.18.0.0/15", "::1/128", "fc00::/7", "fe80::/10"),
        *("fec0::/10", "64:ff9b:1::/48", "::ffff:0:0:0/96"),
    )
)
_UNUSABLE = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
        *("::/128", "ff00::/8", "100::/64", "2001:db8::/32", "192.88.99.0/24"),
    )
)
_NAT64 = ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ip_network("::/96")


class Origin(Struct, frozen=True, kw_only=True):
    """Scheme, host and port: the three that must all match before a credential is sent (RFC 6454)."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin:
    """The origin of an absolute http or https URL.

    Raises:
        SettingsError: the URL has no host, another scheme, or an impossible port.
    """
    # Each page has an address of its own, and all of them one beginning; what is wrong is told of the whole.
    if found := _BEGINNING.match(url):
        with suppress(SettingsError):
            return _origin_of(found[0])
    return _origin_of(url)


@lru_cache(_KNOWN_ORIGINS)
def _origin_of(url: str) -> Origin:
    shown = repr(without_query(url))
    try:
        # The parser that the connection uses too, so that both see the same host; it gives names in their IDNA form.
        parts = parse_url(url)
        scheme, host, port = (parts.scheme or "").lower(), (parts.host or "").strip("[]"), urlsplit(url).port
    except ValueError:  # whose text shows all of the URL
        raise SettingsError(
            "url", f"{shown} is not a URL; write it as https://host/path or https://host:port/path"
        ) from None
    if scheme not in DEFAULT_PORTS:
        raise SettingsError("url", f"{shown} must start with https:// or http://")
    if not host:
        raise SettingsError("url", f"{shown} names no host; write it as https://host/path")
    return Origin(scheme=scheme, host=host.lower(), port=port or DEFAULT_PORTS[scheme])


class DestinationPolicy(Struct, frozen=True, kw_only=True):
    """What a user lets a component reach.

    Attributes:
        allow_private_networks: may loopback, private and link-local addresses be reached? Cloud metadata never may.
        allowed_hosts: patterns such as `*.example.com`; when there are any, nothing else is reached.
    """

    allow_private_networks: bool = False
    allowed_hosts: Sequence[str] = ()

    def check_url(self, url: str) -> None:
        """Check what the URL itself tells, without resolving a name.

        Raises:
            SettingsError: its host is not among the allowed ones, or is an address that may not be reached.
        """
        host = origin_of(url).host
        if self.allowed_hosts and not any(fnmatchcase(host, _in_ascii(name)) for name in self.allowed_hosts):
            raise SettingsError("allowed_hosts", f"{host} is not among them; add it if it should be reached")
        if host.rstrip(".") in _METADATA_NAMES:
            raise SettingsError("url", f"{host} gives out the credentials of the machine and is never reached")
        address = _written_address(host)
        if address and (problem := self.problem_with(address)):
            raise SettingsError("url", f"{host} is {problem}")

    def problem_with(self, address: Address) -> str | None:
        """Why an address may not be connected to, with the remedy; None when it may."""
        verdict = judge(address)
        if verdict == "metadata":
            return "an address that gives out the credentials of the machine; it is never reached"
        if verdict == "unusable":
            return "an address that no server can have"
        if verdict == "private" and not self.allow_private_networks:
            return "a private address; set allow_private_networks in the account if it should be reached"
        return None


@lru_cache(_KNOWN_ADDRESSES)
def judge(address: Address) -> Verdict:
    """What kind of address it is; an IPv4 address inside an IPv6 one counts as itself."""
    inner = _embedded(address)
    if inner is not None:
        return judge(inner)
    if address in _METADATA:
        return "metadata"
    if any(address in network for network in _UNUSABLE if network.version == address.version):
        return "unusable"
    if any(address in network for network in _PRIVATE if network.version == address.version):
        return "private"
    return "public"


@lru_cache(_KNOWN_ADDRESSES)
def _written_address(host: str) -> Address | None:
    """The address that a host names by itself, in the old spellings of IPv4 too (`127.1`, `0x7f000001`, `2130706433`).

    The system reads them all, and so does a proxy, which would connect without asking us.
    """
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host.rstrip(".")))
    except (OSError, ValueError):
        return None


def _in_ascii(pattern: str) -> str:
    """A pattern in the form in which hosts are compared."""
    try:
        return pattern.strip().lower() if pattern.isascii() else pattern.strip().lower().encode("idna").decode()
    except UnicodeError:
        raise SettingsError("allowed_hosts", f"{pattern!r} is not a host name or a pattern of one") from None


def _embedded(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    named = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
    if named:
        return named
    if address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
