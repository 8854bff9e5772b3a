"""What surrounds a command in a terminal: where it writes, what time it is, and Ctrl-C as a state to ask for."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """A context manager of the main thread: once entered, a signal asks for an end, and a second for a quick one."""

    def __init__(self) -> None:
        # A SimpleQueue may be fed from a signal handler while the same thread waits on it; an Event may not.
        self._arrived: SimpleQueue[int] = SimpleQueue()
        self._asked = False
        self._former: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for at most `seconds` (None: for ever); True as soon as an end was asked for, and from then on."""
        if not self._asked:
            try:
                self._arrived.get(timeout=seconds)
            except Empty:
                return False
            self._asked = True
        return True

    def insisted(self) -> bool:
        """Whether an end was asked for since `wait` last looked: while something is being stopped, it is urgent."""
        return not self._arrived.empty()

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._arrived.put(number)


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreground:
    """A command's surroundings; `clock` gives seconds that only grow."""

    console: Console
    interruption: Interruption
    clock: Callable[[], float] = monotonic
