"""What is remembered across restarts, and what happens when what was written is damaged."""

import os
import threading
from pathlib import Path

import pytest

from httpkit.errors import SettingsError
from httpkit.stopping import Stopped
from tests.core.remembering import contents, forget_all_but, keys, known_to, newest, open_memory, remembered


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "some" / "memory"


# restarts


def test_a_restart_remembers_what_was_remembered(folder: Path) -> None:
    memory = open_memory(folder)
    memory.remember(keys(3, 1))
    memory.remember(keys(2))

    assert remembered(folder) == known_to(memory) == keys(1, 2, 3)


def test_a_new_memory_is_empty_and_writes_no_state(folder: Path) -> None:
    memory = open_memory(folder)
    memory.remember([])

    assert known_to(memory) == []
    assert contents(folder) == {}


def test_the_state_says_what_is_read(folder: Path) -> None:
    open_memory(folder).remember(keys(1))

    assert open_memory(folder).source == "https://api.example.com/items"
    assert b"https://api.example.com/items" in (folder / "state.json").read_bytes()


@pytest.mark.parametrize(
    "sizes",
    [[1] * 300, range(100, 0, -1), [1000, 1] * 30, [3000] * 5],
    ids=["equal", "falling", "alternating", "large"],
)
def test_however_many_commits_there_are_the_files_stay_few(folder: Path, sizes: list[int]) -> None:
    memory, most, total = open_memory(folder), 0, 0
    for size in sizes:
        memory.remember(keys(*range(total, total + size)))
        total += size
        most = max(most, len(list(folder.glob("keys-*"))))

    assert most <= 1
    assert remembered(folder, keys(*range(total))) == keys(*range(total))


def test_restarts_between_commits_change_nothing(folder: Path) -> None:
    total = 0
    for commit in range(30):
        size = 500 * (commit % 7) + 1
        open_memory(folder).remember(keys(*range(total, total + size)))
        total += size

    assert remembered(folder, keys(*range(total))) == keys(*range(total))


def test_what_is_acknowledged_was_flushed_to_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut keeps a file only if it was flushed, and its name only if the folder was."""
    flushed, flush = set[int](), os.fsync

    def note(descriptor: int) -> None:
        flush(descriptor)
        flushed.add(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", note)
    open_memory(folder).remember(keys(*range(3000)))

    written = (folder.parent, folder, *(folder / name for name in contents(folder)))
    assert {path.stat().st_ino for path in written} <= flushed


def test_a_commit_flushes_as_little_as_it_can(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One flush makes it durable; those of the files of keys are shared by several commits."""
    memory, flush, flushes = open_memory(folder), os.fsync, 0
    for number in range(2):
        memory.remember(keys(number))

    def count(descriptor: int) -> None:
        nonlocal flushes
        flushes += 1
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", count)
    for number in range(100):
        memory.remember(keys(*range(1000 * number, 1000 * number + 100)))

    assert 100 <= flushes <= 110


# forgetting


def test_a_closed_poll_forgets_beyond_the_limit_for_good(folder: Path) -> None:
    memory = open_memory(folder, key_limit=2)
    memory.remember(keys(1, 2, 3, 4))
    forget_all_but(memory, keys(1))

    assert remembered(folder) == known_to(memory) == keys(1)


def test_a_few_forgotten_keys_are_not_worth_writing_the_others_again(folder: Path) -> None:
    memory = open_memory(folder, key_limit=1)
    memory.remember(keys(*range(10)))
    before = contents(folder)
    forget_all_but(memory, keys(*range(8)))

    assert len(memory.seen) == 8
    assert contents(folder) == before
    assert remembered(folder) == keys(*range(10)), "a key too many is no harm"


class SoonSet(threading.Event):
    """A stop that comes while many keys are looked at."""

    looks = 0

    def is_set(self) -> bool:
        """Set at the thousandth look."""
        self.looks += 1
        return self.looks > 1000


