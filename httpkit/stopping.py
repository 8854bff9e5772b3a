"""How blocking work ends at once when the process is asked to stop."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

_LOOK_SECONDS = 0.05


class Stopped(Exception):  # noqa: N818  (a signal, not an error)
    """The stop event was set; whatever was under way is given up and nothing of it is remembered."""


class Call(Generic[Result]):
    """A call under way in a thread of its caller's.

    Args:
        call: what to do.
        stop: gives it up.
    """

    def __init__(self, call: Callable[[], Result], stop: threading.Event) -> None:
        self._call: Callable[[], Result] | None = call
        self._stop = stop
        self._done = threading.Event()
        self._waits = threading.Event()
        self._results: list[Result] = []
        self._errors: list[BaseException] = []

    def run(self) -> None:
        """Do it; runs in the thread."""
        _under_way.call = self
        # What it was made of may be large, and is not needed once there is a result.
        call, self._call = self._call, None
        assert call is not None, "a call is done once"
        try:
            self._results.append(call())
        except BaseException as error:  # noqa: BLE001  (handed to the thread that waits, which raises it)
            self._errors.append(error)
        finally:
            _under_way.call = None  # the thread may stay idle for long, and its last result is not its own
            self._waits.set()
            self._done.set()

    def until_it_waits(self, seconds: float) -> None:
        """Wait until the call itself only waits, but not for more than so many seconds."""
        self._waits.wait(seconds)

    def waits(self) -> None:
        """From here on it waits for someone else."""
        self._waits.set()

    @property
    def done(self) -> bool:
        """Has the call ended?"""
        return self._done.is_set()

    def result(self, grace: float = 0.0, *, meanwhile: Callable[[], None] = lambda: None) -> Result:
        """Wait for the end of the call.

        Args:
            grace: seconds that the call has to end after `stop` was set.
            meanwhile: called again and again while the end is waited for.

        Raises:
            Stopped: `stop` was set before the call ended.
        """
        while not self._done.wait(_LOOK_SECONDS):
            if self._stop.is_set() and not self._done.wait(grace):
                raise Stopped
            meanwhile()
        if self._errors:
            raise self._errors[0]
        return self._results[0]


class _UnderWay(threading.local):
    """The call that the thread is doing, if any."""

    call: Call[Any] | None = None


_under_way = _UnderWay()


def tell_of_waiting() -> None:
    """Say that the call under way in this thread, if any, waits for someone else from here on."""
    if _under_way.call:
        _under_way.call.waits()


class Caller:
    """Begins calls that may block in a socket, and that are given up when `stop` is set.

    A signal handler cannot end a system call that waits for a slow server, so calls run in daemon threads: who waits
    for one returns at once, and its thread dies with the process or with the time limit of its own socket. Threads
    are used again, since a new one costs as much as a small request.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._idle: list[SimpleQueue[Call[Any] | None]] = []

    def __del__(self) -> None:
        self.close()

    def begin(self, call: Callable[[], Result]) -> Call[Result]:
        """Begin a call, unless `stop` is set; its result is waited for later."""
        begun = Call(call, self._stop)
        if self._stop.is_set():
            return begun
        try:
            work = self._idle.pop()
        except IndexError:
            work = SimpleQueue()
            # The thread must not keep its caller, or neither would ever end.
            threading.Thread(target=_work, args=(work, self._idle), name="httpkit-call", daemon=True).start()
        work.put(begun)
        return begun

    def close(self) -> None:
        """End the threads that wait for work."""
        while self._idle:
            self._idle.pop().put(None)


_Work = SimpleQueue[Call[Any] | None]


def _work(work: _Work, idle: list[_Work]) -> None:
    while (call := work.get()) is not None:
        call.run()
        del call
        idle.append(work)


def run_until_stopped(call: Callable[[], Result], stop: threading.Event, *, grace: float = 0.0) -> Result:
    """Run a call that may block in a socket, and give it up when `stop` is set.

    Args:
        grace: seconds that the call has to end after `stop` was set; without any it is not begun then.

    Raises:
        Stopped: `stop` was set before the call ended.
    """
    if stop.is_set() and not grace:
        raise Stopped
    begun = Call(call, stop)
    threading.Thread(target=begun.run, name="httpkit-call", daemon=True).start()
    return begun.result(grace)
