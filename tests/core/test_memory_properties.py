"""Whenever the process or the disk fails, the old or the new state is found, and nothing acknowledged is lost."""

import os
import random
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.errors import UnavailableError
from httpkit.memory import Memory

KEY_LIMIT = 12


class Crash(BaseException):
    """The process ends here; nothing may catch this."""


def keys(first: int, number: int) -> list[bytes]:
    """Some keys in a row."""
    return [(first + place).to_bytes(16, "big") for place in range(number)]


def open_memory(folder: Path) -> Memory:
    """The memory as a start of the process finds it."""
    return Memory(folder, source="property", key_limit=KEY_LIMIT)


def remembered(folder: Path) -> list[bytes]:
    """The keys that a restart finds, in their order."""
    return list(open_memory(folder).seen)


@contextmanager
def failing_at(place: int, failure: BaseException) -> Iterator[None]:
    """The operation on files with this number, counted from 1, fails instead of being done.

    A flush that fails leaves only half of what was written to the file.
    """
    operations = count(1)

    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        def operate(*args: Any, **named: Any) -> Any:
            if next(operations) != place:
                return real(*args, **named)
            if real is fsync and stat.S_ISREG((status := os.fstat(args[0])).st_mode):
                os.ftruncate(args[0], status.st_size // 2)
            raise failure

        return operate

    fsync = os.fsync
    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "fsync", "unlink", "mkdir", "open"):
            patch.setattr(os, name, failing(getattr(os, name)))
        patch.setattr(Path, "open", failing(Path.open))
        yield


def every_place(scenario: Callable[[int, Path], bool]) -> None:
    """Run a scenario in a new folder with a failure at the first operation, at the second, until none fails."""
    for place in count(1):
        with tempfile.TemporaryDirectory() as folder:
            if not scenario(place, Path(folder) / "memory"):
                assert place > 5
                return


def history(folder: Path, sizes: list[int]) -> list[bytes]:
    """Commits of these sizes; the keys that are acknowledged."""
    acknowledged = list[bytes]()
    memory = open_memory(folder)
    for size in sizes:
        batch = keys(len(acknowledged), size)
        memory.remember(batch)
        acknowledged += batch
    return acknowledged


HISTORIES = [[], [1], [3, 1], [1, 1, 1], [4, 2, 1], [4, 1, 1, 1]]


@pytest.mark.parametrize("sizes", HISTORIES, ids=str)
def test_a_crash_at_any_operation_of_a_commit_leaves_the_old_or_the_new_state(sizes: list[int]) -> None:
    def scenario(place: int, folder: Path) -> bool:
        old = history(folder, sizes)
        batch, memory = keys(100, 2), open_memory(folder)
        crashed = crashes(lambda: memory.remember(batch), place)

        assert remembered(folder) in ([old, old + batch] if crashed else [old + batch])
        return crashed

    every_place(scenario)


@pytest.mark.parametrize("sizes", HISTORIES[1:], ids=str)
def test_a_crash_during_the_start_after_a_crash_changes_nothing(sizes: list[int]) -> None:
    """The start removes what the first crash left."""

    def scenario(place: int, folder: Path) -> bool:
        old = history(folder, sizes)
        batch, memory = keys(100, 2), open_memory(folder)
        crashed = crashes(lambda: memory.remember(batch), place)
        for second in count(1):
            if not crashes(lambda: open_memory(folder), second):
                break

        found = remembered(folder)
        assert found in (old, old + batch)
        open_memory(folder).remember(keys(200, 1))
        assert remembered(folder) == found + keys(200, 1)
        return crashed

    every_place(scenario)


@pytest.mark.parametrize("sizes", HISTORIES, ids=str)
def test_a_failure_at_any_operation_is_survived_by_the_running_process(sizes: list[int]) -> None:
    """The same process tries again, and a crash in that second try does no harm either."""

    def scenario(place: int, folder: Path) -> bool:
        old = history(folder, sizes)
        batch, memory = keys(100, 2), open_memory(folder)
        failed = refuses(lambda: memory.remember(batch), place)
        assert list(memory.seen) == (old if failed else old + batch)
        if failed:
            second = random.Random(place).randint(1, 12)
            if not crashes(lambda: memory.remember(batch), second):
                assert remembered(folder) == old + batch
        assert remembered(folder) in (old, old + batch)
        return failed

    every_place(scenario)


