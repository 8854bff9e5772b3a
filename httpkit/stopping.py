"""How blocking work ends at once when the process is asked to stop."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")

_LOOK_SECONDS = 0.05


class Stopped(Exception):  # noqa: N818  (a signal, not an error)
    """The stop event was set; whatever was under way is given up and nothing of it is remembered."""


class Call(Generic[Result]):
    """A call that may block in a socket, and that is given up when `stop` is set.

    A signal handler cannot end a system call that waits for a slow server, so the call runs in a daemon thread: the
    caller returns at once, and the thread dies with the process or with the time limit of its own socket.

    Args:
        call: begins at once, unless `stop` is set.
    """

    def __init__(self, call: Callable[[], Result], stop: threading.Event) -> None:
        self._call = call
        self._stop = stop
        self._done = threading.Event()
        self._results: list[Result] = []
        self._errors: list[BaseException] = []
        if not stop.is_set():
            threading.Thread(target=self._work, name="httpkit-call", daemon=True).start()

    def result(self) -> Result:
        """Wait for the end of the call.

        Raises:
            Stopped: `stop` was set before the call ended.
        """
        while not self._done.wait(_LOOK_SECONDS):
            if self._stop.is_set():
                raise Stopped
        if self._errors:
            raise self._errors[0]
        return self._results[0]

    def _work(self) -> None:
        try:
            self._results.append(self._call())
        except BaseException as error:  # noqa: BLE001  (handed to the thread that waits, which raises it)
            self._errors.append(error)
        finally:
            self._done.set()


def run_until_stopped(call: Callable[[], Result], stop: threading.Event) -> Result:
    """Run a call that may block in a socket, and give it up when `stop` is set.

    Raises:
        Stopped: `stop` was set before the call ended.
    """
    return Call(call, stop).result()
