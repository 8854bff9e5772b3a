"""Calls that take turns in one thread: while one waits for a server, its caller and the other calls go on.

A thread for each would do the same, but one thread computes at a time, and a sixth of all processor time went into
handing that right to and fro. So each call is a greenlet, which runs until it would have to wait (`wait_for`). It goes
on when it can and whoever began it waits for a call, or looks whether one is done.
"""

import errno
import math
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from typing import Generic, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet
from msgspec import Struct

from httpkit.stopping import Outcome, Stopped

Result = TypeVar("Result")
Value = TypeVar("Value")

READABLE, WRITABLE = select.POLLIN, select.POLLOUT
_LOOK_SECONDS = 0.05
_TRY_SECONDS = 0.005
_TURN_EVERY = 500


class Call(Generic[Result]):
    """A call that takes turns with its caller; it has the first turn at once, unless `stop` is set.

    It is waited for in the thread that began it. One that nobody holds any more is given up.

    Args:
        call: what to do.
        stop: gives it up.
    """

    def __init__(self, call: Callable[[], Result], stop: threading.Event) -> None:
        self._stop = stop
        self._outcome = Outcome[Result]()
        self._turn = _Turn(self._outcome.take)
        self._turn.gr_context = copy_context()
        if not stop.is_set():
            self._turn.switch(call)

    def __del__(self) -> None:
        if self._turn in _here.waiting and not sys.is_finalizing():
            _here.given_up.append(self._turn)
            # The garbage collection may do this inside another call, which must not be left in its middle.
            if not isinstance(getcurrent(), _Turn):
                _end_given_up()

    @property
    def done(self) -> bool:
        """Has the call ended? It is given a turn, if it can go on."""
        if not self._outcome.ended:
            _give_turns(0.0)
        return self._outcome.ended

    def result(self, *, meanwhile: Callable[[], None] = lambda: None) -> Result:
        """Wait for the end of the call.

        Args:
            meanwhile: called again and again while the end is waited for.

        Raises:
            Stopped: `stop` was set before the call ended.
        """
        outcome, looked = self._outcome, time.monotonic()
        while not outcome.ended:
            if self._stop.is_set():
                raise Stopped
            assert self._turn in _here.waiting, "a call is waited for in the thread that began it, and not by itself"
            _give_turns(_LOOK_SECONDS)
            if not outcome.ended and (now := time.monotonic()) - looked >= _LOOK_SECONDS:
                looked = now
                meanwhile()
        return outcome.given()


def until_stopped(values: Iterable[Value], stop: threading.Event) -> Iterator[Value]:
    """The values, with turns for the calls now and then, for as long as `stop` is not set; a few are given whole.

    A page may hold hundreds of thousands of records, on each of which an expression of the user's takes its time.

    Raises:
        Stopped: `stop` was set.
    """
    for number, value in enumerate(values, 1):
        yield value
        if number % _TURN_EVERY == 0:
            if stop.is_set():
                raise Stopped
            _give_turns(0.0)


def wait_for(fileno: int, events: int, until: float) -> None:
    """Let the others go on until a file is ready, or until a moment on the monotonic clock has come.

    Args:
        events: READABLE or WRITABLE.
    """
    _wait(_Wait(until, fileno, events))


def pause(seconds: float, stop: threading.Event) -> None:
    """Let the others go on for a while.

    Raises:
        Stopped: `stop` was set meanwhile; inside a call its `result` raises it.
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not stop.is_set():
        if _here.waiting or isinstance(getcurrent(), _Turn):
            _wait(_Wait(time.monotonic() + min(left, _LOOK_SECONDS)))
        else:
            stop.wait(left)
    if stop.is_set():
        raise Stopped


def in_thread(call: Callable[[], Result]) -> Result:
    """Do in a thread what blocks and cannot be told to wait, such as to look up a name; the others go on meanwhile.

    Raises:
        OSError: there can be no further thread; or what the call itself raises.
    """
    outcome = Outcome[Result]()
    reading, writing = os.pipe()

    def work() -> None:
        try:
            outcome.take(call)
        finally:
            os.close(writing)

    try:
        try:
            threading.Thread(target=work, name="httpkit-call", daemon=True).start()
        except RuntimeError as error:
            os.close(writing)
            raise OSError(errno.EAGAIN, str(error)) from None
        while not outcome.ended:
            wait_for(reading, READABLE, math.inf)
    finally:
        os.close(reading)
    return outcome.given()


class Lock:
    """A lock that a call can hold while it waits: the calls of all threads that want it wait for their turn.

    A call that holds one is not given up before it lets go, since the others wait for what it does: a refresh token
    that was sent is of no use any more, and what the server gives for it must not be lost.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it for as long as a block lasts."""
        while not self._lock.acquire(blocking=False):
            _wait(_Wait(time.monotonic() + _TRY_SECONDS))
        turn = getcurrent()
        with turn.holding() if isinstance(turn, _Turn) else nullcontext():
            try:
                yield
            finally:
                self._lock.release()


class _Turn(greenlet):  # type: ignore[misc]  # it has no types
    """What runs a call."""

    _locks = 0
    _is_unwanted = False

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold a lock; who was given up meanwhile ends afterwards."""
        self._locks += 1
        try:
            yield
        finally:
            self._locks -= 1
            if self._is_unwanted and not self._locks:
                raise GreenletExit

    def give_up(self) -> None:
        """End it, now or when it lets go of what it holds."""
        if self._locks:
            self._is_unwanted = True
        else:
            self.parent = getcurrent()
            self.throw(GreenletExit)


class _Wait(Struct, frozen=True):
    """What is waited for: a file, or only a moment."""

    until: float
    fileno: int = -1
    events: int = 0


class _Here(threading.local):
    """The calls of this thread that wait."""

    def __init__(self) -> None:
        self.waiting: dict[_Turn, _Wait] = {}
        self.given_up: list[_Turn] = []


_here = _Here()


def _wait(wait: _Wait) -> None:
    turn = getcurrent()
    if not isinstance(turn, _Turn):
        while not _give_turns(math.inf, wait):
            pass
        return
    _here.waiting[turn] = wait
    try:
        assert turn.parent is not None, "only the first greenlet of a thread has none"
        turn.parent.switch()
    finally:
        _here.waiting.pop(turn, None)


def _give_turns(seconds: float, own: _Wait | None = None) -> bool:
    """Let all calls go on that can; wait for the first of them for at most so many seconds.

    Args:
        own: what is waited for besides; is it over?
    """
    _end_given_up()
    waiting = dict(_here.waiting)
    over = _over([*waiting.values(), own] if own else list(waiting.values()), seconds)
    for turn, wait in waiting.items():
        if wait in over and _here.waiting.get(turn) is wait:
            turn.parent = getcurrent()
            turn.switch()
    return own in over


def _end_given_up() -> None:
    """End the calls that nobody holds any more."""
    while _here.given_up:
        turn = _here.given_up.pop()
        if turn in _here.waiting:
            turn.give_up()


def _over(waits: Sequence[_Wait], seconds: float) -> Sequence[_Wait]:
    """Those of the waits that are over; the first of them is waited for."""
    files = select.poll()
    for wait in waits:
        if wait.fileno >= 0:
            files.register(wait.fileno, wait.events)
    now = time.monotonic()
    left = min([seconds, *(wait.until - now for wait in waits)])
    ready = {fileno for fileno, _ in files.poll(None if math.isinf(left) else math.ceil(max(0.0, left) * 1000))}
    now = time.monotonic()
    return [wait for wait in waits if wait.fileno in ready or wait.until <= now]
