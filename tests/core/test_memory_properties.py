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
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.errors import UnavailableError
from httpkit.memory import Memory
from tests.core import remembering
from tests.core.remembering import known_to, remembered

SHOWN = 6000
LARGE = 2500
"""Keys that are too many for the document, so that they go to a file."""


FLUSH, TRUNCATE = os.fsync, os.ftruncate


class Crash(BaseException):
    """The process ends here; nothing may catch this."""


def keys(first: int, number: int) -> list[bytes]:
    """Some keys in a row."""
    return remembering.keys(*range(first, first + number))


def open_memory(folder: Path) -> Memory:
    """The memory as a start of the process finds it."""
    return remembering.open_memory(folder, key_limit=0)


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
        self.sizes: dict[Path, int] = {}

    @property
    def reached(self) -> bool:
        """Did the operation come?"""
        return self.met >= self.place

    def ends(self, act: Callable[[], object]) -> bool:
        """Act; was that ended by the fault?"""
        try:
            with pytest.MonkeyPatch.context() as patch:
                for name in ("replace", "fsync", "ftruncate", "unlink", "mkdir", "open", "write"):
                    patch.setattr(os, name, self._around(getattr(os, name)))
                patch.setattr(Path, "open", self._around(Path.open))
                act()
        except (Crash, UnavailableError):
            return True
        return False

    def _around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        is_flush, is_open = real is FLUSH, real is Path.open

        def operate(*args: Any, **named: Any) -> Any:
            self.met += 1
            if is_open and args[0].exists():
                self.sizes[args[0]] = args[0].stat().st_size
            if self.met != self.place:
                return real(*args, **named)
            if is_flush:
                self._halve(args[0])
            raise self.failure

        return operate

    def _halve(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return
        name = Path(f"/proc/self/fd/{descriptor}").readlink()
        # What a file of keys held before is not written again; a document is, from its start.
        before = self.sizes.get(name, 0) if name.name.startswith("keys-") else 0
        TRUNCATE(descriptor, before + (status.st_size - before) // 2)


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
            assert place > 2
            return


def history(folder: Path, sizes: list[int]) -> list[bytes]:
    """Commits of these sizes; the keys that are acknowledged."""
    acknowledged = list[bytes]()
    with closing(open_memory(folder)) as memory:
        for size in sizes:
            batch = keys(len(acknowledged), size)
            memory.remember(batch)
            acknowledged += batch
    return acknowledged


HISTORIES = [[], [1], [3, 1], [1, 1, 1], [LARGE], [LARGE, 1], [LARGE, LARGE], [1, LARGE, LARGE, 1]]
BATCH_SIZES = [2, LARGE]


@pytest.mark.parametrize("size", BATCH_SIZES)
@pytest.mark.parametrize("sizes", HISTORIES, ids=str)
def test_a_crash_at_any_operation_of_a_commit_leaves_the_old_or_the_new_state(sizes: list[int], size: int) -> None:
    def scenario(fault: Fault, folder: Path) -> None:
        old, batch = history(folder, sizes), keys(100_000, size)
        with closing(open_memory(folder)) as memory:
            crashed = fault.ends(lambda: memory.remember(batch))

        assert remembered(folder, old + batch) in ([old, old + batch] if crashed else [old + batch])

    at_every_place(crash, scenario)


@pytest.mark.parametrize("size", BATCH_SIZES)
@pytest.mark.parametrize("sizes", HISTORIES[1:], ids=str)
def test_a_crash_during_the_start_after_a_crash_changes_nothing(sizes: list[int], size: int) -> None:
    """The start removes what the first crash left."""

    def scenario(fault: Fault, folder: Path) -> None:
        old, batch, later = history(folder, sizes), keys(100_000, size), keys(200_000, size)
        with closing(open_memory(folder)) as memory:
            fault.ends(lambda: memory.remember(batch))
        starts = (crash(place).ends(lambda: open_memory(folder).close()) for place in count(1))
        while next(starts):
            pass

        found = remembered(folder, old + batch)
        assert found in (old, old + batch)
        with closing(open_memory(folder)) as memory:
            memory.remember(later)
        assert remembered(folder, old + batch + later) == found + later

    at_every_place(crash, scenario)


@pytest.mark.parametrize("size", BATCH_SIZES)
@pytest.mark.parametrize("sizes", [[1], [LARGE, LARGE], [LARGE, 1]], ids=str)
@pytest.mark.parametrize("second", range(1, 6))
def test_the_running_process_survives_a_refusal_at_any_operation(sizes: list[int], size: int, second: int) -> None:
    """The same process tries again, and a crash in that second try does no harm either."""

    def scenario(fault: Fault, folder: Path) -> None:
        old, batch = history(folder, sizes), keys(100_000, size)
        with closing(open_memory(folder)) as memory:
            refused = fault.ends(lambda: memory.remember(batch))
            assert known_to(memory, old + batch) == (old if refused else old + batch)
            if refused and not crash(second).ends(lambda: memory.remember(batch)):
                assert remembered(folder, old + batch) == old + batch
        assert remembered(folder, old + batch) in (old, old + batch)

    at_every_place(refusal, scenario)


def test_a_file_that_cannot_be_removed_does_not_undo_a_commit() -> None:
    with tempfile.TemporaryDirectory() as parent, pytest.MonkeyPatch.context() as patch:
        folder, expected = Path(parent), keys(9 * LARGE, LARGE)
        memory = Memory(folder, source="property", key_limit=0)

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError

        patch.setattr(os, "unlink", refuse)
        for number in range(10):
            memory.remember(keys(number * LARGE, LARGE))
            remembering.forget_all_but(memory, keys(number * LARGE, LARGE))
        patch.undo()

        assert known_to(memory, expected) == remembered(folder, expected) == expected


Step = tuple[Literal["remember", "forget", "restart"], Literal["well", "crash", "refused"], int, int]
_steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(["remember", "remember", "remember", "forget", "restart"]),
        st.sampled_from(["well", "well", "crash", "refused"]),
        st.sampled_from([1, 2, 700, LARGE, 2 * LARGE]),
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
        life.memory.close()


@pytest.mark.parametrize("how", ["refused", "crash"])
@pytest.mark.parametrize("place", range(1, 12))
def test_a_first_commit_that_failed_leaves_nothing_that_the_next_failure_could_damage(how: str, place: int) -> None:
    for second in range(1, 12):
        with tempfile.TemporaryDirectory() as parent:
            life = Life(Path(parent) / "memory")
            life.step("remember", how, LARGE, place)
            life.step("remember", "crash", 1, second)
            life.restart()
            life.memory.close()


class Life:
    """A memory under test, beside what it must know.

    Attributes:
        known: keys that the running process knows, in order.
        ever: all keys that were ever to be remembered, in order.
        doubtful: commits that failed; a restart may find each of them, but never a part of it.
        slack: most keys that a restart may find although they were forgotten.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = open_memory(folder)
        self.known = list[bytes]()
        self.ever = list[bytes]()
        self.doubtful = list[list[bytes]]()
        self.slack = 0

    def step(self, what: str, how: str, size: int, place: int) -> None:
        """One event of the history."""
        if what == "restart":
            self.restart()
        elif what == "remember":
            self._remember(keys(len(self.ever), size), how, place)
        else:
            self._forget(how, place)

    def restart(self) -> None:
        """A new process finds everything that was acknowledged, and of what failed all of a commit or nothing."""
        self.memory.close()
        self.memory = open_memory(self.folder)
        found = known_to(self.memory, self.ever)
        surplus = set(found) - set(self.known)
        assert len(found) == len(surplus) + len(self.known)
        for batch in self.doubtful:
            assert len(surplus.intersection(batch)) in (0, len(batch))
            surplus.difference_update(batch)
        assert len(surplus) <= self.slack
        self.known, self.doubtful, self.slack = found, [], 0

    def _remember(self, batch: list[bytes], how: str, place: int) -> None:
        self.ever += batch
        if self._does(lambda: self.memory.remember(batch), how, place):
            self.known += batch
            self.doubtful.clear()
        else:
            self.doubtful.append(batch)
        self._see(how)

    def _forget(self, how: str, place: int) -> None:
        self.restart()
        before, self.known = self.known, self.known[-SHOWN:]
        done = self._does(lambda: remembering.forget_all_but(self.memory, self.known), how, place)
        self.slack = SHOWN // 4 if done else len(before) - len(self.known)
        self._see(how)

    def _does(self, act: Callable[[], object], how: str, place: int) -> bool:
        """Act; was it done without a failure?"""
        if how == "well":
            act()
            return True
        return not (crash if how == "crash" else refusal)(place).ends(act)

    def _see(self, how: str) -> None:
        """What the process knows now; after a crash it is another one."""
        if how == "crash":
            self.restart()
        assert known_to(self.memory, self.ever) == self.known


CHILD = """
import sys
from pathlib import Path
from httpkit.memory import Memory
from tests.core.remembering import keys

memory = Memory(Path(sys.argv[1]), source="child")
number = int(sys.argv[2])
while True:
    memory.remember(keys(*range(number * 8000, number * 8000 + number % 3 * 1000 + 1)))
    print(number, flush=True)
    number += 1
"""


def batch_of_child(number: int) -> list[bytes]:
    """The keys of one commit of the child."""
    return keys(number * 8000, number % 3 * 1000 + 1)


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

        found = remembered(tmp_path, known + batch_of_child(number))
        # The last commit may have reached the disk without having been acknowledged.
        assert found in (known, known + batch_of_child(number))
        number += found != known
        known = found
