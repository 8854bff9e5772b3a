"""The fixtures of the tests of the core."""

from collections.abc import Iterator

import pytest
import trustme
from hypothesis import settings

from httpkit.client import Client
from tests.core.clients import local_client
from tests.fake_api import Answer, Asked, FakeApi

# A busy machine is slow at times; that is no failure of the code.
settings.register_profile("core", max_examples=60, deadline=None)
settings.load_profile("core")


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A server of its own for one test; the test gives it its handler."""

    def not_prepared(_: Asked) -> Answer:
        return Answer(status=500, json={"error": "the test has given no handler"})

    with FakeApi(not_prepared) as running:
        yield running


@pytest.fixture
def client() -> Client:
    """A client without credentials and with short time limits."""
    return local_client()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A private authority."""
    return trustme.CA()


@pytest.fixture(scope="session")
def here(authority: trustme.CA) -> trustme.LeafCert:
    """A certificate for the address of the tests."""
    return authority.issue_cert("127.0.0.1")
