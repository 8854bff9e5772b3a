"""Two processes never read the same source from the same disk, and a restart is never in its own way."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from httpkit.errors import SettingsError
from httpkit.stopping import Stopped
from tests.core.remembering import keys, known_to, newest, open_memory, remembered

ROOT = Path(__file__).parents[2]

OTHER = """
import sys
from pathlib import Path
from httpkit.memory import Memory
from tests.core.remembering import keys

memory = Memory(Path(sys.argv[1]), source="other")
memory.remember(keys(1))
print("ready", flush=True)
sys.stdin.readline()
"""


@contextmanager
def other_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has remembered key 1 and lives until it is told otherwise."""
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(folder)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with other_process(tmp_path):
        with pytest.raises(SettingsError, match="another process reads the same source") as caught:
            open_memory(tmp_path, patience=0.2)

        assert str(tmp_path) in caught.value.message


def test_a_process_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    with other_process(tmp_path) as process:
        process.kill()
        process.wait()

        assert known_to(open_memory(tmp_path, patience=0.2)) == keys(1)


def test_a_start_waits_for_a_process_that_is_about_to_end(tmp_path: Path) -> None:
    with other_process(tmp_path) as process:
        ending = threading.Timer(0.5, process.kill)
        ending.start()
        start = time.monotonic()
        memory = open_memory(tmp_path, patience=20)

        assert known_to(memory) == keys(1)
        assert time.monotonic() - start < 10
        ending.join()


def test_a_start_that_waits_ends_at_once_when_it_is_told_to_stop(tmp_path: Path) -> None:
    with other_process(tmp_path):
        stop = threading.Event()
        stopping = threading.Timer(0.3, stop.set)
        stopping.start()
        start = time.monotonic()
        with pytest.raises(Stopped):
            open_memory(tmp_path, patience=20, stop=stop)

        assert time.monotonic() - start < 5
        stopping.join()


def test_a_refused_process_has_changed_nothing(tmp_path: Path) -> None:
    with other_process(tmp_path) as process:
        before = newest(tmp_path).read_bytes()
        with pytest.raises(SettingsError):
            open_memory(tmp_path, patience=0.2)

        assert newest(tmp_path).read_bytes() == before
        assert process.poll() is None


def test_a_process_may_start_again_without_ending(tmp_path: Path) -> None:
    first = open_memory(tmp_path)
    first.remember(keys(1))

    assert known_to(open_memory(tmp_path, patience=0.2)) == keys(1)


def test_a_start_without_a_new_process_keeps_the_others_out(tmp_path: Path) -> None:
    first, second = open_memory(tmp_path), open_memory(tmp_path)
    first.close()
    with subprocess.Popen(
        [sys.executable, "-c", OTHER.replace('"other"', '"other", patience=0.2'), str(tmp_path)],
        cwd=ROOT,
        text=True,
        stderr=subprocess.PIPE,
    ) as other:
        _, errors = other.communicate(timeout=30)
    second.close()

    assert "another process reads the same source" in errors


def test_starts_without_a_new_process_leave_no_files_open(tmp_path: Path) -> None:
    memories = [open_memory(tmp_path) for _ in range(3)]
    before = len(list(Path("/proc/self/fd").iterdir()))
    memories += [open_memory(tmp_path) for _ in range(30)]

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_closed_memory_lets_another_process_in(tmp_path: Path) -> None:
    memory = open_memory(tmp_path)
    memory.close()
    with other_process(tmp_path), pytest.raises(SettingsError):
        memory.remember(keys(2))

    assert remembered(tmp_path) == keys(1)


def test_a_memory_that_somebody_else_has_changed_is_not_written_again(tmp_path: Path) -> None:
    """Also where the system has no locks, or a person has put another file there."""
    memory, other = open_memory(tmp_path), open_memory(tmp_path)
    memory.remember(keys(1))
    for _ in range(3):
        with pytest.raises(SettingsError, match="another process reads the same source"):
            other.remember(keys(2))

    assert remembered(tmp_path) == known_to(memory) == keys(1)


def test_a_memory_that_was_deleted_under_the_process_is_not_written_in_part(tmp_path: Path) -> None:
    memory = open_memory(tmp_path / "memory")
    memory.remember(keys(*range(3000)))
    memory.remember(keys(5000))
    for path in (tmp_path / "memory").iterdir():
        path.unlink()

    with pytest.raises(SettingsError):
        memory.remember(keys(5001))
    assert remembered(tmp_path / "memory") == []
