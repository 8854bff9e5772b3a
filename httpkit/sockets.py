"""Sockets that are patient: what would block lets the other calls go on (`turns.py`), within limits of time."""

import math
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

from httpkit.turns import READABLE, WRITABLE, wait_for

Result = TypeVar("Result")


class ExchangeTooLongError(TimeoutError):
    """The exchange took longer than it may, although there was never too long a silence."""


class _Patience(socket.socket):
    """What both kinds of sockets have in common; to whoever uses them they look as if they blocked.

    Attributes:
        longest: how long what is under way may take, in seconds.
    """

    longest = math.inf
    _end = math.inf
    _silence: float | None = None

    def begin(self, seconds: float) -> None:
        """What comes next may take so long."""
        self.longest, self._end = seconds, time.monotonic() + seconds

    def settimeout(self, value: float | None) -> None:
        """Set the longest silence in seconds; None is no limit."""
        self._silence = value
        if super().gettimeout() != 0:
            super().settimeout(0)

    def gettimeout(self) -> float | None:
        """The longest silence in seconds."""
        return self._silence

    def connect(self, address: Any) -> None:
        """Connect to an address."""
        try:
            super().connect(address)
        except BlockingIOError:
            self._wait(WRITABLE, self._limit())
            if number := self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(number, os.strerror(number)) from None
            try:
                self.getpeername()
            except OSError:  # the time is over
                raise TimeoutError("timed out") from None

    def recv(self, *arguments: Any) -> bytes:
        """As of any socket."""
        return self._patiently(super().recv, arguments, READABLE)

    def recv_into(self, *arguments: Any) -> int:
        """As of any socket."""
        return self._patiently(super().recv_into, arguments, READABLE)

    def send(self, *arguments: Any) -> int:
        """As of any socket."""
        return self._patiently(super().send, arguments, WRITABLE)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As of any socket."""
        with memoryview(data) as view, view.cast("B") as left:
            sent = 0
            while sent < len(left):
                sent += self.send(left[sent:], flags)

    def _patiently(self, act: Callable[..., Result], arguments: Any, events: int) -> Result:
        """Do something again and again until it need not wait."""
        limit = self._limit()
        self._check()
        while True:
            try:
                return act(*arguments)
            except BlockingIOError:
                self._wait(events, limit)
            except ssl.SSLWantReadError:
                self._wait(READABLE, limit)
            except ssl.SSLWantWriteError:
                self._wait(WRITABLE, limit)

    def _limit(self) -> float:
        return math.inf if self._silence is None else time.monotonic() + self._silence

    def _wait(self, events: int, limit: float) -> None:
        self._check()
        if time.monotonic() >= limit:
            raise TimeoutError("timed out")
        wait_for(self.fileno(), events, min(limit, self._end))

    def _check(self) -> None:
        # Before each step, since an answer that comes drop by drop hardly ever lets us wait.
        if time.monotonic() >= self._end:
            raise ExchangeTooLongError(f"the exchange was not over after {self.longest:g} s")


class PatientSocket(_Patience):
    """A connection without TLS."""


class PatientTlsSocket(_Patience, ssl.SSLSocket):
    """A connection with TLS; a context makes it that has it as `sslsocket_class`."""

    def do_handshake(self, block: bool = False) -> None:
        """As of any TLS socket."""
        self.begin(self.longest)
        try:
            self._patiently(super().do_handshake, [block], READABLE)
        except BaseException:  # a call may be given up in its middle, when nobody has the socket yet
            self.close()
            raise
