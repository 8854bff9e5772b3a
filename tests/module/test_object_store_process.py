"""The connector as the platform runs it with its files in an object store, and two processes of one connector."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fake_api import Answer, FakeApi
from tests.fake_store import FakeStore
from tests.played_platform import Platform, eventually

FAST = {"polling_interval": 0.01}
TAKEN = "Configuration error: memory: another process reads the same source"


@pytest.fixture
def store() -> Iterator[FakeStore]:
    """The object store of the platform."""
    with FakeStore() as running:
        yield running


def test_a_restarted_connector_does_not_deliver_again_from_a_store(platform: Platform, store: FakeStore) -> None:
    records: list[Any] = [{"id": number} for number in range(5)]
    with FakeApi(lambda _: Answer(json=list(records))) as api:
        settings = {"url": api.url, **FAST}
        first = platform.start("TesthttpConnector", settings, **store.environment("run"))
        eventually(lambda: len(api.asked) >= 3, "the first polls")
        status, seconds = first.stop()
        assert status == 0
        assert seconds < 2
        records.append({"id": 5})
        platform.start("TesthttpConnector", settings, **store.environment("run"))
        eventually(lambda: len(platform.events()) >= 6, "the new record arrives")

    assert [event["id"] for event in platform.events()] == [0, 1, 2, 3, 4, 5]
    assert all(key.startswith("run/connector-") for key in store.contents())


def test_a_new_process_takes_over_from_the_old_one(platform: Platform, store: FakeStore) -> None:
    records: list[Any] = [{"id": 0}]
    with FakeApi(lambda _: Answer(json=list(records))) as api:
        settings = {"url": api.url, **FAST}
        platform.start("TesthttpConnector", settings, **store.environment("run"))
        eventually(platform.events, "the first record")
        platform.start("TesthttpConnector", settings, **store.environment("run"))
        critical = eventually(lambda: platform.logs("critical"), "the old process stops")
        asked = len(api.asked)
        records.append({"id": 1})
        eventually(lambda: len(api.asked) > asked + 3, "the new process reads on")

    assert len(critical) == 1
    assert critical[0].startswith(TAKEN)
    ids = [event["id"] for event in platform.events()]
    assert set(ids) == {0, 1}
    assert ids.count(0) == 1


def test_a_store_that_fails_for_a_while_loses_nothing(platform: Platform, store: FakeStore) -> None:
    records: list[Any] = [{"id": 0}]
    with FakeApi(lambda _: Answer(json=list(records))) as api:
        platform.start("TesthttpConnector", {"url": api.url, **FAST}, **store.environment("run"))
        eventually(platform.events, "the first record")
        store.disturb = lambda method, key: "refuse"
        records.append({"id": 1})
        errors = eventually(lambda: platform.logs("error"), "the failure is reported")
        store.disturb = lambda method, key: None
        eventually(lambda: any("Polling works again" in line for line in platform.logs()), "it goes on")

    assert "the memory in " in errors[0]
    assert "cannot be used" in errors[0]
    assert {event["id"] for event in platform.events()} == {0, 1}
