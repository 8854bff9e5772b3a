"""A disk that takes nothing: nothing is remembered, the old state stays, and later all goes on."""

import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from httpkit.errors import UnavailableError
from tests.core.memories import keys, known_to, open_memory, remembered

PLAIN_USER = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "some" / "memory"


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder with a memory that knows 1, in which nothing can be written; also for root, who may write anywhere."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "memory"
        open_memory(folder).remember(keys(1))
        folder.chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(PLAIN_USER)
        try:
            yield folder
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o755)


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


def test_a_read_only_folder_is_unavailable_and_the_old_state_stays(read_only: Path) -> None:
    memory = open_memory(read_only)

    with pytest.raises(UnavailableError):
        memory.remember(keys(2))
    assert known_to(memory) == keys(1)
    assert remembered(read_only) == keys(1)


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
