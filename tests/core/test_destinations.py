"""Which hosts and addresses may be reached."""

from ipaddress import ip_address

import pytest

from httpkit.destinations import DestinationPolicy, judge, origin_of
from httpkit.errors import HttpkitError, SettingsError
from httpkit.values import Request
from tests.core.clients import local_client

OPEN = DestinationPolicy(allow_private_networks=True)


@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        *((one, "public") for one in ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")),
        *((one, "private") for one in ("127.0.0.1", "127.255.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255")),
        *((one, "private") for one in ("192.168.1.1", "100.64.0.1", "100.127.255.255", "169.254.1.1", "198.18.0.1")),
        *((one, "private") for one in ("::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1")),
        *((one, "private") for one in ("::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1")),
        *((one, "private") for one in ("2002:c0a8:101::", "64:ff9b:1::a00:1", "2001:0:1:2:3:4:80ff:fffe")),
        *((one, "metadata") for one in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16")),
        *((one, "metadata") for one in ("fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe")),
        *((one, "unusable") for one in ("0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "ff02::1")),
    ],
)
def test_the_kind_of_an_address_is_known(address: str, verdict: str) -> None:
    assert judge(ip_address(address)) == verdict


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "::ffff:a9fe:a9fe", "0.0.0.0", "ff02::1"])
def test_metadata_and_impossible_addresses_are_refused_whatever_is_allowed(address: str) -> None:
    assert OPEN.problem_with(ip_address(address))


_LOOPBACK = ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "0x7f000001", "017700000001", "127.0.0.1."]


@pytest.mark.parametrize("host", [*_LOOPBACK, "[::1]", "[::ffff:127.0.0.1]", "0", "LOCALHOST", "localhost."])
def test_no_spelling_of_loopback_is_reached(host: str) -> None:
    client = local_client(destinations=DestinationPolicy())

    with pytest.raises(HttpkitError, match=r"address|resolve|known"):
        client.send(Request(method="GET", url=f"http://{host}:9/"))


@pytest.mark.parametrize("host", [*_LOOPBACK, "[::1]"])
def test_a_spelling_of_loopback_is_refused_by_its_url_alone_as_a_proxy_needs_it(host: str) -> None:
    with pytest.raises(SettingsError, match="private address; set allow_private_networks"):
        DestinationPolicy().check_url(f"http://{host}/")


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "2852039166", "0xa9fea9fe", "metadata.google.internal", "METADATA.google.internal."]
)
def test_no_spelling_of_metadata_is_reached(host: str) -> None:
    with pytest.raises(SettingsError, match="credentials of the machine"):
        OPEN.check_url(f"http://{host}/latest/")


@pytest.mark.parametrize(
    ("patterns", "host", "allowed"),
    [
        ([], "any.example.net", True),
        (["api.example.com"], "api.example.com", True),
        (["API.example.com"], "Api.Example.COM", True),
        (["*.example.com"], "api.example.com", True),
        (["*.example.com"], "example.com", False),
        (["*.example.com"], "api.example.com.evil.net", False),
        (["example.com"], "notexample.com", False),
        (["bücher.example"], "xn--bcher-kva.example", True),
        (["*.bücher.example"], "api.bücher.example", True),
        (["xn--bcher-kva.example"], "BÜCHER.example", True),
    ],
)
def test_only_hosts_that_fit_a_pattern_are_allowed(patterns: list[str], host: str, allowed: bool) -> None:
    policy = DestinationPolicy(allowed_hosts=patterns)
    if allowed:
        policy.check_url(f"https://{host}/")
        return
    with pytest.raises(SettingsError, match="allowed_hosts"):
        policy.check_url(f"https://{host}/")


def test_a_pattern_that_names_no_host_is_told() -> None:
    with pytest.raises(SettingsError, match=r"allowed_hosts: .* is not a host name"):
        DestinationPolicy(allowed_hosts=["ü" * 70]).check_url("https://example.com/")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/x", "https://A.example:443/y?z", True),
        ("https://bücher.example/", "https://xn--bcher-kva.example/", True),
        ("http://a.example", "https://a.example", False),
        ("https://a.example", "https://a.example:8443", False),
        ("https://a.example", "https://b.a.example", False),
        ("https://a.example\\@b.example/", "https://b.example/", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one: str, other: str, same: bool) -> None:
    assert (origin_of(one) == origin_of(other)) is same


@pytest.mark.parametrize("url", ["example.com", "ftp://a/", "https://", "http://[::1", "http://a:99999/", "", "/x"])
def test_what_is_no_http_url_is_told(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^url: "):
        origin_of(url)
