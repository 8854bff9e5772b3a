"""The digest scheme: its answers to the vectors of RFC 7616, and how it treats a real server's challenges."""

import hashlib
import re
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from httpkit.auth import AccountSettings
from httpkit.auth_digest import Challenge, DigestCredentials, strongest_challenge
from httpkit.client import Client
from tests.core.clients import get, local_client
from tests.fake_api import Answer, Asked, FakeApi

USER, PASSWORD = "Mufasa", "Circle of Life"
FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
HASHES = {
    "MD5": hashlib.md5,
    "SHA-256": hashlib.sha256,
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data),
}


def fields_of(authorization: str) -> dict[str, str]:
    """The fields of an answer to a challenge, without quotes."""
    assert authorization.startswith("Digest ")
    return {name: quoted or plain for name, quoted, plain in FIELD.findall(authorization)}


# RFC 7616 §3.9.1
EXAMPLE = Challenge(
    realm="http-auth@example.org",
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    algorithm="MD5",
    session=False,
    quality=True,
)


def answered(one: Challenge, *, count: int = 1) -> dict[str, str]:
    """The fields of the answer to a GET with the client nonce of RFC 7616 §3.9.1."""
    credentials = DigestCredentials(user=USER, password=PASSWORD)
    nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    return fields_of(credentials.answer(one, "GET", "/dir/index.html", count=count, client_nonce=nonce))


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616_come_out_as_printed(algorithm: str, response: str) -> None:
    one = replace(EXAMPLE, algorithm=algorithm)

    assert answered(one) == {
        "username": "Mufasa",
        "realm": "http-auth@example.org",
        "uri": "/dir/index.html",
        "algorithm": algorithm,
        "nonce": one.nonce,
        "nc": "00000001",
        "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        "qop": "auth",
        "response": response,
        "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    }


def test_a_challenge_without_qop_is_answered_as_in_rfc_2069() -> None:
    # The example of RFC 2069 §2.4 with the response that its erratum 749 corrects.
    one = replace(
        EXAMPLE, realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque=None, quality=False
    )
    credentials = DigestCredentials(user=USER, password="CircleOfLife")

    fields = fields_of(credentials.answer(one, "GET", "/dir/index.html", count=1, client_nonce="unused"))

    assert fields["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert not {"qop", "nc", "cnonce", "opaque"} & fields.keys()


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256"])
def test_a_session_algorithm_hashes_both_nonces_into_the_key(algorithm: str) -> None:
    one = replace(EXAMPLE, algorithm=algorithm, session=True)
    fields = answered(one, count=255)

    def digest(text: str) -> str:
        return str(HASHES[algorithm](text.encode()).hexdigest())

    key = digest(f"{digest(f'{USER}:{one.realm}:{PASSWORD}')}:{one.nonce}:{fields['cnonce']}")
    expected = digest(f"{key}:{one.nonce}:000000ff:{fields['cnonce']}:auth:{digest('GET:/dir/index.html')}")
    assert (fields["algorithm"], fields["nc"]) == (f"{algorithm}-sess", "000000ff")
    assert fields["response"] == expected


def test_quotes_and_backslashes_in_names_are_escaped() -> None:
    credentials = DigestCredentials(user='a"b', password="p")

    text = credentials.answer(replace(EXAMPLE, realm="c\\d"), "GET", "/", count=1, client_nonce="n")

    assert r'username="a\"b"' in text
    assert r'realm="c\\d"' in text


@pytest.mark.parametrize(
    ("header", "algorithm"),
    [
        ('Digest realm="r", nonce="n", algorithm=MD5, Digest realm="r", nonce="n", algorithm=SHA-256', "SHA-256"),
        ('Digest nonce="n", algorithm=SHA-512-256, Digest nonce="n", algorithm=SHA-256', "SHA-512-256"),
        ('Basic realm="x, y", Digest realm="r", qop="auth,auth-int", nonce="n"', "MD5"),
        ('digest nonce="n", algorithm="sha-256", Basic realm="x"', "SHA-256"),
        ('Digest nonce="n", algorithm=SHA3-999, Digest nonce="n", algorithm=MD5', "MD5"),
        ('Digest nonce="n", algorithm=SHA-256, qop="auth-int", Digest nonce="n", algorithm=MD5, qop=auth', "MD5"),
    ],
)
def test_the_strongest_challenge_that_can_be_answered_is_taken(header: str, algorithm: str) -> None:
    found = strongest_challenge(header)

    assert found is not None
    assert found.algorithm == algorithm


@pytest.mark.parametrize(
    "header",
    ["", 'Basic realm="r"', 'Digest realm="r"', 'Digest nonce="n", qop="auth-int"', 'Digest nonce="n", algorithm=NEW'],
)
def test_a_header_without_an_answerable_challenge_gives_none(header: str) -> None:
    assert strongest_challenge(header) is None


# Against a server that checks


class DigestServer:
    """The server's side: checks responses, and accepts each nonce for as many requests as it is told."""

    def __init__(self, *, algorithm: str = "MD5", session: bool = False, uses: int = 1000) -> None:
        self._algorithm = algorithm
        self._session = session
        self._uses = uses
        self._nonces = 0
        self._used: dict[str, int] = {}

    def __call__(self, asked: Asked) -> Answer:
        if "authorization" in asked.headers and self._accepts(asked):
            return Answer(json="welcome")
        self._nonces += 1
        name = self._algorithm + ("-sess" if self._session else "")
        text = f'Digest realm="r, s", qop="auth", nonce="nonce-{self._nonces}", algorithm={name}, opaque=""'
        return Answer(status=401, headers={"WWW-Authenticate": ['Basic realm="b"', text]})

    def _accepts(self, asked: Asked) -> bool:
        fields = fields_of(asked.headers["authorization"])
        nonce, count = fields["nonce"], int(fields["nc"], 16)
        current = nonce == f"nonce-{self._nonces}" and self._used.get(nonce, 0) < count <= self._uses
        self._used[nonce] = count
        return current and fields["uri"] == asked.target and fields["response"] == self._right(asked.method, fields)

    def _right(self, method: str, fields: dict[str, str]) -> str:
        def digest(text: str) -> str:
            return str(HASHES[self._algorithm](text.encode()).hexdigest())

        key = digest(f"{USER}:r, s:{PASSWORD}")
        if self._session:
            key = digest(f"{key}:{fields['nonce']}:{fields['cnonce']}")
        middle = f"{fields['nonce']}:{fields['nc']}:{fields['cnonce']}:auth"
        return digest(f"{key}:{middle}:{digest(method + ':' + fields['uri'])}")


DIGEST = AccountSettings(auth="digest", username=USER, api_key=PASSWORD, headers={"X-Tenant": "seven"})


def digest_client(api: FakeApi, handler: Callable[[Asked], Answer], account: AccountSettings = DIGEST) -> Client:
    api.handler = handler
    return local_client(url=api.url, account=account)


def nonces_and_counts(api: FakeApi) -> list[tuple[str, str] | None]:
    """Of each request the server's nonce and its count; None where nothing was proven."""
    answers = [asked.headers.get("authorization") for asked in api.asked]
    return [(fields_of(text)["nonce"], fields_of(text)["nc"]) if text else None for text in answers]


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256"])
def test_a_server_that_checks_lets_the_right_password_in(api: FakeApi, algorithm: str, session: bool) -> None:
    client = digest_client(api, DigestServer(algorithm=algorithm, session=session))

    response = client.send(get(f"{api.url}/a%20b?x=1", params={"y": "ä /?"}, authenticate=True))

    assert (response.status, response.body) == (200, b'"welcome"')
    assert [asked.headers["x-tenant"] for asked in api.asked] == ["seven", "seven"]
    assert PASSWORD not in str(api.asked)


def test_a_body_is_sent_again_with_the_answer_to_the_challenge(api: FakeApi) -> None:
    request = replace(get(api.url, authenticate=True), method="POST", body={"a": 1})

    assert digest_client(api, DigestServer()).send(request).ok
    assert [asked.json for asked in api.asked] == [{"a": 1}, {"a": 1}]


def test_a_challenge_is_kept_and_its_count_rises(api: FakeApi) -> None:
    client = digest_client(api, DigestServer())

    assert all(client.send(get(f"{api.url}/{n}", authenticate=True)).ok for n in range(3))
    assert nonces_and_counts(api) == [
        None,
        ("nonce-1", "00000001"),
        ("nonce-1", "00000002"),
        ("nonce-1", "00000003"),
    ]


def test_a_401_with_a_new_nonce_is_answered_from_one_again(api: FakeApi) -> None:
    client = digest_client(api, DigestServer(uses=2))

    assert all(client.send(get(api.url, authenticate=True)).ok for _ in range(3))
    assert nonces_and_counts(api) == [
        None,
        ("nonce-1", "00000001"),
        ("nonce-1", "00000002"),
        ("nonce-1", "00000003"),
        ("nonce-2", "00000001"),
    ]


def test_a_wrong_password_gives_the_401_back_after_one_try(api: FakeApi) -> None:
    client = digest_client(api, DigestServer(), replace(DIGEST, api_key="wrong"))

    assert client.send(get(api.url, authenticate=True)).status == 401
    assert nonces_and_counts(api) == [None, ("nonce-1", "00000001")]

    assert client.send(get(api.url, authenticate=True)).status == 401
    assert len(api.asked) == 4


@pytest.mark.parametrize("header", ['Basic realm="r"', 'Digest realm="r", nonce="n", qop="auth-int"', "", None])
def test_a_401_that_cannot_be_answered_is_given_back(api: FakeApi, header: str | None) -> None:
    refusal = Answer(status=401, headers={} if header is None else {"WWW-Authenticate": header})
    client = digest_client(api, lambda _: refusal)

    assert client.send(get(api.url, authenticate=True)).status == 401
    assert nonces_and_counts(api) == [None]


def test_a_server_that_asks_for_nothing_gets_no_proof(api: FakeApi) -> None:
    client = digest_client(api, lambda _: Answer(json=[]))

    assert client.send(get(api.url, authenticate=True)).ok
    assert nonces_and_counts(api) == [None]


def test_a_challenge_of_another_origin_is_not_answered(api: FakeApi) -> None:
    with FakeApi(DigestServer()) as stranger:
        client = digest_client(api, lambda _: Answer(status=302, headers={"Location": stranger.url}))

        assert client.send(get(api.url, authenticate=True)).status == 401
        assert nonces_and_counts(stranger) == [None]
