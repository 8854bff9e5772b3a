"""How blocking work ends at once when the process is asked to stop."""

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

_LOOK_SECONDS = 0.05


class Stopped(Exception):  # noqa: N818  (a signal, not an error)
    """The stop event was set; whatever was under way is given up and nothing of it is remembered."""


def run_until_stopped(call: Callable[[], Result], stop: threading.Event, *, grace: float = 0.0) -> Result:
    """Run a call that may block in a socket, and give it up when `stop` is set.

    A signal handler cannot end a system call that waits for a slow server, so the call runs in a daemon thread: the
    caller returns at once, and the thread dies with the process or with the time limit of its own socket.

    Args:
        grace: seconds that the call has to end after `stop` was set; without any it is not begun then.

    Raises:
        Stopped: `stop` was set before the call ended.
    """
    if stop.is_set() and not grace:
        raise Stopped
    done = threading.Event()
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001  (handed to the caller's thread, which raises it)
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=work, name="httpkit-call", daemon=True).start()
    while not done.wait(_LOOK_SECONDS):
        if stop.is_set() and not done.wait(grace):
            raise Stopped
    if errors:
        raise errors[0]
    return results[0]
