"""Redirects are followed like requests of their own: same rules, fewer rights."""

from collections.abc import Callable
from typing import Any

import pytest

from httpkit.client import Client
from httpkit.client_settings import Exchange
from httpkit.destinations import DestinationPolicy
from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.values import Request, Response
from tests.core.clients import get, local_client
from tests.core.polls import in_turn, read
from tests.fake_api import Answer, Asked, FakeApi


def to(location: str, status: int = 302) -> Answer:
    """A redirect."""
    return Answer(status=status, body=b"", headers={"Location": location})


def by_path(answers: dict[str, Answer]) -> Callable[[Asked], Answer]:
    """A handler that knows these paths; every other one is a success without content."""
    return lambda asked: answers.get(asked.path, Answer(body=b""))


def sent(method: str, url: str, **fields: Any) -> Request:
    """A request with any method."""
    return Request(method=method, url=url, **fields)


@pytest.fixture
def other() -> Any:
    """A server of another origin that records what comes."""
    with FakeApi(by_path({})) as running:
        yield running


@pytest.mark.parametrize(
    ("status", "method", "followed_by"),
    [
        *((status, method, method) for status in (301, 302, 303, 307, 308) for method in ("GET", "HEAD")),
        *((status, "POST", "GET") for status in (301, 302, 303)),
        *((status, "POST", "POST") for status in (307, 308)),
        *((status, "PUT", "PUT") for status in (301, 302, 307, 308)),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
    ],
)
def test_the_method_after_a_redirect_is_that_of_the_standard(
    api: FakeApi, client: Client, status: int, method: str, followed_by: str
) -> None:
    api.handler = by_path({"/old": to("/new", status)})
    body = {"name": "value"} if method in {"POST", "PUT"} else None

    response = client.send(sent(method, f"{api.url}/old", body=body))

    first, second = api.asked
    assert (first.method, second.method, second.path) == (method, followed_by, "/new")
    assert second.body == (first.body if followed_by == method else b"")
    assert ("content-type" in second.headers) is bool(second.body)
    assert (response.status, response.url) == (200, f"{api.url}/new")


def test_the_headers_of_a_request_go_along_to_the_same_origin(api: FakeApi, client: Client) -> None:
    api.handler = by_path({"/old": to("/new")})

    client.send(get(f"{api.url}/old", headers={"X-Key": "hidden", "Accept": "text/csv"}))

    assert [asked.headers["x-key"] for asked in api.asked] == ["hidden", "hidden"]


def test_parameters_are_not_sent_again(api: FakeApi, client: Client) -> None:
    api.handler = by_path({"/old": to("/new?b=2")})

    client.send(get(f"{api.url}/old", params={"a": 1}))

    assert [asked.target for asked in api.asked] == ["/old?a=1", "/new?b=2"]


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("new", "/deep/new"),
        ("../new", "/new"),
        ("/new", "/new"),
        ("?page=2", "/deep/old?page=2"),
        ("/new#part", "/new"),
        ("/new?q=1#part", "/new?q=1"),
        ("/new one", "/new%20one"),
        ("/new%20one", "/new%20one"),
    ],
)
def test_a_location_is_read_relative_to_the_address_that_answered(
    api: FakeApi, client: Client, location: str, target: str
) -> None:
    api.handler = in_turn(to(location), Answer(body=b""))

    client.send(get(f"{api.url}/deep/old"))

    assert api.asked[1].target == target


def test_a_location_without_scheme_keeps_the_scheme(api: FakeApi, other: FakeApi, client: Client) -> None:
    api.handler = in_turn(to(f"{other.url.removeprefix('http:')}/new"))

    assert client.send(get(api.url)).url == f"{other.url}/new"


def test_ten_redirects_are_followed(api: FakeApi, client: Client) -> None:
    api.handler = by_path({f"/{number}": to(f"/{number + 1}") for number in range(10)})

    assert client.send(get(f"{api.url}/0")).url == f"{api.url}/10"


