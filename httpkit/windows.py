"""Which span of time is asked for next; nothing is sent and no clock is read here.

The watermark moves only when a window is closed, and only to the window's end. So it does not matter in which order an
API gives its records. Windows overlap, so that records which appear late are met again; those delivered before are
recognised by their keys.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from httpkit.errors import SettingsError
from httpkit.times import moment_of
from httpkit.values import OpenWindow, Position

_AGE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>second|minute|hour|day|week)s?")
_TOO_SHORT_TO_READ = timedelta(seconds=1)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowSettings:
    """The spans of time that are asked for; the fields are those of the configuration, where each is explained."""

    start_from: str = "1 day"
    window_minutes: int = 0
    overlap_seconds: int = 300
    settle_seconds: int = 0
    only_in_window: bool = False


class Windows:
    """The windows of one source.

    Args:
        deduplicate: without it an overlap would deliver everything in it again, so there is none.

    Raises:
        SettingsError: a span is negative, or the start is no moment.
    """

    def __init__(self, settings: WindowSettings, *, deduplicate: bool) -> None:
        for name in ("window_minutes", "overlap_seconds", "settle_seconds"):
            if getattr(settings, name) < 0:
                raise SettingsError(name, f"{getattr(settings, name)} is negative; use 0 or more")
        self._start = _start_of(settings.start_from)
        self._span = timedelta(minutes=settings.window_minutes)
        self._overlap = timedelta(seconds=settings.overlap_seconds if deduplicate else 0)
        self._settle = timedelta(seconds=settings.settle_seconds)

    def next_window(self, position: Position, now: datetime) -> OpenWindow:
        """The window to read: the open one, or the one after the watermark.

        Args:
            now: the time of day, before the first page is asked for.
        """
        if position.window:
            return position.window
        end = now - self._settle
        if position.watermark:
            # After the clock was set back, what was covered by its old time was not.
            covered = min(position.watermark, end)
            since = covered - self._overlap
        else:
            covered = since = self._beginning(now)
        if self._span:
            # The overlap counts as part of the span, unless too little of the span would be left to go forward.
            start = since if 2 * self._overlap <= self._span else covered
            end = min(end, start + self._span)
        return OpenWindow(since=since, until=max(end, since), cursor=position.token)

    def closed(self, position: Position, window: OpenWindow) -> Position:
        """The position after the last page of a window."""
        return replace(position, watermark=window.until, window=None, not_before=None)

    def more_to_read(self, position: Position, begun: datetime) -> bool:
        """Does reading go on with a further window in the same poll?

        Args:
            begun: when the poll began; what came after that is for the next one, so that every poll ends.
        """
        return bool(
            self._span and position.watermark and begun - self._settle - position.watermark > _TOO_SHORT_TO_READ
        )

    def _beginning(self, now: datetime) -> datetime:
        return self._start if isinstance(self._start, datetime) else now - self._start


def _start_of(text: str) -> datetime | timedelta:
    found = _AGE.fullmatch(text.strip().lower())
    if found:
        return timedelta(seconds=float(found["number"]) * _SECONDS[found["unit"]])
    moment = moment_of(text)
    if moment is None:
        raise SettingsError("start_from", f"{text!r} is neither a date such as 2026-01-31 nor an age such as 7 days")
    return moment
