"""Acts on what takes too long; one thread watches over all, since a thread for each would cost as much as the work."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """Watches over blocks of work. Its thread ends by itself once there is nothing left to watch over."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: dict[object, tuple[float, Callable[[], None]]] = {}
        self._awake_at: float | None = None

    @contextmanager
    def watching(self, end: float, act: Callable[[], None]) -> Iterator[None]:
        """Watch over a block.

        Args:
            end: the moment on the monotonic clock at which `act` is called, unless the block has ended.
        """
        token = object()
        with self._changed:
            self._watched[token] = (end, act)
            if self._awake_at is None:
                self._awake_at = end
                threading.Thread(target=self._watch, name="httpkit-watchdog", daemon=True).start()
            elif end < self._awake_at:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.pop(token, None)

    def _watch(self) -> None:
        while True:
            with self._changed:
                if not self._watched:
                    self._awake_at = None
                    return
                now = time.monotonic()
                late = [token for token, (end, _) in self._watched.items() if end <= now]
                acts = [self._watched.pop(token)[1] for token in late]
                if not acts:
                    self._awake_at = min(end for end, _ in self._watched.values())
                    self._changed.wait(self._awake_at - now)
            for act in acts:
                act()
