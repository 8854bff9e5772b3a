"""What is remembered across restarts, and what happens when the disk does not do its part."""

import json
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from httpkit.errors import SettingsError, UnavailableError
from httpkit.memory import Memory

PLAIN_USER = 65534


def keys(*numbers: int) -> list[bytes]:
    """Keys as records have them."""
    return [number.to_bytes(16, "big") for number in numbers]


def open_memory(folder: Path, **settings: int) -> Memory:
    """The memory as a start of the process finds it."""
    return Memory(folder, source="https://api.example.com/items", **settings)


def remembered(folder: Path) -> list[bytes]:
    """The keys that a restart finds, in their order."""
    return list(open_memory(folder).seen)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "some" / "memory"


# restarts


def test_a_restart_remembers_what_was_remembered(folder: Path) -> None:
    memory = open_memory(folder)
    memory.remember(keys(3, 1))
    memory.remember(keys(2))

    assert remembered(folder) == list(memory.seen) == keys(3, 1, 2)


def test_a_new_memory_is_empty_and_writes_nothing(folder: Path) -> None:
    memory = open_memory(folder)
    memory.remember([])

    assert list(memory.seen) == []
    assert not folder.exists()


def test_the_state_says_what_is_read(folder: Path) -> None:
    open_memory(folder).remember(keys(1))

    assert open_memory(folder).source == "https://api.example.com/items"
    assert b"https://api.example.com/items" in (folder / "state.json").read_bytes()


def test_keys_stay_in_their_order_over_many_commits_and_restarts(folder: Path) -> None:
    expected = []
    for commit in range(60):
        batch = keys(*range(1000 * commit, 1000 * commit + commit * 7 % 11 + 1))
        open_memory(folder).remember(batch)
        expected += batch

    assert remembered(folder) == expected


@pytest.mark.parametrize(
    "sizes",
    [[1] * 300, range(100, 0, -1), range(1, 100), [1000, 1] * 30, [50, 49, 1] * 30],
    ids=["equal", "falling", "rising", "alternating", "mixed"],
)
def test_the_number_of_files_stays_logarithmic(folder: Path, sizes: list[int]) -> None:
    """Two generations are kept; each names at most one file per power of two."""
    memory, most, total = open_memory(folder), 0, 0
    for size in sizes:
        memory.remember(keys(*range(total, total + size)))
        total += size
        most = max(most, len(list(folder.glob("keys-*"))))

    assert most <= 2 * total.bit_length()
    assert len(remembered(folder)) == total


