"""Whenever the process or the disk fails, the old or the new state is found, and nothing acknowledged is lost."""

import errno
import os
import random
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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


class Fault:
    """One operation on files that fails instead of being done.

    A flush that fails leaves only half of what was written to the file.

    Args:
        place: number of the operation, counted from 1.
    """

    def __init__(self, place: int, failure: BaseException) -> None:
        self.place = place
        self.failure = failure
        self.met = 0

    @property
    def reached(self) -> bool:
        """Did the operation come?"""
        return self.met >= self.place

    def ends(self, act: Callable[[], object]) -> bool:
        """Act; was that ended by the fault?"""
        try:
            with pytest.MonkeyPatch.context() as patch:
                for name in ("replace", "fsync", "unlink", "mkdir", "open"):
                    patch.setattr(os, name, self._around(getattr(os, name)))
                patch.setattr(Path, "open", self._around(Path.open))
                act()
        except (Crash, UnavailableError):
            return True
        return False

    def _around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        is_flush = real is os.fsync

        def operate(*args: Any, **named: Any) -> Any:
            self.met += 1
            if self.met != self.place:
                return real(*args, **named)
            if is_flush and stat.S_ISREG((status := os.fstat(args[0])).st_mode):
                os.ftruncate(args[0], status.st_size // 2)
            raise self.failure

        return operate


def crash(place: int) -> Fault:
    """The process ends at an operation."""
    return Fault(place, Crash())


def refusal(place: int) -> Fault:
    """The disk refuses an operation."""
    return Fault(place, OSError(errno.ENOSPC, "No space left on device"))


def at_every_place(kind: Callable[[int], Fault], scenario: Callable[[Fault, Path], None]) -> None:
    """Run a scenario in a new folder with a fault at the first operation, at the second, until there are no more."""
    for place in count(1):
        fault = kind(place)
        with tempfile.TemporaryDirectory() as folder:
            scenario(fault, Path(folder) / "memory")
        if not fault.reached:
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
    def scenario(fault: Fault, folder: Path) -> None:
        old, batch = history(folder, sizes), keys(100, 2)
        memory = open_memory(folder)
        crashed = fault.ends(lambda: memory.remember(batch))

        assert remembered(folder) in ([old, old + batch] if crashed else [old + batch])

    at_every_place(crash, scenario)


@pytest.mark.parametrize("sizes", HISTORIES[1:], ids=str)
def test_a_crash_during_the_start_after_a_crash_changes_nothing(sizes: list[int]) -> None:
    """The start removes what the first crash left."""

    def scenario(fault: Fault, folder: Path) -> None:
        old, batch = history(folder, sizes), keys(100, 2)
        memory = open_memory(folder)
        fault.ends(lambda: memory.remember(batch))
        starts = (crash(place).ends(lambda: open_memory(folder)) for place in count(1))
        while next(starts):
            pass

        found = remembered(folder)
        assert found in (old, old + batch)
        open_memory(folder).remember(keys(200, 1))
        assert remembered(folder) == found + keys(200, 1)

    at_every_place(crash, scenario)


@pytest.mark.parametrize("sizes", [[1], [4, 2, 1]], ids=str)
@pytest.mark.parametrize("second", range(1, 13))
def test_the_running_process_survives_a_refusal_at_any_operation(sizes: list[int], second: int) -> None:
    """The same process tries again, and a crash in that second try does no harm either."""

    def scenario(fault: Fault, folder: Path) -> None:
        old, batch = history(folder, sizes), keys(100, 2)
        memory = open_memory(folder)
        refused = fault.ends(lambda: memory.remember(batch))
        assert list(memory.seen) == (old if refused else old + batch)
        if refused and not crash(second).ends(lambda: memory.remember(batch)):
            assert remembered(folder) == old + batch
        assert remembered(folder) in (old, old + batch)

    at_every_place(refusal, scenario)


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
        if how == "crash" and crash(place).ends(act):
            self.restart()
        elif how == "refused" and refusal(place).ends(act):
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
