"""The fixture that tests of whole components share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.server import RunningServer, create_app
from relay.store import Store
from tests.played_platform import Platform


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A platform of its own for one test."""
    store = Store(f"sqlite:///{tmp_path}/relay.sqlite3")
    with RunningServer(create_app(store)) as server:
        platform = Platform(tmp_path, store, server.url)
        yield platform
        platform.stop_all()
    store.close()
