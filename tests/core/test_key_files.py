"""Keys in files come back complete and oldest first, whatever was appended, merged or left out."""

from collections.abc import Iterable
from pathlib import Path
from threading import Event

import pytest

from httpkit.disk_folder import DiskFolder
from httpkit.key_files import DamagedError, KeyFiles
from httpkit.state_document import KeyFile, State


class WholeFilesOnly(DiskFolder):
    """A folder whose files cannot grow, as in an object store."""

    can_append = False


FOLDERS = [DiskFolder, WholeFilesOnly]


def content_of(numbers: Iterable[int]) -> bytes:
    """Keys, one after the other."""
    return b"".join(number.to_bytes(16, "big") for number in numbers)


def numbers_in(folder: DiskFolder, files: tuple[KeyFile, ...], tail: bytes = b"") -> list[int]:
    """The keys that a new process reads, as numbers."""
    state = State(source="test", key_files=files, tail=tail)
    return [int.from_bytes(key, "big") for key in KeyFiles(folder, owner="reader").keys(state)]


def filled(folder: DiskFolder, sizes: Iterable[int], *, settled: bool = True) -> tuple[KeyFile, ...]:
    """The files after additions of these sizes."""
    key_files, total = KeyFiles(folder, owner="a"), 0
    files: tuple[KeyFile, ...] = ()
    for number, size in enumerate(sizes):
        files = key_files.add(files, content_of(range(total, total + size)), number)
        if settled:
            key_files.settle(files)
        total += size
    return files


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("sizes", [[1], [5, 3, 9, 1], [1] * 40, [5000, 1, 7000]], ids=str)
def test_keys_come_back_oldest_first(tmp_path: Path, kind: type[DiskFolder], sizes: list[int]) -> None:
    folder = kind(tmp_path, stop=Event())
    files = filled(folder, sizes)

    assert numbers_in(folder, files, content_of([1_000_000])) == [*range(sum(sizes)), 1_000_000]


def test_a_file_on_a_disk_grows(tmp_path: Path) -> None:
    assert len(filled(DiskFolder(tmp_path, stop=Event()), [3, 50, 1])) == 1
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("sizes", [[1] * 300, range(100, 0, -1), [1000, 1] * 30, [50, 49, 1] * 30], ids=str)
def test_the_number_of_files_that_cannot_grow_stays_logarithmic(tmp_path: Path, sizes: list[int]) -> None:
    """There is at most one file per power of two."""
    assert len(filled(WholeFilesOnly(tmp_path, stop=Event()), sizes)) <= sum(sizes).bit_length()


def test_a_file_that_no_committed_state_names_does_not_grow(tmp_path: Path) -> None:
    """Its state may be found after a crash, and the keys that it names must be those of then."""
    folder = DiskFolder(tmp_path, stop=Event())
    key_files = KeyFiles(folder, owner="a")
    first = key_files.add((), content_of(range(100)), 1)
    key_files.settle(first)
    failed = key_files.add(first, content_of([100]), 2)
    second = key_files.add(first, content_of([200]), 3)

    assert numbers_in(folder, failed) == list(range(101))
    assert numbers_in(folder, second) == [*range(100), 200]


def test_what_lies_behind_the_keys_that_count_is_ignored_and_cut_off(tmp_path: Path) -> None:
    folder = DiskFolder(tmp_path, stop=Event())
    files = filled(folder, [100])
    with (tmp_path / files[0].name).open("ab") as file:
        file.write(b"left by a crash, and longer than what comes")
    assert numbers_in(folder, files) == list(range(100))
    key_files = KeyFiles(folder, owner="b")
    key_files.settle(files)
    files = key_files.add(files, content_of([100]), 9)

    assert numbers_in(folder, files) == list(range(101))
    assert (tmp_path / files[0].name).stat().st_size == 16 * 101


@pytest.mark.parametrize("kind", FOLDERS)
def test_written_again_only_the_keys_that_are_kept_are_left_in_their_order(
    tmp_path: Path, kind: type[DiskFolder]
) -> None:
    folder = kind(tmp_path, stop=Event())
    state = State(source="test", key_files=filled(folder, [5000, 3000]), tail=content_of([8000, 8001]))
    files = KeyFiles(folder, owner="b").rewrite(state, lambda key: key[-1] % 2 == 1, 9)

    assert numbers_in(folder, files) == list(range(1, 8002, 2))


def test_a_damaged_file_is_noticed_when_it_is_merged(tmp_path: Path) -> None:
    folder = WholeFilesOnly(tmp_path, stop=Event())
    files = filled(folder, [1])
    (tmp_path / files[0].name).write_bytes(b"x" * 16)

    with pytest.raises(DamagedError):
        KeyFiles(folder, owner="b").add(files, content_of([1]), 9)
