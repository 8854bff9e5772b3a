"""How blocking work ends at once when the process is asked to stop."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

_LOOK_SECONDS = 0.05


class Stopped(Exception):  # noqa: N818  (a signal, not an error)
    """The stop event was set; whatever was under way is given up and nothing of it is remembered."""


class Outcome(Generic[Result]):
    """What came of a call."""

    def __init__(self) -> None:
        self.ended = False
        self._results: list[Result] = []
        self._errors: list[BaseException] = []

    def take(self, call: Callable[[], Result]) -> None:
        """Do the call."""
        try:
            self._results.append(call())
        except (KeyboardInterrupt, SystemExit) as error:
            # The end of the process came in its turn, and is not its own affair.
            self._errors.append(error)
            raise
        except BaseException as error:  # noqa: BLE001  (handed to whoever waits, which raises it)
            self._errors.append(error)
        finally:
            self.ended = True

    def given(self) -> Result:
        """The result of a call that has ended, or its error, which is given once.

        Kept here it would keep itself, since it knows this frame, and with it all that the call and its caller had.
        """
        if self._errors:
            raise self._errors.pop()
        return self._results[0]


class ThreadedCall(Generic[Result]):
    """A call under way in a thread of its own.

    Args:
        call: what to do.
        stop: gives it up.
    """

    def __init__(self, call: Callable[[], Result], stop: threading.Event) -> None:
        self._call: Callable[[], Result] | None = call
        self._stop = stop
        self._done = threading.Event()
        self._outcome = Outcome[Result]()

    def run(self) -> None:
        """Do it; runs in the thread."""
        # What it was made of may be large, and is not needed once there is a result.
        call, self._call = self._call, None
        assert call is not None, "a call is done once"
        try:
            self._outcome.take(call)
        finally:
            self._done.set()

    def result(self, grace: float = 0.0) -> Result:
        """Wait for the end of the call.

        Args:
            grace: seconds that the call has to end after `stop` was set.

        Raises:
            Stopped: `stop` was set before the call ended.
        """
        while not self._done.wait(_LOOK_SECONDS):
            if self._stop.is_set() and not self._done.wait(grace):
                raise Stopped
        return self._outcome.given()


class Threads:
    """Begins calls that compute beside everything else.

    Threads are used again: a new one costs as much as a small request.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._idle: list[_Work] = []

    def __del__(self) -> None:
        while self._idle:
            self._idle.pop().put(None)

    def begin(self, call: Callable[[], Result]) -> ThreadedCall[Result]:
        """Begin a call, unless `stop` is set; its result is waited for later."""
        begun = ThreadedCall(call, self._stop)
        if self._stop.is_set():
            return begun
        try:
            work = self._idle.pop()
        except IndexError:
            work = SimpleQueue()
            # The thread must not keep this object, or neither would ever end.
            threading.Thread(target=_work, args=(work, self._idle), name="httpkit-call", daemon=True).start()
        work.put(begun)
        return begun


_Work = SimpleQueue[ThreadedCall[Any] | None]


def _work(work: _Work, idle: list[_Work]) -> None:
    while (call := work.get()) is not None:
        call.run()
        del call
        idle.append(work)


def run_until_stopped(call: Callable[[], Result], stop: threading.Event, *, grace: float = 0.0) -> Result:
    """Run a call that may block in a socket, and give it up when `stop` is set.

    A signal handler cannot end a system call that waits for a slow server, so the call runs in a daemon thread: who
    waits for it returns at once, and the thread dies with the process or with the time limit of its own socket.

    Args:
        grace: seconds that the call has to end after `stop` was set; without any it is not begun then.

    Raises:
        Stopped: `stop` was set before the call ended.
    """
    if stop.is_set() and not grace:
        raise Stopped
    begun = ThreadedCall(call, stop)
    threading.Thread(target=begun.run, name="httpkit-call", daemon=True).start()
    return begun.result(grace)
