"""A memory in an object store keeps the same promises as one on a disk, in few requests and without locks."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from httpkit.errors import SettingsError, UnavailableError
from httpkit.files import write_whole
from httpkit.stopping import Stopped
from httpkit.values import Position
from tests.core.remembering import forget_all_but, keys, known_to, open_memory, remembered
from tests.fake_store import Disturbance, FakeStore

OVERTAKEN = "another process reads the same source"
LARGE = 9000
"""Keys that are too many for the document, so that they go to a file."""


@pytest.fixture(params=[True, False], ids=["conditional", "unconditional"])
def store(request: pytest.FixtureRequest) -> Iterator[FakeStore]:
    """An object store, of those that know conditional writes and of those that do not."""
    with FakeStore() as running:
        running.knows_conditions = request.param
        yield running


@pytest.fixture
def modern_store() -> Iterator[FakeStore]:
    """An object store that knows conditional writes."""
    with FakeStore() as running:
        yield running


def documents(store: FakeStore) -> dict[str, bytes]:
    """The state documents in a store."""
    return {key: content for key, content in store.contents().items() if "/state" in key}


def newest(store: FakeStore) -> str:
    """The key of the document that was written last."""
    return [key for method, key in store.asked if method == "PUT" and "/state" in key][-1]


# remembering


def test_a_restart_remembers_what_was_remembered(store: FakeStore) -> None:
    folder, everything = store.path("a", "memory"), keys(*range(3 * LARGE))
    memory = open_memory(folder)
    memory.remember(keys(0), Position(token="one"))
    memory.remember(everything[1:LARGE], Position(token="two"))
    memory.remember(everything[LARGE:])

    assert remembered(folder, everything) == known_to(memory, everything) == everything
    assert open_memory(folder).position == Position(token="two")


def test_keys_that_are_forgotten_leave_the_store(modern_store: FakeStore) -> None:
    folder = modern_store.path("memory")
    memory = open_memory(folder, key_limit=1000)
    memory.remember(keys(*range(2 * LARGE)))
    forget_all_but(memory, keys(*range(1000)))
    memory.remember(keys(0))
    memory.remember(keys(1))

    assert sum(len(content) for key, content in modern_store.contents().items() if "keys-" in key) == 16_000


def test_memories_side_by_side_do_not_touch_each_other(modern_store: FakeStore) -> None:
    first, second = modern_store.path("memory"), modern_store.path("memory-2")
    open_memory(second).remember(keys(*range(LARGE)))
    open_memory(first).remember(keys(1))
    open_memory(first)

    assert remembered(second, keys(*range(LARGE))) == keys(*range(LARGE))


# requests


def test_a_commit_is_one_request_and_files_are_shared_by_several(modern_store: FakeStore) -> None:
    memory = open_memory(modern_store.path("memory"))
    modern_store.asked.clear()
    memory.remember(keys(1))
    assert [method for method, _ in modern_store.asked] == ["PUT"]

    for number in range(60):
        memory.remember(keys(*range(1000 * number, 1000 * number + 1000)))
    assert len(modern_store.asked) < 61 * 1.5


def test_a_start_takes_few_requests(modern_store: FakeStore) -> None:
    folder = modern_store.path("memory")
    open_memory(folder).remember(keys(*range(LARGE)))
    modern_store.asked.clear()
    open_memory(folder)

    methods = [method for method, _ in modern_store.asked]
    assert methods.count("GET") == 4, "two documents, a file of keys and a listing"
    assert methods.count("PUT") == 2, "the store's manners and the mark of the new owner"


def test_the_state_is_written_after_the_keys_that_it_names(modern_store: FakeStore) -> None:
    memory = open_memory(modern_store.path("memory"))
    modern_store.asked.clear()
    memory.remember(keys(*range(LARGE)))

    (_, first), (_, second) = modern_store.asked
    assert "/keys-" in first
    assert "/state" in second


def test_the_number_of_objects_stays_small(modern_store: FakeStore) -> None:
    memory = open_memory(modern_store.path("memory"))
    for number in range(20):
        memory.remember(keys(*range(LARGE * number, LARGE * (number + 1))))

    assert len(modern_store.contents()) < 10


def test_the_library_of_the_store_is_loaded_only_for_a_store() -> None:
    """It takes several times as long to load as all the rest."""
    modules = "httpkit.memory, httpkit.source, sys"
    check = (
        f"import {modules}; sys.exit(any(n.partition('.')[0] in ('boto3', 'botocore', 's3path') for n in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", check], cwd=Path(__file__).parents[2], check=True)


# failures


@pytest.mark.parametrize("disturbance", ["refuse", "lose answer"])
@pytest.mark.parametrize("size", [2, LARGE])
def test_a_failure_at_any_request_of_a_commit_leaves_the_old_or_the_new_state(
    store: FakeStore, size: int, disturbance: Disturbance
) -> None:
    for place in count(1):
        folder, old, batch = store.path(f"memory-{place}"), keys(*range(10_000, 10_003 + LARGE)), keys(*range(size))
        memory = open_memory(folder)
        memory.remember(old[:-3])
        memory.remember(old[-3:])
        start = len(store.asked)
        store.disturb = lambda method, key: disturbance if len(store.asked) == start + place else None  # noqa: B023  (used in the same round)
        try:
            memory.remember(batch)
        except UnavailableError:
            assert known_to(memory, old + batch) == old
        else:
            assert known_to(memory, old + batch) == old + batch
        reached = len(store.asked) >= start + place
        store.disturb = lambda method, key: None
        memory.remember(batch)
        assert known_to(memory, old + batch) == old + batch

        assert remembered(folder, old + batch) == old + batch
        if not reached:
            assert place > 1
            return


@pytest.mark.parametrize("disturbance", ["refuse", "lose answer"])
@pytest.mark.parametrize("size", [2, LARGE])
def test_a_process_that_ends_at_any_request_of_a_commit_leaves_the_old_or_the_new_state(
    store: FakeStore, size: int, disturbance: Disturbance
) -> None:
    for place in count(1):
        folder, old, batch = store.path(f"memory-{place}"), keys(*range(10_000, 10_003 + LARGE)), keys(*range(size))
        memory = open_memory(folder)
        memory.remember(old)
        start = len(store.asked)
        store.disturb = lambda method, key: disturbance if len(store.asked) >= start + place else None  # noqa: B023  (used in the same round)
        failed = False
        try:
            memory.remember(batch)
        except UnavailableError:
            failed = True
        reached = len(store.asked) >= start + place
        store.disturb = lambda method, key: None

        assert remembered(folder, old + batch) in ([old, old + batch] if failed else [old + batch])
        if not reached:
            assert place > 1
            return


def test_an_answer_that_was_lost_is_no_other_process() -> None:
    """The client of the SDK repeats the request by itself, and is told that the document has changed."""
    with FakeStore(retries=None) as store:
        memory = open_memory(store.path("memory"))
        lost: Iterator[Disturbance] = iter(["lose answer"])
        store.disturb = lambda method, key: next(lost, None)
        memory.remember(keys(1))
        memory.remember(keys(2))

        assert remembered(store.path("memory")) == keys(1, 2)


def test_a_refused_start_is_unavailable_and_changes_nothing(store: FakeStore) -> None:
    folder = store.path("memory")
    open_memory(folder).remember(keys(1))
    before = store.contents()
    store.disturb = lambda method, key: "refuse"
    with pytest.raises(
        UnavailableError, match=r"the memory in /data-[0-9a-f]*/memory cannot be used: .*Please try again"
    ):
        open_memory(folder)
    store.disturb = lambda method, key: None

    assert store.contents() == before


def test_a_store_that_is_not_there_is_unavailable() -> None:
    with FakeStore() as store:
        folder = store.path("memory")
        memory = open_memory(folder)
    with pytest.raises(UnavailableError, match="cannot be used: Could not connect"):
        memory.remember(keys(1))
    with pytest.raises(UnavailableError):
        write_whole(folder / "file", b"text")
    with pytest.raises(UnavailableError):
        memory.quarantine(keys(1)[0], "event", "reason")


def test_a_store_that_does_not_answer_does_not_hold_up_the_end(modern_store: FakeStore) -> None:
    stop = threading.Event()
    memory = open_memory(modern_store.path("memory"), stop=stop)
    modern_store.disturb = lambda method, key: "slow"
    stopping = threading.Timer(0.3, stop.set)
    stopping.start()
    start = time.monotonic()
    with pytest.raises(Stopped):
        memory.remember(keys(1))

    assert time.monotonic() - start < 2
    stopping.join()


def test_what_was_delivered_is_remembered_also_after_the_order_to_stop(modern_store: FakeStore) -> None:
    stop = threading.Event()
    memory = open_memory(modern_store.path("memory"), stop=stop)
    stop.set()
    memory.remember(keys(1))

    assert remembered(modern_store.path("memory")) == keys(1)


# damage


def test_a_damaged_state_falls_back_to_the_one_before(modern_store: FakeStore) -> None:
    folder = modern_store.path("memory")
    memory = open_memory(folder)
    memory.remember(keys(1))
    memory.remember(keys(2))
    modern_store.put(newest(modern_store), b"damaged")

    assert remembered(folder) == keys(1)


def test_a_memory_without_a_valid_state_is_an_error_and_not_a_new_start(modern_store: FakeStore) -> None:
    folder = modern_store.path("memory")
    open_memory(folder).remember(keys(1))
    for key in documents(modern_store):
        modern_store.put(key, b"damaged")
    before = modern_store.contents()
    with pytest.raises(SettingsError, match="damaged"):
        open_memory(folder)

    assert modern_store.contents() == before


def test_objects_that_no_state_names_are_removed_at_the_start(modern_store: FakeStore) -> None:
    open_memory(modern_store.path("memory")).remember(keys(1))
    modern_store.put("memory/keys-00000099-a1b2c3d4", b"left by a crash")
    open_memory(modern_store.path("memory"))

    assert not [key for key in modern_store.contents() if "keys-" in key]


# two processes


def test_a_start_takes_over_and_the_old_process_is_told(store: FakeStore) -> None:
    """As when a pod is replaced while the old one still lives for some seconds."""
    folder = store.path("memory")
    old = open_memory(folder)
    old.remember(keys(1))
    new = open_memory(folder)
    for _ in range(3):
        with pytest.raises(SettingsError, match=OVERTAKEN):
            old.remember(keys(2))
    with pytest.raises(SettingsError, match=OVERTAKEN):
        old.remember(keys(*range(LARGE)))
    new.remember(keys(3))

    assert remembered(folder) == known_to(new) == keys(1, 3)


def test_a_start_takes_over_also_before_anything_was_remembered(store: FakeStore) -> None:
    old, new = open_memory(store.path("memory")), open_memory(store.path("memory"))
    with pytest.raises(SettingsError, match=OVERTAKEN):
        old.remember(keys(1))
    new.remember(keys(2))

    assert remembered(store.path("memory")) == keys(2)


def test_what_the_old_process_remembers_during_the_start_is_not_lost(modern_store: FakeStore) -> None:
    folder = modern_store.path("memory")
    old = open_memory(folder)
    old.remember(keys(1))
    late = iter([keys(2)])

    def remember_late(method: str, key: str) -> None:
        """The old process writes after the new one has read the documents."""
        if (method, key) == ("PUT", "memory/state.json") and (batch := next(late, None)):
            old.remember(batch)

    modern_store.disturb = remember_late
    new = open_memory(folder)

    assert known_to(new) == keys(1, 2)
    with pytest.raises(SettingsError, match=OVERTAKEN):
        old.remember(keys(3))


def test_the_old_process_never_writes_a_file_of_the_new_one(modern_store: FakeStore) -> None:
    folder, everything = modern_store.path("memory"), keys(*range(3 * LARGE))
    old, new = open_memory(folder), open_memory(folder)
    modern_store.disturb = lambda method, key: "refuse"
    with pytest.raises(UnavailableError):
        old.remember(everything[LARGE : 2 * LARGE])
    modern_store.disturb = lambda method, key: None
    new.remember(everything[:LARGE])
    with pytest.raises(SettingsError):
        old.remember(everything[LARGE : 2 * LARGE])
    new.remember(everything[2 * LARGE :])

    expected = everything[:LARGE] + everything[2 * LARGE :]
    assert remembered(folder, everything) == known_to(new, everything) == expected


# other files


def test_a_file_is_written_in_one_request(modern_store: FakeStore) -> None:
    write_whole(modern_store.path("run", "answer.txt"), b"text")

    assert modern_store.asked == [("PUT", "run/answer.txt")]
    assert modern_store.contents() == {"run/answer.txt": b"text"}
