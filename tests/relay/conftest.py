"""Fixtures of the relay's tests: a store in a temporary file and the relay really listening; no rules live here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.server import RunningServer, create_app
from relay.store import Store
from tests.relay.live_relay import INTAKE_KEY, MODULE_SECRET, TOKEN, LiveRelay


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "relay.sqlite3"


@pytest.fixture
def store(database: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{database}")
    yield store
    store.close()


@pytest.fixture
def relay(store: Store) -> Iterator[LiveRelay]:
    run_id = store.open_run(component="Request", token=TOKEN, secrets={"api_key": MODULE_SECRET})
    intake_id = store.open_intake(name="demo", key=INTAKE_KEY)
    with RunningServer(create_app(store)) as server:
        yield LiveRelay(url=server.url, store=store, run_id=run_id, intake_id=intake_id)