def test_what_is_acknowledged_was_flushed_to_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut keeps a file only if it was flushed, and its name only if the folder was."""
    flushed, flush = set[int](), os.fsync

    def note(descriptor: int) -> None:
        flush(descriptor)
        flushed.add(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", note)
    open_memory(folder).remember(keys(1))

    assert {path.stat().st_ino for path in (folder, *folder.iterdir())} <= flushed


# forgetting


def test_a_closed_poll_forgets_beyond_the_limit_for_good(folder: Path) -> None:
    memory = open_memory(folder, key_limit=2)
    memory.remember(keys(1, 2, 3, 4))
    memory.seen.begin_poll()
    memory.seen.show(keys(1))
    memory.close_poll()

    assert remembered(folder) == list(memory.seen) == keys(1, 4)


def test_a_closed_poll_below_the_limit_writes_nothing(folder: Path) -> None:
    memory = open_memory(folder)
    memory.remember(keys(1))
    before = (folder / "state.json").stat().st_mtime_ns
    memory.seen.begin_poll()
    memory.close_poll()

    assert (folder / "state.json").stat().st_mtime_ns == before


def test_after_forgetting_new_keys_are_remembered(folder: Path) -> None:
    memory = open_memory(folder, key_limit=1)
    memory.remember(keys(1, 2))
    memory.seen.begin_poll()
    memory.close_poll()
    memory.remember(keys(3))

    assert remembered(folder) == keys(2, 3)


# damage


def two_generations(folder: Path) -> None:
    """A memory whose newest generation knows 1 and 2, and the one before only 1."""
    memory = open_memory(folder)
    memory.remember(keys(1))
    memory.remember(keys(2))


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[[[[", b"\x00" * 400, b'{"format": 1}', b"\xff"])
def test_a_damaged_state_falls_back_to_the_one_before(folder: Path, damage: bytes) -> None:
    two_generations(folder)
    (folder / "state.json").write_bytes(damage)

    memory = open_memory(folder)
    assert list(memory.seen) == keys(1)

    memory.remember(keys(5))
    assert remembered(folder) == keys(1, 5)


def test_a_missing_state_falls_back_to_the_one_before(folder: Path) -> None:
    two_generations(folder)
    (folder / "state.json").unlink()

    assert remembered(folder) == keys(1)


def test_no_changed_byte_of_the_state_goes_unnoticed(folder: Path) -> None:
    two_generations(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    whole = files["state.json"]
    for place in range(len(whole)):
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (folder / "state.json").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])

        assert remembered(folder) == keys(1)


@pytest.mark.parametrize("damage", [None, b"", b"x" * 16, b"x" * 15])
def test_a_damaged_key_file_falls_back_to_the_generation_before(folder: Path, damage: bytes | None) -> None:
    two_generations(folder)
    newest = max(folder.glob("keys-*"))
    if damage is None:
        newest.unlink()
    else:
        newest.write_bytes(damage)

    assert remembered(folder) == keys(1)


def test_after_a_fall_back_the_valid_generation_survives_the_next_commit(folder: Path) -> None:
    """The damaged state must not push the only valid one out."""
    two_generations(folder)
    (folder / "state.json").write_bytes(b"damaged")
    open_memory(folder).remember(keys(5))
    (folder / "state.json").write_bytes(b"damaged again")

    assert remembered(folder) == keys(1)


@pytest.mark.parametrize("generations", [1, 2])
def test_a_memory_without_a_valid_generation_is_an_error_and_not_a_new_start(folder: Path, generations: int) -> None:
    two_generations(folder)
    if generations == 1:
        (folder / "state.previous.json").unlink()
    for path in folder.glob("state*"):
        path.write_bytes(b"damaged")
    before = sorted(path.name for path in folder.iterdir())

    with pytest.raises(SettingsError) as caught:
        open_memory(folder)

    assert str(folder) in caught.value.message
    assert sorted(path.name for path in folder.iterdir()) == before


def test_key_files_that_no_state_names_are_removed_at_the_start(folder: Path) -> None:
    two_generations(folder)
    before = {path.name for path in folder.iterdir()}
    for name in ("keys-00000099", "keys-00000099.new"):
        (folder / name).write_bytes(b"left by a crash")

    assert remembered(folder) == keys(1, 2)
    assert {path.name for path in folder.iterdir()} == before


# the disk refuses


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
    assert list(memory.seen) == keys(1)
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
    assert list(memory.seen) == keys(1)
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


# quarantine


def test_an_event_in_quarantine_is_kept_with_its_reason(folder: Path) -> None:
    memory = open_memory(folder)
    memory.quarantine(keys(7)[0], '{"text": "žluť \ud83d"}', "too large")

    (path,) = (folder / "quarantine").iterdir()
    assert path.name == f"{keys(7)[0].hex()}.json"
    assert json.loads(path.read_bytes()) == {"reason": "too large", "event": '{"text": "žluť \ud83d"}'}


def test_quarantine_survives_restarts_and_commits(folder: Path) -> None:
    memory = open_memory(folder)
    memory.quarantine(keys(7)[0], "event", "too large")
    memory.remember(keys(7))

    assert remembered(folder) == keys(7)
    assert len(list((folder / "quarantine").iterdir())) == 1


def test_quarantine_on_a_full_disk_is_unavailable(folder: Path) -> None:
    memory = open_memory(folder)

    with full_disk(), pytest.raises(UnavailableError):
        memory.quarantine(keys(7)[0], "event", "too large")