@pytest.mark.parametrize("step", [0, 1])
def test_the_eleventh_redirect_is_one_too_many(api: FakeApi, client: Client, step: int) -> None:
    api.handler = lambda asked: to(f"/{int(asked.path[1:]) + step}")

    with pytest.raises(UnexpectedShapeError, match="more than 10 redirects; use the final address"):
        client.send(get(f"{api.url}/0"))

    assert len(api.asked) == 11


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_origin_gets_none_of_the_headers_that_may_be_secret(
    api: FakeApi, other: FakeApi, client: Client, status: int
) -> None:
    api.handler = in_turn(to(f"{other.url}/new", status))
    secret = {"Authorization": "Basic hidden", "X-Key": "hidden", "Cookie": "a=hidden", "X-Any": "hidden"}

    client.send(get(api.url, headers={**secret, "Accept": "text/csv"}))

    (asked,) = other.asked
    assert asked.headers["accept"] == "text/csv"
    assert "hidden" not in str(asked.headers)


def test_the_credentials_of_the_account_stay_at_their_origin(api: FakeApi, other: FakeApi) -> None:
    api.handler = by_path({"/old": to(f"{other.url}/new")})
    other.handler = by_path({"/new": to(f"{api.url}/back")})

    local_client(url=api.url, bearer="hidden").send(get(f"{api.url}/old", authenticate=True))

    assert "authorization" not in other.asked[0].headers
    assert [asked.headers["authorization"] for asked in api.asked] == ["Bearer hidden"] * 2


@pytest.mark.parametrize(("method", "status"), [("POST", 307), ("POST", 308), ("PUT", 301), ("PATCH", 302)])
def test_a_body_is_not_sent_to_another_origin(
    api: FakeApi, other: FakeApi, client: Client, method: str, status: int
) -> None:
    api.handler = in_turn(to(f"{other.url}/new", status))

    with pytest.raises(UnexpectedShapeError, match=r"another origin, .* body is not sent; use the final address"):
        client.send(sent(method, api.url, body={"key": "hidden"}))

    assert other.asked == []


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_drops_the_body_may_go_to_another_origin(
    api: FakeApi, other: FakeApi, client: Client, status: int
) -> None:
    api.handler = in_turn(to(f"{other.url}/new", status))

    client.send(sent("POST", api.url, body={"key": "hidden"}))

    (asked,) = other.asked
    assert (asked.method, asked.body) == ("GET", b"")


def test_a_cookie_carries_a_redirect_to_its_end_and_no_further(api: FakeApi, client: Client) -> None:
    cookie = Answer(status=302, body=b"", headers={"Location": "/new", "Set-Cookie": "pass=yes; Path=/"})
    api.handler = by_path({"/old": cookie})

    client.send(get(f"{api.url}/old"))
    client.send(get(f"{api.url}/other"))

    assert [asked.headers.get("cookie") for asked in api.asked] == [None, "pass=yes", None]


def test_requests_at_the_same_time_do_not_share_cookies(api: FakeApi) -> None:
    """Details and further streams are asked for while a redirect is followed."""

    def wire(request: Request, send: Exchange) -> Response:
        if request.url.endswith("/new"):
            client.send(get(f"{api.url}/other"))
        return send(request)

    cookie = Answer(status=302, body=b"", headers={"Location": "/new", "Set-Cookie": "pass=yes; Path=/"})
    api.handler = by_path({"/old": cookie})
    client = local_client(wire=wire)

    client.send(get(f"{api.url}/old"))

    assert [(asked.path, asked.headers.get("cookie")) for asked in api.asked] == [
        ("/old", None),
        ("/other", None),
        ("/new", "pass=yes"),
    ]


def test_a_cookie_of_a_request_under_way_does_not_go_along_with_another_one(api: FakeApi) -> None:
    def wire(request: Request, send: Exchange) -> Response:
        if request.url.endswith("/other") and not first:
            first.append(client.send(get(f"{api.url}/old")))
        return send(request)

    first: list[Response] = []
    api.handler = by_path({"/old": Answer(body=b"", headers={"Set-Cookie": "pass=yes; Path=/"})})
    client = local_client(wire=wire)

    client.send(get(f"{api.url}/other"))

    assert [(asked.path, asked.headers.get("cookie")) for asked in api.asked] == [("/old", None), ("/other", None)]


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest/", "http://metadata.google.internal/", "http://[fd00:ec2::254]/"]
)
def test_a_redirect_to_a_metadata_address_is_refused(api: FakeApi, client: Client, location: str) -> None:
    api.handler = in_turn(to(location))

    with pytest.raises(UnexpectedShapeError, match=r"redirects to an address that is refused: .* credentials of the"):
        client.send(get(api.url))


