"""Two threads and the keys of delivered records: one reads the next pages, the other one confirms the last ones."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import pytest

from httpkit.client import Client
from httpkit.freshness import SeenKeys
from httpkit.values import Batch, Position
from tests.core.clocks import Clock
from tests.core.polls import get, source_of
from tests.fake_api import Answer, Asked, FakeApi

START = datetime(2026, 1, 1, tzinfo=UTC)
LONG_ENOUGH = 0.1
"""Seconds in which another thread does what it can do at once."""


@pytest.fixture(autouse=True)
def often() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def page_of(first: int, count: int = 500) -> list[bytes]:
    """The keys of a page."""
    return [blake2b(number.to_bytes(16, "big"), digest_size=16).digest() for number in range(first, first + count)]


def on_its_way(page: Sequence[bytes]) -> SeenKeys:
    """The page is read, and not confirmed yet."""
    seen = SeenKeys()
    seen.begin_poll()
    seen.begin("first window")
    seen.show(page)
    seen.give(page)
    return seen


def while_confirming(seen: SeenKeys, page: Sequence[bytes], reads: Callable[[], None]) -> None:
    """Let the other thread read when all keys were looked at, and confirming is not done yet."""
    looked_at, done = threading.Event(), threading.Event()

    def reading() -> None:
        looked_at.wait()
        reads()
        done.set()

    def keys() -> Iterator[bytes]:
        yield from page
        looked_at.set()
        done.wait(LONG_ENOUGH)

    thread = threading.Thread(target=reading)
    thread.start()
    seen.add(keys())
    thread.join()


def test_a_page_that_is_shown_again_while_it_is_confirmed_is_not_new() -> None:
    """Pages that are counted move when a record is added, so that the next one repeats a part of the last one."""
    page, known = page_of(0, 5), list[bool]()
    seen = on_its_way(page)

    while_confirming(seen, page, lambda: known.extend(seen.show(page)))

    assert known == [True] * 5


def test_a_page_that_is_confirmed_while_the_next_window_begins_was_not_shown_in_it() -> None:
    page = page_of(0, 5)
    seen = on_its_way(page)

    while_confirming(seen, page, lambda: seen.begin("second window"))

    assert not any(seen.all_shown([key]) for key in page)
    assert all(key in seen for key in page)


def crowded(kind: int) -> list[bytes]:
    """Keys that fill the places of a compact set one after the other."""
    return [bytes([kind]).rjust(14, b"\0") + place.to_bytes(2, "big") for place in range(4096)]


def test_no_key_is_lost_or_doubled_while_other_pages_are_shown() -> None:
    """The sets of keys are compact, and take no changes from two threads at once."""
    old, new, lost, surplus = crowded(1), crowded(2), 0, 0
    for _ in range(10):
        seen, both = SeenKeys(old), threading.Barrier(2)
        seen.begin_poll()
        seen.begin("window")
        seen.give(new)

        def confirming(seen: SeenKeys = seen, both: threading.Barrier = both) -> None:
            both.wait()
            for start in range(0, len(new), 16):
                seen.add(new[start : start + 16])

        thread = threading.Thread(target=confirming)
        thread.start()
        both.wait()
        for start in range(0, len(old), 16):
            seen.show(old[start : start + 16])
        thread.join()
        lost += sum(key not in seen for key in [*old, *new])
        surplus += len(seen) - len(old) - len(new)

    assert (lost, surplus) == (0, 0)


def test_a_window_is_not_ended_by_what_the_one_before_has_shown(api: FakeApi, client: Client) -> None:
    """Its first page holds the overlap alone, whose keys are confirmed just as the window begins."""
    clock, asked_for_more = Clock(START + timedelta(minutes=32)), threading.Event()

    def handler(asked: Asked) -> Answer:
        since, until = (datetime.fromisoformat(asked.params[name]) for name in ("since", "until"))
        number = int(asked.params.get("cursor", "1"))
        if since > START and number == 1:
            asked_for_more.set()
            confirmed.wait(2)
        shown = [n for n in range(32) if since <= START + timedelta(minutes=n, seconds=30) <= until]
        more = number + 1 if len(shown) > number * 4 else None
        return Answer(json={"items": [{"id": n} for n in shown[(number - 1) * 4 : number * 4]], "next": more})

    def keys(of: Sequence[bytes]) -> Iterator[bytes]:
        yield from of
        go_on.set()
        asked_for_more.wait(LONG_ENOUGH)

    def read() -> None:
        for batch in polled:
            taken.append(batch)
            if batch.position.window is None and not confirmed.is_set():
                ended.set()
                go_on.wait()

    api.handler = handler
    confirmed, go_on, ended, taken = threading.Event(), threading.Event(), threading.Event(), list[Batch]()
    source = source_of(
        client,
        get(api.url, since_parameter="since", until_parameter="until"),
        clocks=clock.clocks,
        start_from="2026-01-01",
        window_minutes=12,
        overlap_seconds=240,
        pagination="cursor",
        next_path="next",
    )
    seen = SeenKeys()
    polled = source.poll(seen, Position())
    thread = threading.Thread(target=read)
    thread.start()
    ended.wait()
    seen.add(keys([record.key for batch in list(taken) for record in batch.records]))
    confirmed.set()
    thread.join()

    assert sorted(record.value["id"] for batch in taken for record in batch.records) == list(range(32))
