"""The clocks, handed to whatever needs the time, so that tests can turn them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Clocks:
    """Two views of the time.

    Attributes:
        monotonic: seconds on a clock that never goes back, for durations.
        now: the time of day, aware and in UTC, for dates.
    """

    monotonic: Callable[[], float]
    now: Callable[[], datetime]


SYSTEM_CLOCKS = Clocks(monotonic=time.monotonic, now=lambda: datetime.now(UTC))
