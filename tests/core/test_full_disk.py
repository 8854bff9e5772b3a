"""A disk that takes nothing: nothing is remembered, the old state stays, and later all goes on."""

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from httpkit.errors import UnavailableError
from httpkit.outbox import NewPage, Outbox
from httpkit.values import Position
from tests.core.remembering import contents, keys, known_to, open_memory, remembered

PLAIN_USER = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "some" / "memory"


@contextmanager
def full_disk(room: int = 0) -> Iterator[None]:
    """No file can grow any more, or only up to a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of its own with room for little."""
    with tempfile.TemporaryDirectory() as folder:
        if not mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", folder):
            pytest.skip("mounting a small disk takes a privilege that this process does not have")
        try:
            yield Path(folder)
        finally:
            # It is gone at once for everybody, also when a test has left a file open.
            subprocess.run(["umount", "--lazy", folder], check=True)


def mount(*arguments: str | Path) -> bool:
    """Could it be mounted?"""
    return subprocess.run(["mount", *arguments], check=False, stderr=subprocess.DEVNULL).returncode == 0


def fill(disk: Path) -> Path:
    """Take all the room that is left."""
    path = disk / "filling"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return path


@pytest.mark.parametrize(
    "number", [2, 3000, 9000], ids=["in the document", "in a file", "more than there is room for"]
)
def test_a_disk_that_is_really_full_loses_nothing(small_disk: Path, number: int) -> None:
    batch = keys(*range(10, 10 + number))
    everything = keys(1) + batch
    memory = open_memory(small_disk / "memory")
    memory.remember(keys(1))
    memory.remember([], Position(token="first"))  # both documents are there
    filling = fill(small_disk)
    for attempt in range(3):
        with pytest.raises(UnavailableError, match="No space left on device"):
            memory.remember(batch, Position(token="x" * 9000, not_before=datetime(2026, 1, 1 + attempt, tzinfo=UTC)))
        assert remembered(small_disk / "memory", everything) == known_to(memory, everything) == keys(1)
    filling.unlink()
    memory.remember(batch, Position(token="second"))

    assert remembered(small_disk / "memory", everything) == known_to(memory, everything) == everything
    assert len(list(small_disk.glob("memory/*.new"))) == 0


def test_a_full_disk_gets_back_the_room_that_a_failed_commit_took(small_disk: Path) -> None:
    memory = open_memory(small_disk / "memory")
    memory.remember(keys(*range(3000)))
    fill(small_disk).write_bytes(b"x" * 4096)  # room, but not for all
    (path,) = (small_disk / "memory").glob("keys-*")
    with pytest.raises(UnavailableError):
        memory.remember(keys(*range(10_000, 30_000)))

    assert path.stat().st_size == 48_000


def test_what_a_full_disk_left_half_written_is_removed_at_the_next_start(small_disk: Path) -> None:
    memory = open_memory(small_disk / "memory")
    filling = fill(small_disk)
    with pytest.raises(UnavailableError):
        memory.remember(keys(1))
    assert [path.name for path in small_disk.glob("memory/*.new")] == ["state.json.new"]
    filling.unlink()

    assert remembered(small_disk / "memory") == []
    assert contents(small_disk / "memory") == {}


def test_a_disk_that_becomes_read_only_is_unavailable_until_it_no_longer_is(small_disk: Path) -> None:
    memory = open_memory(small_disk / "memory")
    memory.remember(keys(1))
    memory.close()
    assert mount("-o", "remount,ro", small_disk)
    with pytest.raises(UnavailableError, match="Read-only file system"):
        memory.remember(keys(2))
    with pytest.raises(UnavailableError, match="Read-only file system"):
        open_memory(small_disk / "memory")
    assert mount("-o", "remount,rw", small_disk)
    memory.remember(keys(2))

    assert remembered(small_disk / "memory") == keys(1, 2)


def test_on_a_full_disk_nothing_is_remembered_and_the_old_state_stays(folder: Path) -> None:
    memory = open_memory(folder)
    memory.remember(keys(1))

    with full_disk(), pytest.raises(UnavailableError, match="cannot be used") as caught:
        memory.remember(keys(2))

    assert str(folder) in caught.value.message
    assert known_to(memory) == keys(1)
    assert remembered(folder) == keys(1)


def test_once_the_disk_has_room_again_the_memory_goes_on(folder: Path) -> None:
    memory = open_memory(folder)
    memory.remember(keys(1))
    for _ in range(3):
        with full_disk(), pytest.raises(UnavailableError):
            memory.remember(keys(2))
    memory.remember(keys(2, 3))

    assert remembered(folder) == keys(1, 2, 3)


def test_tries_that_fail_do_not_fill_the_disk_and_leave_nothing(folder: Path) -> None:
    """Only the state document, which is large, cannot be written; what belongs to it can, at each try."""
    memory = open_memory(folder)
    memory.remember(keys(1))
    memory.remember(keys(2))
    page = NewPage(entries=["entry"], keys=keys(*range(10, 3010)), position=Position(token="x" * 100_000))
    for _ in range(9):
        with full_disk(room=60_000), pytest.raises(UnavailableError):
            Outbox(memory).put(page, datetime(2026, 1, 1, tzinfo=UTC))
        assert len(list(folder.glob("keys-*"))) == len(list(folder.glob("outbox-*"))) == 1

    other = replace(page, entries=["another entry"], keys=keys(*range(5000, 9000)))
    Outbox(memory).put(other, datetime(2026, 1, 1, tzinfo=UTC))
    assert len(list(folder.glob("keys-*"))) == len(list(folder.glob("outbox-*"))) == 1
    assert Outbox(memory).next_run(lambda _: 1) == ["another entry"]
    assert remembered(folder, everything := keys(1, 2, *range(5000, 9000))) == everything


def test_keys_that_were_written_before_a_failure_count_once_it_is_over(folder: Path) -> None:
    memory, everything = open_memory(folder), keys(*range(20_000))
    for start in range(0, 20_000, 4000):
        position, batch = Position(token="x" * 100_000 + str(start)), everything[start : start + 4000]
        for _ in range(3):
            with full_disk(room=90_000), pytest.raises(UnavailableError):
                memory.remember(batch, position)
            assert remembered(Path(shutil.copytree(folder, folder / "copy")), everything) == everything[:start]
            shutil.rmtree(folder / "copy")
        memory.remember(batch, position)

    assert remembered(folder, everything) == known_to(memory, everything) == everything


def test_a_state_that_may_not_be_read_is_unavailable_and_stays() -> None:
    """It is not damaged, so nobody is told to delete it."""
    with tempfile.TemporaryDirectory() as folder:
        open_memory(Path(folder)).remember(keys(1))
        Path(folder).chmod(0)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(PLAIN_USER)
        try:
            with pytest.raises(UnavailableError):
                open_memory(Path(folder))
        finally:
            if is_root:
                os.seteuid(0)
            Path(folder).chmod(0o755)
        assert remembered(Path(folder)) == keys(1)


def test_a_file_in_the_place_of_the_folder_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "memory").write_text("not a folder")

    with pytest.raises(UnavailableError):
        open_memory(tmp_path / "memory").remember(keys(1))


def test_quarantine_on_a_full_disk_is_unavailable(folder: Path) -> None:
    memory = open_memory(folder)

    with full_disk(), pytest.raises(UnavailableError):
        memory.quarantine(keys(7)[0], "event", "too large")