@pytest.mark.parametrize("location", ["http://127.0.0.1/", "http://10.0.0.1/", "//2130706433/", "http://[::1]/"])
def test_a_redirect_to_a_private_address_is_refused(api: FakeApi, location: str) -> None:
    # The server stands behind a public name, which only a proxy can give it here.
    outward = local_client(destinations=DestinationPolicy(), proxy=api.url)
    api.handler = in_turn(to(location))

    with pytest.raises(UnexpectedShapeError, match=r"redirects to an address that is refused: .* private address"):
        outward.send(get("http://api.example/"))

    assert len(api.asked) == 1


def test_a_redirect_to_a_host_that_is_not_allowed_is_refused(api: FakeApi, other: FakeApi) -> None:
    policy = DestinationPolicy(allow_private_networks=True, allowed_hosts=["127.0.0.1"])
    api.handler = in_turn(to(other.url.replace("127.0.0.1", "localhost")))

    with pytest.raises(UnexpectedShapeError, match="localhost is not among them"):
        local_client(destinations=policy).send(get(api.url))

    assert other.asked == []


@pytest.mark.parametrize(
    "location",
    ["ftp://a.example/", "file:///etc/passwd", "mailto:a@b.example", "http://[::1", "http://a:99999/"],
)
def test_a_location_that_cannot_be_followed_is_the_fault_of_the_server(
    api: FakeApi, client: Client, location: str
) -> None:
    api.handler = in_turn(to(location))

    with pytest.raises(UnexpectedShapeError, match="redirects to an address that is refused"):
        client.send(get(api.url))


@pytest.mark.parametrize(
    "address",
    [
        "http://*.example.com/more?sig=hidden",
        "http://user:hidden@*.example.com/more",
        "http://user:hidden@h:99999/more?sig=hidden",
        "http://user:hidden@[half/more",
        "http://user:hid/hidden@h/more",
        "ftp://user:hidden@h/more?sig=hidden",
    ],
)
def test_what_an_address_of_the_server_may_hold_is_not_in_the_error(
    api: FakeApi, client: Client, address: str
) -> None:
    """It is signed, or has a password, more often than not; nobody has announced those as secrets."""
    api.handler = by_path({"/old": to(address), "/page": Answer(json={"items": [{"id": 1}], "next": address})})

    with pytest.raises(UnexpectedShapeError) as redirect:
        client.send(get(f"{api.url}/old"))
    with pytest.raises(UnexpectedShapeError) as following:
        read(api, client, path="/page", pagination="next_url", next_path="next")

    assert "hidden" not in f"{redirect.value.message} {following.value.message}"


def test_an_address_of_the_user_that_is_refused_is_a_setting(client: Client) -> None:
    with pytest.raises(SettingsError):
        client.send(get("ftp://a.example/"))


@pytest.mark.parametrize(("status", "headers"), [(302, {}), (300, {"Location": "/new"}), (304, {"Location": "/new"})])
def test_what_is_no_redirect_is_the_answer(api: FakeApi, client: Client, status: int, headers: dict[str, str]) -> None:
    api.handler = in_turn(Answer(status=status, body=b"", headers=headers))

    assert client.send(get(api.url)).status == status
    assert len(api.asked) == 1


def test_a_redirect_is_the_answer_where_redirects_are_not_followed(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(to("http://169.254.169.254/"))

    response = client.send(get(api.url, follow_redirects=False))

    assert (response.status, response.headers["Location"]) == (302, "http://169.254.169.254/")


def test_the_body_of_a_redirect_has_the_same_limit_as_any_other(api: FakeApi) -> None:
    api.handler = in_turn(Answer(status=302, body=bytes(1_100_000), headers={"Location": "/new"}))

    with pytest.raises(UnexpectedShapeError, match="larger than 1 MB"):
        local_client(max_response_megabytes=1).send(get(api.url))

    assert len(api.asked) == 1
