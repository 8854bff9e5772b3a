"""Which addresses a connection is opened to, whatever the names say; only name lookup and dialling are played."""

import errno
import gc
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from httpkit.client import Client
from httpkit.connections import Connections
from httpkit.destinations import DestinationPolicy, Origin, origin_of
from httpkit.errors import HttpkitError, UnavailableError
from httpkit.sockets import PatientSocket
from httpkit.throttle import RetryPolicy
from httpkit.tls import TlsSettings
from tests.core.clients import get, local_client, local_settings
from tests.core.polls import in_turn
from tests.fake_api import Answer, Asked, FakeApi

PUBLIC = "8.8.8.8"
REFUSING = "1.1.1.1"
SILENT = "9.9.9.9"
METADATA = "169.254.169.254"


class Internet:
    """Names and addresses as the operating system shows them: the server of the test is reached at `PUBLIC` too.

    Attributes:
        names: the answers to each lookup of a name, one after the other, the last one for ever; a name without
            answers is unknown.
        lookups: the names that were looked up.
        dialled: the addresses that a connection was tried to.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.lookups: list[str] = []
        self.dialled: list[str] = []
        self._connect = socket.socket.connect
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)
        monkeypatch.setattr(socket.socket, "connect", self._dialler())

    def _look_up(self, host: str, port: int, *_: object, **__: object) -> list[Any]:
        self.lookups.append(host)
        answers = self.names.get(host, [[host]] if host[0].isdigit() else [])
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (one, port)) for one in addresses]

    def _dialler(self) -> Callable[[socket.socket, tuple[str, int]], None]:
        def connect(opened: socket.socket, target: tuple[str, int]) -> None:
            address, port = target
            self.dialled.append(address)
            if address == REFUSING:
                raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
            if address == SILENT:
                raise TimeoutError("timed out")
            self._connect(opened, ("127.0.0.1" if address == PUBLIC else address, port))

        return connect


@pytest.fixture
def internet(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Internet:
    """An internet in which the server of the test has a public address; names are added by the test."""
    api.handler = in_turn(Answer(json="reached"))
    return Internet(monkeypatch)


@pytest.fixture
def outward() -> Client:
    """A client that may reach public addresses only."""
    return local_client(destinations=DestinationPolicy())


def at(api: FakeApi, host: str) -> str:
    """The URL of the server under another name."""
    return f"http://{host}:{urlsplit(api.url).port}/"


def test_a_name_is_looked_up_once_and_the_checked_address_is_dialled(
    api: FakeApi, internet: Internet, outward: Client
) -> None:
    internet.names["turning.example"] = [[PUBLIC], ["127.0.0.1"]]

    assert outward.send(get(at(api, "turning.example"))).status == 200

    assert internet.lookups == ["turning.example"]
    assert internet.dialled == [PUBLIC]


def test_a_name_that_turns_to_loopback_is_refused_at_the_next_connection(
    api: FakeApi, internet: Internet, outward: Client
) -> None:
    api.handler = in_turn(Answer(json="reached", headers={"Connection": "close"}))
    internet.names["turning.example"] = [[PUBLIC], ["127.0.0.1"]]
    outward.send(get(at(api, "turning.example")))

    with pytest.raises(UnavailableError, match=r"turning\.example has a private address; set allow_private_networks"):
        outward.send(get(at(api, "turning.example")))

    assert internet.dialled == [PUBLIC]
    assert len(api.asked) == 1


def test_a_retry_checks_the_address_anew(api: FakeApi, internet: Internet) -> None:
    settings = local_settings(destinations=DestinationPolicy(), retry=RetryPolicy(retries=3))
    internet.names["turning.example"] = [[REFUSING], ["127.0.0.1"]]

    with pytest.raises(UnavailableError, match="private address"):
        Client(settings, jitter=lambda: 0).send(get(at(api, "turning.example")))

    assert internet.dialled == [REFUSING]
    assert api.asked == []


@pytest.mark.parametrize("addresses", [["127.0.0.1", PUBLIC], [PUBLIC, "127.0.0.1"], ["10.0.0.1", METADATA, PUBLIC]])
def test_of_a_name_with_private_and_public_addresses_only_the_public_one_is_dialled(
    api: FakeApi, internet: Internet, outward: Client, addresses: list[str]
) -> None:
    internet.names["mixed.example"] = [addresses]

    assert outward.send(get(at(api, "mixed.example"))).status == 200
    assert internet.dialled == [PUBLIC]


@pytest.mark.parametrize("addresses", [["127.0.0.1", REFUSING], [REFUSING, "127.0.0.1"]])
def test_a_private_address_does_not_stand_in_for_a_public_one_that_refuses(
    api: FakeApi, internet: Internet, outward: Client, addresses: list[str]
) -> None:
    internet.names["mixed.example"] = [addresses]

    with pytest.raises(UnavailableError, match="could not connect"):
        outward.send(get(at(api, "mixed.example")))

    assert internet.dialled == [REFUSING]
    assert api.asked == []


def test_the_next_address_of_a_name_is_dialled_when_the_first_one_refuses(
    api: FakeApi, internet: Internet, outward: Client
) -> None:
    internet.names["api.example"] = [[REFUSING, PUBLIC]]

    assert outward.send(get(at(api, "api.example"))).status == 200
    assert internet.dialled == [REFUSING, PUBLIC]


def test_a_name_of_a_metadata_address_is_refused_even_where_private_networks_are_allowed(
    api: FakeApi, internet: Internet, client: Client
) -> None:
    internet.names["innocent.example"] = [[METADATA]]

    with pytest.raises(UnavailableError, match=r"innocent\.example has an address that gives out the credentials"):
        client.send(get(at(api, "innocent.example")))

    assert internet.dialled == []


def test_a_redirect_to_a_name_of_a_private_address_is_not_followed(
    api: FakeApi, internet: Internet, outward: Client
) -> None:
    internet.names = {"api.example": [[PUBLIC]], "inner.example": [["127.0.0.1"]]}
    api.handler = in_turn(Answer(status=302, headers={"Location": at(api, "inner.example")}))

    with pytest.raises(HttpkitError, match=r"inner\.example has a private address"):
        outward.send(get(at(api, "api.example")))

    assert internet.dialled == [PUBLIC]
    assert len(api.asked) == 1


@pytest.mark.parametrize("host", ["api.internal", "API.internal"])
def test_an_allowed_private_address_is_asked_under_its_name(
    api: FakeApi, internet: Internet, client: Client, host: str
) -> None:
    internet.names["api.internal"] = [["127.0.0.1"]]

    response = client.send(get(at(api, host)))

    assert response.url == at(api, "api.internal")
    assert api.asked[0].headers["host"] == urlsplit(at(api, "api.internal")).netloc


def test_an_absolute_name_is_looked_up_and_asked_for_without_its_dot(
    api: FakeApi, internet: Internet, client: Client
) -> None:
    internet.names["api.internal"] = [["127.0.0.1"]]

    assert client.send(get(at(api, "api.internal."))).status == 200
    assert api.asked[0].headers["host"] == urlsplit(at(api, "api.internal")).netloc


def test_requests_share_one_connection(api: FakeApi, internet: Internet, client: Client) -> None:
    for number in range(4):
        client.send(get(f"{api.url}/{number}"))

    assert [asked.path for asked in api.asked] == ["/0", "/1", "/2", "/3"]
    assert internet.dialled == ["127.0.0.1"]


def test_an_error_answer_leaves_the_connection_usable(api: FakeApi, internet: Internet, client: Client) -> None:
    api.handler = in_turn(Answer(status=404, json="no"), Answer(status=503, body=b""), Answer(json="yes"))

    assert [client.send(get(api.url)).status for _ in range(3)] == [404, 503, 200]
    assert internet.dialled == ["127.0.0.1"]


def test_a_connection_that_the_server_closes_is_opened_anew(api: FakeApi, internet: Internet, client: Client) -> None:
    api.handler = in_turn(Answer(json="one", headers={"Connection": "close"}), Answer(json="two"))

    assert [client.send(get(api.url)).body for _ in range(2)] == [b'"one"', b'"two"']
    assert internet.dialled == ["127.0.0.1", "127.0.0.1"]


def test_a_refused_connection_says_what_to_check(client: Client) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/events"

        with pytest.raises(UnavailableError) as caught:
            client.send(get(f"{url}?key=hidden"))

    assert caught.value.message == (f"GET {url}: could not connect (Connection refused); check the host and the port")


@pytest.mark.usefixtures("internet")
@pytest.mark.parametrize("host", ["no-such-name.example", "a..example", f"{'a' * 70}.example"])
def test_an_unknown_name_says_what_to_check(client: Client, host: str) -> None:
    with pytest.raises(UnavailableError, match=r"could not connect \(.*\); check the host") as caught:
        client.send(get(f"http://{host}/"))

    assert host in caught.value.message


@pytest.mark.usefixtures("internet")
def test_a_name_that_nothing_answers_for_says_how_long_was_waited(client: Client) -> None:
    with pytest.raises(UnavailableError, match="no connection within 5 s; check the host, the port and the firewall"):
        client.send(get(f"http://{SILENT}/"))


def test_a_closed_client_leaves_no_connection_open(api: FakeApi) -> None:
    api.handler = in_turn(Answer(json="reached"))
    # A socket that is forgotten while open is a ResourceWarning, and warnings are errors here.
    one = local_client()
    one.send(get(api.url))
    one.close()

    def answer(_: Asked) -> Answer:
        return Answer(json="again")

    api.handler = answer
    assert local_client().send(get(api.url)).body == b'"again"'


def test_connections_to_many_servers_are_not_all_kept_open() -> None:
    client = local_client()
    with ExitStack() as servers:
        for _ in range(24):
            api = servers.enter_context(FakeApi(lambda _: Answer(json=[])))
            assert client.send(get(api.url)).ok
        gc.collect()
        left = [one for one in gc.get_objects() if isinstance(one, PatientSocket) and one.fileno() >= 0]
        assert len(left) <= 16


def test_a_connection_that_another_thread_takes_meanwhile_is_not_taken_twice(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, origin = DestinationPolicy(allow_private_networks=True), origin_of(api.url)
    connections = Connections(policy, TlsSettings(), None, silence_seconds=5, longest_seconds=5)
    connections.give_back(connections.take(origin))

    taken_meanwhile = []

    def overtaken(*_: object) -> bool:
        monkeypatch.undo()
        taken_meanwhile.append(connections.take(origin))
        return True

    monkeypatch.setattr(Origin, "__eq__", overtaken)
    own = connections.take(origin)

    assert own not in taken_meanwhile
    for one in (own, *taken_meanwhile):
        one.close()
