"""An iterator that works ahead in a thread of its own; what it gives is not known here."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from httpkit.stopping import Stopped

Item = TypeVar("Item")

_LOOK_SECONDS = 0.05


class ReadingAhead(Generic[Item]):
    """A context manager around an iterator; what it gives is taken in the same order.

    Args:
        items: runs in the thread, one item further than what waits to be taken.
        stop: ends the wait for an item at once.
        waiting: most items that wait to be taken; more would only need memory.
        idle: called again and again while an item, or the end, is waited for.
    """

    def __init__(
        self,
        items: Iterator[Item],
        stop: threading.Event,
        *,
        waiting: int = 1,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._idle = idle
        self._items = items
        self._stop = stop
        self._most = waiting
        self._queue: deque[Item] = deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="httpkit-reading", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the thread; two of them must never read the same source."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        while self._thread.is_alive() and not self._stop.is_set():
            self._thread.join(_LOOK_SECONDS)
            self._idle()

    def __iter__(self) -> Iterator[Item]:
        """The items, and then the error that ended them, if any.

        Raises:
            Stopped: the stop event was set.
        """
        while True:
            with self._changed:
                while not self._queue and not self._ended:
                    if self._stop.is_set():
                        raise Stopped
                    self._idle()
                    self._changed.wait(_LOOK_SECONDS)
                if not self._queue:
                    break
                item = self._queue.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._queue.append(item)
                    del item
                    self._changed.notify_all()
                    while len(self._queue) >= self._most and not self._closed:
                        self._changed.wait(_LOOK_SECONDS)
                    if self._closed:
                        return
        except BaseException as error:  # noqa: BLE001  (handed to the thread that takes the items, which raises it)
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
