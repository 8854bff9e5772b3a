"""An event that cannot be delivered is kept where a person can find it, without its secrets."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from httpkit.quarantine import Quarantined, quarantined_in
from httpkit.redaction import Redactor
from tests.core.remembering import keys, open_memory, remembered
from tests.fake_store import FakeStore

KEY = keys(7)[0]


@contextmanager
def on_disk(folder: Path) -> Iterator[Path]:
    """A folder on a disk."""
    yield folder


@contextmanager
def in_a_store(_: Path) -> Iterator[Path]:
    """A folder in an object store."""
    with FakeStore() as store:
        yield store.path("memory")


@pytest.fixture(params=[on_disk, in_a_store])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder of each kind."""
    place: Callable[[Path], Iterator[Path]] = request.param
    with place(tmp_path / "memory") as found:  # type: ignore[attr-defined]  # the fixture gives Any
        yield found


def only_one(data: Path) -> Quarantined:
    """The only event in quarantine."""
    (found,) = quarantined_in(data)
    return found


def test_an_event_is_kept_with_all_that_helps_to_find_it(tmp_path: Path) -> None:
    event = '{"text": "žluť \ud83d"}' + "x" * 250_000
    open_memory(tmp_path / "memory").quarantine(KEY, event, "too large")
    found = only_one(tmp_path)

    assert found.key == KEY.hex()
    assert found.when is not None
    assert timedelta() <= datetime.now(UTC) - found.when < timedelta(minutes=1)
    assert found.source == "https://api.example.com/items"
    assert found.reason == "too large"
    assert found.size == len(event.encode("utf-8", "surrogatepass"))
    assert len(found.digest) == 32
    assert found.head == event[:2048]


def test_a_file_in_quarantine_is_json(tmp_path: Path) -> None:
    open_memory(tmp_path).quarantine(KEY, "event", "too large")
    (path,) = (tmp_path / "quarantine").iterdir()

    assert path.name.startswith(KEY.hex())
    assert json.loads(path.read_bytes())["reason"] == "too large"


def test_no_secret_gets_into_quarantine_not_even_a_part_of_one(tmp_path: Path) -> None:
    redactor = Redactor(["a-long-secret-value"])
    memory = open_memory(tmp_path, clean=redactor.clean)
    for place in range(2020, 2050):
        memory.quarantine(KEY, "x" * place + "a-long-secret-value", "refused: a-long-secret-value")

    assert len(list(quarantined_in(tmp_path))) == 30
    assert not [path for path in (tmp_path / "quarantine").iterdir() if b"a-l" in path.read_bytes()]


def test_events_are_counted_once(folder: Path) -> None:
    memory = open_memory(folder)
    assert memory.quarantined == 0
    for event in ("one", "two", "one"):  # of one record, and after a failure once more
        memory.quarantine(KEY, event, "too large")
    memory.quarantine(keys(8)[0], "one", "too large")

    assert memory.quarantined == 3
    assert open_memory(folder).quarantined == 3


def test_quarantine_survives_restarts_and_commits(folder: Path) -> None:
    memory = open_memory(folder)
    memory.quarantine(KEY, "event", "too large")
    memory.remember(keys(7))

    assert remembered(folder) == keys(7)
    assert open_memory(folder).quarantined == 1


def test_a_file_that_a_crash_left_half_written_is_removed_at_the_next_start(tmp_path: Path) -> None:
    open_memory(tmp_path).quarantine(KEY, "event", "too large")
    half = tmp_path / "quarantine" / "left.json.new"
    half.write_bytes(b"{")
    open_memory(tmp_path)

    assert not half.exists()
    assert only_one(tmp_path).head == "event"


def test_all_memories_below_a_folder_are_listed_oldest_first(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        open_memory(tmp_path / "sub" / name).quarantine(KEY, name, "too large")

    assert [found.head for found in quarantined_in(tmp_path)] == ["b", "a", "c"]


def test_what_an_older_version_put_there_is_listed(tmp_path: Path) -> None:
    (tmp_path / "quarantine").mkdir()
    text = json.dumps({"reason": "250001 bytes", "event": "x" * 250_001})
    (tmp_path / "quarantine" / f"{KEY.hex()}.json").write_text(text)
    found = only_one(tmp_path)

    assert (found.key, found.reason, found.size, found.head) == (KEY.hex(), "250001 bytes", 250_001, "x" * 2048)


@pytest.mark.parametrize("content", [b"", b"{", b"null", b'{"reason": 1}', b"\xff"])
def test_a_damaged_file_is_listed_as_such(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "quarantine" / "0123.json").write_bytes(content)

    assert (only_one(tmp_path).key, only_one(tmp_path).reason) == ("0123", "this file is damaged")
