"""A file that one process holds at a time; the kernel lets go of it when that process ends, however it ends."""

import os
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from httpkit.stopping import Stopped

# Elsewhere there is no such module.
_fcntl: Any = import_module("fcntl") if os.name == "posix" else None

_LOOK_SECONDS = 0.1


class ProcessLock:
    """The lock of a file, which is made if it is missing and never removed.

    Within one process it can be taken several times: a component that starts again without a new process must not be
    refused because of itself. For the same reason the file stays open until `release`: the kernel gives up the lock
    of a process as soon as it closes the file once.

    Where the system has no such locks nothing is refused.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self, *, patience: float, stop: threading.Event) -> bool:
        """Take it; False when another process still holds it after `patience` seconds.

        Raises:
            OSError: the file cannot be made, or the disk knows no locks.
            Stopped: `stop` was set while waiting.
        """
        if _fcntl is None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        for _ in range(max(1, round(patience / _LOOK_SECONDS))):
            try:
                _fcntl.lockf(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):  # which of the two, POSIX leaves open
                if stop.wait(_LOOK_SECONDS):
                    os.close(descriptor)
                    raise Stopped from None
            else:
                self._descriptor = descriptor
                return True
        os.close(descriptor)
        return False

    def release(self) -> None:
        """Let go of it; without this the end of the process does."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None
