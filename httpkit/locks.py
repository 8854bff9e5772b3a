"""A file that one process holds at a time; the kernel lets go of it when that process ends, however it ends."""

import os
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from httpkit.stopping import Stopped

# Elsewhere there is no such module.
_fcntl: Any = import_module("fcntl") if os.name == "posix" else None

_LOOK_SECONDS = 0.1

# A lock belongs to the process and not to what took it, so it is kept where the process has only one place.
_held: dict[tuple[int, int], tuple[int, int]] = {}
_guard = threading.Lock()


class ProcessLock:
    """The lock of a file, which is made if it is missing and never removed.

    Within one process it can be taken several times: a component that starts again without a new process must not be
    refused because of itself. Where the system has no such locks nothing is refused.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None

    def take(self, *, patience: float, stop: threading.Event) -> bool:
        """Take it; False when another process still holds it after `patience` seconds.

        Raises:
            OSError: the file cannot be made, or the disk knows no locks.
            Stopped: `stop` was set while waiting.
        """
        if _fcntl is None:
            return True
        for _ in range(max(1, round(patience / _LOOK_SECONDS))):
            if self._try():
                return True
            if stop.wait(_LOOK_SECONDS):
                raise Stopped
        return False

    def release(self) -> None:
        """Let go of it; without this the end of the process does."""
        if self._file is None:
            return
        with _guard:
            descriptor, users = _held.pop(self._file)
            if users > 1:
                _held[self._file] = descriptor, users - 1
            else:
                os.close(descriptor)
        self._file = None

    def _try(self) -> bool:
        with _guard:
            file = _identity(self._path.stat()) if self._path.exists() else None
            if file in _held:
                # Not opened once more: the kernel gives up a lock as soon as the process closes the file once.
                descriptor, users = _held[file]
                _held[file] = descriptor, users + 1
                self._file = file
                return True
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _fcntl.lockf(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
            except BaseException as error:
                os.close(descriptor)
                if isinstance(error, (BlockingIOError, PermissionError)):  # which of the two, POSIX leaves open
                    return False
                raise
            self._file = _identity(os.fstat(descriptor))
            _held[self._file] = descriptor, 1
            return True


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
