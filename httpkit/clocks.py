"""The clocks, handed to whatever needs the time, so that tests can turn them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct


class Clocks(Struct, frozen=True, kw_only=True):
    """Two views of the time.

    Attributes:
        monotonic: seconds on a clock that never goes back, for durations.
        now: the time of day, aware and in UTC, for dates.
    """

    monotonic: Callable[[], float]
    now: Callable[[], datetime]


SYSTEM_CLOCKS = Clocks(monotonic=time.monotonic, now=lambda: datetime.now(UTC))
