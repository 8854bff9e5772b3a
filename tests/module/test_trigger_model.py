"""Whatever happens to the list, the process and the platform: every entry starts one run, and none is flooded."""

import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from httpkit.errors import HttpkitError
from tests.fake_api import Answer, FakeApi
from tests.module.watched import Crash, Watched, away, crash_at, entry

PER_RUN, PER_POLL = 3, 2

Change = tuple[Literal["add", "remove", "again", "other"], int]
Fault = tuple[Literal["well", "disk", "before", "after", "away", "page"], int]
Step = tuple[list[Change], Fault]

_changes = st.lists(
    st.tuples(st.sampled_from(["add", "add", "remove", "again", "other"]), st.integers(1, 9)), max_size=3
)
_faults = st.tuples(
    st.sampled_from(["well", "well", "disk", "disk", "before", "after", "away", "page"]), st.integers(1, 14)
)
_BAD_PAGES = [Answer(body=b"<html>"), Answer(status=500), Answer(json="oops"), Answer(json=[entry(1)], cut=3)]


class Life:
    """A trigger, a list that changes, and what must be true of both.

    Attributes:
        due: identities that a poll without a failure has seen.
        repeats: runs that may have been started twice.
    """

    def __init__(self, folder: Path, api: FakeApi) -> None:
        self.watched = Watched(folder, api.url, max_entries_per_run=PER_RUN, max_runs_per_poll=PER_POLL)
        self.shown: list[dict[str, Any]] = []
        self.gone: list[dict[str, Any]] = []
        self.due: set[int] = set()
        self.repeats = 0
        self.only_grows = True
        self._numbers = count(1)
        self._bad: list[Answer] = []
        api.handler = lambda _: self._bad.pop() if self._bad else Answer(json=list(self.shown))

    def change(self, what: str, number: int) -> None:
        """The API shows another list."""
        if what == "add":
            self.shown += [entry(next(self._numbers)) for _ in range(number)]
        elif what == "remove":
            self.only_grows = False
            self.gone, self.shown = self.gone + self.shown[:number], self.shown[number:]
        elif what == "again":
            self.shown += self.gone[:number]
        elif self.shown:
            self.shown.append({**self.shown[-1], "value": f"other content {number}"})

    def poll(self, what: str, place: int) -> None:
        """One poll, with a fault."""
        platform, before = self.watched.platform, len(self.watched.platform.accepted)
        platform.troubles, platform.after = [], {}
        self._bad = [_BAD_PAGES[place % len(_BAD_PAGES)]] if what == "page" else []
        if what == "before":
            platform.troubles = [None] * (place % PER_POLL) + [Crash()]
        elif what == "after":
            platform.after = {before + place % PER_POLL + 1: Crash()}
        elif what == "away":
            platform.troubles = [None] * (place % PER_POLL) + [away()] * PER_POLL
        try:
            with crash_at(place if what == "disk" else 0):
                self.watched.poll()
        except HttpkitError:
            assert what == "page"
        except Crash:
            self.repeats += 1
            self.watched.restart()
        else:
            self.due |= {one["id"] for one in self.shown}
        assert len(platform.accepted) - before <= PER_POLL

    def recover(self) -> None:
        """All is well from now on, for as long as anything waits."""
        before = -1
        while before < len(self.watched.platform.accepted):
            before = len(self.watched.platform.accepted)
            self.poll("well", 0)

    def check(self) -> None:
        """Each entry has started one run; a crash may have repeated one run, as it was."""
        accepted: dict[str, list[int]] = {}
        for identity, run in zip(self.watched.request_ids, self.watched.runs, strict=True):
            accepted[identity] = [one["id"] for one in run]
        ids = [one for run in accepted.values() for one in run]
        assert len(self.watched.runs) - len(accepted) <= self.repeats
        assert len(ids) == len(set(ids))
        assert self.due <= set(ids)
        assert all(len(run) <= PER_RUN for run in accepted.values())
        if self.only_grows:
            assert ids == sorted(ids)


@pytest.fixture(scope="module")
def api() -> Iterator[FakeApi]:
    """One server for all lives."""
    with FakeApi(lambda _: Answer(json=[])) as api:
        yield api


@given(steps=st.lists(st.tuples(_changes, _faults), max_size=12))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_every_entry_starts_exactly_one_run_whatever_fails(api: FakeApi, steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder), api)
        for changes, fault in steps:
            for change in changes:
                life.change(*change)
            life.poll(*fault)
        life.recover()
        life.check()


@pytest.mark.parametrize("waiting", [0, 7])
def test_a_crash_at_any_operation_on_files_repeats_at_most_one_run(api: FakeApi, waiting: int) -> None:
    for place in count(1):
        with tempfile.TemporaryDirectory() as folder:
            life = Life(Path(folder), api)
            if waiting:
                life.change("add", PER_RUN * PER_POLL + waiting)
                life.poll("well", 0)
            life.change("add", 8)
            life.poll("disk", place)
            crashed = bool(life.repeats)
            life.change("add", 2)  # so that a repeat could be mixed with what is new
            life.recover()
            life.check()
        if not crashed:
            assert place > 10
            return


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("what", ["before", "after"])
def test_a_crash_around_a_send_repeats_at_most_that_run(api: FakeApi, what: str, place: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder), api)
        life.change("add", 8)
        life.poll(what, place)
        assert life.repeats == 1
        life.change("add", 2)
        life.recover()
        life.check()
        assert len(life.watched.runs) - len(set(life.watched.request_ids)) == (what == "after")
