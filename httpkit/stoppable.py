"""How work on many values ends soon when the process is asked to stop."""

from collections.abc import Iterable, Iterator
from threading import Event
from typing import TypeVar

from httpkit.stopping import Stopped

Value = TypeVar("Value")

_LOOK_EVERY = 500


def until_stopped(values: Iterable[Value], stop: Event) -> Iterator[Value]:
    """The values, for as long as `stop` is not set; what is few is always given whole.

    A page may hold hundreds of thousands of records, on each of which an expression of the user's takes its time.

    Raises:
        Stopped: `stop` was set.
    """
    for number, value in enumerate(values, 1):
        yield value
        if number % _LOOK_EVERY == 0 and stop.is_set():
            raise Stopped
