"""The connector with its files in an object store, and what two processes of one connector do to each other."""

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
        eventually(lambda: any("1 events collected" in line for line in platform.logs()), "the first record is there")
        store.disturb = lambda method, key: "refuse"
        records.append({"id": 1})
        errors = eventually(lambda: platform.logs("error"), "the failure is reported")
        store.disturb = lambda method, key: None
        eventually(lambda: any("Polling works again" in line for line in platform.logs()), "it goes on")

    assert "the memory in " in errors[0]
    assert "cannot be used" in errors[0]
    assert {event["id"] for event in platform.events()} == {0, 1}


def test_a_store_that_fails_at_the_start_is_waited_for(platform: Platform, store: FakeStore) -> None:
    store.disturb = lambda method, key: "refuse" if "state" in key else None
    with FakeApi(lambda _: Answer(json=[{"id": 0}])) as api:
        started = platform.start("TesthttpConnector", {"url": api.url, **FAST}, **store.environment("run"))
        (error,) = eventually(lambda: platform.logs("error"), "the failure is reported")
        assert not api.asked
        store.disturb = lambda method, key: None
        eventually(platform.events, "it starts")
        status, _ = started.stop()

    assert error.startswith("Start failed, next try in 5 s: the memory in ")
    assert status == 0


def test_a_second_process_on_the_same_disk_is_refused_and_ends_when_told(platform: Platform) -> None:
    with FakeApi(lambda _: Answer(json=[{"id": 0}])) as api:
        platform.start("TesthttpConnector", {"url": api.url, **FAST})
        eventually(platform.events, "the first record")
        second = platform.start("TesthttpConnector", {"url": api.url, **FAST})
        critical = eventually(lambda: platform.logs("critical"), "the second process is refused")
        status, seconds = second.stop()

    assert critical[0].startswith(TAKEN)
    assert status == 0
    assert seconds < 2
    assert len(platform.events()) == 1