def test_a_stop_while_a_poll_is_closed_ends_that_at_once_and_leaves_the_files(folder: Path) -> None:
    stop, many = SoonSet(), keys(*range(5000))
    memory = open_memory(folder, key_limit=2, stop=stop)
    memory.remember(many)
    before = contents(folder)
    stop.looks = 0

    with pytest.raises(Stopped):
        forget_all_but(memory, keys(1))

    assert 1000 < stop.looks < 1100
    assert contents(folder).items() >= before.items()
    memory.close()
    assert remembered(folder, many) == many


def test_a_closed_poll_below_the_limit_writes_nothing(folder: Path) -> None:
    memory = open_memory(folder)
    memory.remember(keys(1))
    before = contents(folder)
    forget_all_but(memory, [])

    assert contents(folder) == before


def test_after_forgetting_new_keys_are_remembered(folder: Path) -> None:
    memory = open_memory(folder, key_limit=0)
    memory.remember(keys(1, 2))
    forget_all_but(memory, keys(2))
    memory.remember(keys(3))

    assert remembered(folder) == keys(2, 3)


def test_files_shrink_when_keys_are_forgotten(folder: Path) -> None:
    memory = open_memory(folder, key_limit=1000)
    memory.remember(keys(*range(10_000)))
    forget_all_but(memory, keys(*range(1000)))
    memory.remember(keys(1))
    memory.remember(keys(2))

    assert sum(path.stat().st_size for path in folder.glob("keys-*")) == 16_000


# damage


def two_generations(folder: Path) -> None:
    """A memory whose newest generation knows 1 and 2, and the one before only 1."""
    memory = open_memory(folder)
    memory.remember(keys(1))
    memory.remember(keys(2))


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[[[[", b"\x00" * 400, b'{"format": 1}', b"\xff"])
def test_a_damaged_state_falls_back_to_the_one_before(folder: Path, damage: bytes) -> None:
    two_generations(folder)
    newest(folder).write_bytes(damage)

    memory = open_memory(folder)
    assert known_to(memory) == keys(1)

    memory.remember(keys(5))
    assert remembered(folder) == keys(1, 5)


def test_a_missing_state_falls_back_to_the_one_before(folder: Path) -> None:
    two_generations(folder)
    newest(folder).unlink()

    assert remembered(folder) == keys(1)


def test_no_changed_byte_of_the_state_goes_unnoticed(folder: Path) -> None:
    two_generations(folder)
    files, document = contents(folder), newest(folder)
    whole = files[document.name]
    for place in range(len(whole)):
        for name, content in files.items():
            (folder / name).write_bytes(content)
        document.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])

        assert remembered(folder) == keys(1)


@pytest.mark.parametrize("damage", ["missing", "empty", "changed", "short"])
def test_a_damaged_key_file_falls_back_to_the_generation_before(folder: Path, damage: str) -> None:
    memory = open_memory(folder)
    memory.remember(keys(1))
    memory.remember(keys(*range(3000)))
    (path,) = folder.glob("keys-*")
    content = path.read_bytes()
    damaged = {"empty": b"", "changed": b"x" + content[1:], "short": content[:-1]}
    path.unlink() if damage == "missing" else path.write_bytes(damaged[damage])

    assert remembered(folder) == keys(1)


def test_after_a_fall_back_the_valid_generation_survives_the_next_commit(folder: Path) -> None:
    """The damaged state must not push the only valid one out."""
    two_generations(folder)
    newest(folder).write_bytes(b'{"state": {"next_number": 9}}')
    open_memory(folder).remember(keys(5))
    newest(folder).write_bytes(b"damaged again")

    assert remembered(folder) == keys(1)


@pytest.mark.parametrize("generations", [1, 2])
def test_a_memory_without_a_valid_generation_is_an_error_and_not_a_new_start(folder: Path, generations: int) -> None:
    two_generations(folder)
    if generations == 1:
        newest(folder).unlink()
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
    for name in ("keys-00000099", "keys-00000099-a1b2c3d4", "keys-00000099.new", "state.json.new"):
        (folder / name).write_bytes(b"left by a crash")

    assert remembered(folder) == keys(1, 2)
    assert {path.name for path in folder.iterdir()} == before
