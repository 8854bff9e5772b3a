"""A clock that a test turns."""

import time
from datetime import datetime, timedelta

from httpkit.clocks import Clocks


class Clock:
    """The time of day, which passes only when the test says so."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def turn(self, **span: float) -> None:
        """Let time pass, or go back."""
        self.now += timedelta(**span)

    @property
    def clocks(self) -> Clocks:
        """The clock as a source takes it."""
        return Clocks(monotonic=time.monotonic, now=lambda: self.now)