def test_a_file_that_cannot_be_removed_does_not_undo_a_commit() -> None:
    with tempfile.TemporaryDirectory() as parent, pytest.MonkeyPatch.context() as patch:
        folder = Path(parent)
        memory = open_memory(folder)

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError

        patch.setattr(os, "unlink", refuse)
        for number in range(4):
            memory.remember(keys(number, 1))
        patch.undo()

        assert list(memory.seen) == remembered(folder) == keys(0, 4)


def crashes(act: Callable[[], object], place: int) -> bool:
    """Act, with a crash at one operation; did it come so far?"""
    try:
        with failing_at(place, Crash()):
            act()
    except Crash:
        return True
    return False


def refuses(act: Callable[[], object], place: int) -> bool:
    """Act, with a disk that refuses one operation; was that an error?"""
    try:
        with failing_at(place, OSError(28, "No space left on device")):
            act()
    except UnavailableError:
        return True
    return False


Step = tuple[Literal["remember", "forget", "restart"], Literal["well", "crash", "refused"], int, int]
_steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(["remember", "remember", "remember", "forget", "restart"]),
        st.sampled_from(["well", "well", "crash", "refused"]),
        st.integers(1, 6),
        st.integers(1, 16),
    ),
    max_size=12,
)


@given(_steps)
def test_after_any_history_of_failures_a_state_is_found_that_was_acknowledged(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as parent:
        life = Life(Path(parent) / "memory")
        for what, how, size, place in steps:
            life.step(what, how, size, place)
        life.restart()


class Life:
    """A memory under test, beside what it must know.

    Attributes:
        known: keys that the running process knows, in order.
        allowed: what a restart may find; more than one list after something failed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = open_memory(folder)
        self.known = list[bytes]()
        self.allowed = [self.known]
        self.next = 0

    def step(self, what: str, how: str, size: int, place: int) -> None:
        """One event of the history."""
        if what == "restart":
            self.restart()
            return
        if what == "remember":
            batch = keys(self.next, size)
            self.next += size
            self._act(lambda: self.memory.remember(batch), self.known + batch, how, place)
            return
        self.restart()
        self.memory.seen.begin_poll()
        self._act(self.memory.close_poll, self.known[-KEY_LIMIT:], how, place)

    def restart(self) -> None:
        """A new process finds one of the states that are allowed."""
        self.memory = open_memory(self.folder)
        self.known = list(self.memory.seen)
        assert self.known in self.allowed
        self.allowed = [self.known]

    def _act(self, act: Callable[[], object], expected: list[bytes], how: str, place: int) -> None:
        self.allowed.append(expected)
        if how == "crash" and crashes(act, place):
            self.restart()
        elif how == "refused" and refuses(act, place):
            assert list(self.memory.seen) in (self.known, expected)
            if list(self.memory.seen) != self.known:
                self.restart()
        else:
            if how == "well":
                act()
            self.known = list(self.memory.seen)
            assert self.known == expected
            self.allowed = [expected]


CHILD = """
import sys
from pathlib import Path
from httpkit.memory import Memory

memory = Memory(Path(sys.argv[1]), source="child")
number = int(sys.argv[2])
while True:
    memory.remember([(number * 8 + place).to_bytes(16, "big") for place in range(number % 5 + 1)])
    print(number, flush=True)
    number += 1
"""


def batch_of_child(number: int) -> list[bytes]:
    """The keys of one commit of the child."""
    return keys(number * 8, number % 5 + 1)


def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    """Twenty times a process that commits without a pause is killed at a random moment."""
    root = Path(__file__).parents[2]
    known, number = list[bytes](), 0
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(number)], cwd=root, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout
            acknowledged = [child.stdout.readline()]
            time.sleep(random.uniform(0, 0.03))
            child.kill()
            acknowledged += child.stdout.readlines()
        for line in acknowledged:
            assert int(line) == number
            known += batch_of_child(number)
            number += 1

        found = list(Memory(tmp_path, source="child").seen)
        # The last commit may have reached the disk without having been acknowledged.
        assert found in (known, known + batch_of_child(number))
        number += found != known
        known = found
