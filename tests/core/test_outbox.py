"""Entries wait in order and survive restarts, on a disk and in an object store; what is sent is never sent again."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from httpkit.errors import SettingsError
from httpkit.outbox import NewPage, Outbox
from httpkit.values import JsonValue, Position
from tests.core.remembering import keys, open_memory
from tests.fake_store import FakeStore

NOW = datetime(2026, 1, 6, tzinfo=UTC)


@pytest.fixture(params=["disk", "store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Where the memory is."""
    if request.param == "disk":
        yield tmp_path / "memory"
        return
    with FakeStore() as store:
        yield store.path("a", "memory")


def opened(folder: Path) -> Outbox:
    """The outbox as a start of the process finds it, after the end of the one before."""
    memory = open_memory(folder)
    memory.close()
    return Outbox(memory)


def page(*entries: JsonValue, **fields: Any) -> NewPage:
    """A page with entries; the first of them says which key it has."""
    numbers = [entry for entry in entries if isinstance(entry, int)]
    return NewPage(entries=entries, keys=keys(*numbers), position=Position(token=str(entries)), **fields)


def most(number: int) -> Any:
    """So many entries make a run."""
    return lambda waiting: len(list(islice(waiting, number)))


def sent(outbox: Outbox, number: int = 2) -> Sequence[JsonValue]:
    """The next run, which is accepted."""
    run = outbox.next_run(most(number))
    outbox.run_sent()
    return run


def test_entries_wait_in_order_across_pages_and_restarts(folder: Path) -> None:
    outbox = opened(folder)
    outbox.put(page(1, 2, 3), NOW)
    outbox.put(page(4), NOW)
    assert sent(outbox) == [1, 2]
    outbox = opened(folder)
    outbox.put(page(5), NOW)
    outbox = opened(folder)

    assert [sent(outbox), sent(outbox)] == [[3, 4], [5]]
    assert outbox.state.waiting == opened(folder).state.waiting == 0


def test_keys_position_and_entries_are_remembered_together(folder: Path) -> None:
    opened(folder).put(page(1), NOW)
    memory = open_memory(folder)

    assert keys(1)[0] in memory.seen
    assert memory.position == Position(token="(1,)")
    assert memory.outbox.waiting == 1
    assert memory.outbox.newest == NOW


def test_a_run_that_was_begun_stays_what_it_was(folder: Path) -> None:
    outbox = opened(folder)
    outbox.put(page(1), NOW)
    assert outbox.next_run(most(9)) == [1]
    outbox.put(page(2), NOW)
    place = outbox.place
    outbox = opened(folder)

    assert outbox.next_run(most(9)) == [1]
    assert outbox.place == place
    outbox.run_sent()
    assert outbox.next_run(most(9)) == [2]
    assert outbox.place != place


def test_a_commit_of_keys_alone_leaves_what_waits(folder: Path) -> None:
    outbox = opened(folder)
    outbox.put(page(1, 2), NOW)
    memory = open_memory(folder)
    memory.remember(keys(*range(10, 9010)))
    memory.remember([], Position(token="later"))
    memory.close()

    assert sent(opened(folder)) == [1, 2]


@pytest.mark.parametrize("entry", [{"a": [1, None, "é"]}, "text", "\ud800", 2**80])
def test_entries_come_back_equal(folder: Path, entry: JsonValue) -> None:
    opened(folder).put(NewPage(entries=[entry], keys=[], position=Position(token="x")), NOW)

    assert sent(opened(folder)) == [entry]


def test_the_first_poll_ends_with_its_last_page_and_only_once(folder: Path) -> None:
    outbox = opened(folder)
    outbox.put(page(), NOW)
    assert not outbox.state.is_watching
    outbox.put(page(ends_first_poll=True), NOW)

    assert opened(folder).state.is_watching
    assert outbox.state.newest == NOW


def test_a_file_that_is_missing_is_named_with_a_remedy(folder: Path) -> None:
    opened(folder).put(page(1, 2), NOW)
    [file] = [path for path in folder.iterdir() if path.name.startswith("outbox-")]
    file.unlink()
    outbox = opened(folder)

    with pytest.raises(SettingsError, match=rf"{file.name}, which holds 2 entries .* is missing"):
        outbox.next_run(most(1))


def test_files_without_a_state_are_removed_at_the_start(folder: Path) -> None:
    """A crash came between the file and its state."""
    memory = open_memory(folder)
    memory.remember(keys(1))
    name = memory.add_file(b"[7]")
    memory.close()
    assert name in {path.name for path in folder.iterdir()}
    outbox = opened(folder)

    assert name not in {path.name for path in folder.iterdir()}
    assert outbox.state.waiting == 0
