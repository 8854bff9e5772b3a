"""Which span of time is asked for next; nothing is sent and no clock is read here.

The watermark moves only when a window is closed, and only to the window's end. So it does not matter in which order an
API gives its records. Windows overlap, so that records which appear late are met again; those delivered before are
recognised by their keys.

A window that cannot be read is halved, the oldest half first, until what cannot be read is a second. That is written
down as a gap, newer data goes on, and the gap is tried again later.
"""

import re
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from httpkit.errors import HttpkitError, SettingsError, UnavailableError
from httpkit.times import moment_of
from httpkit.values import Gap, JsonValue, OpenWindow, Position

MOST_GAPS = 1000
"""More are not written down: where so much cannot be read, a person has to look."""

_FAILURES_BEFORE_HALVING = 2
_SMALLEST_SPAN = timedelta(seconds=1)
_FIRST_RETRY, _LONGEST_RETRY = timedelta(hours=1), timedelta(days=1)
_AGE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>second|minute|hour|day|week)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}


class WindowSettings(Struct, frozen=True, kw_only=True):
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
        self._longest_overlap = timedelta(seconds=settings.overlap_seconds if deduplicate else 0)
        self._settle = timedelta(seconds=settings.settle_seconds)
        self._deduplicate = deduplicate
        self._only_in_window = settings.only_in_window

    def next_window(self, position: Position, now: datetime) -> OpenWindow:
        """The window to read: the open one, or the one after the watermark.

        Args:
            now: the time of day, before the first page is asked for.
        """
        if position.window:
            return position.window
        end, overlap = self._rounded(now - self._settle), self.overlap(position)
        if position.watermark:
            # After the clock was set back, what was covered by its old time was not.
            covered = min(position.watermark, end)
            since = covered - overlap
            if position.begun:
                # Before the first window nothing was asked for, so there is nothing to be met again.
                since = min(max(since, position.begun), covered)
        else:
            covered = since = self._beginning(now)
        if self._span:
            # The overlap counts as part of the span, unless too little of the span would be left to go forward.
            start = since if 2 * overlap <= self._span else covered
            end = min(end, start + self._span)
        return OpenWindow(since=since, until=max(end, since), cursor=position.token)

    def closed(self, position: Position, window: OpenWindow) -> Position:
        """The position after the last page of a window."""
        if window.retried:
            return replace(position, gaps=tuple(gap for gap in position.gaps if not _is_of(gap, window)))
        watermark = max(window.until, position.watermark or window.until) if window.rest else window.until
        following = None
        if window.rest and window.rest > window.until:
            # What could be read tells how much to try next; the whole rest would fail and be halved all over again.
            until = min(window.rest, window.until + 2 * (window.until - window.since))
            following = OpenWindow(since=window.until, until=until, rest=window.rest)
        begun = position.begun or (None if position.watermark else window.since)
        return replace(position, watermark=watermark, window=following, begun=begun, not_before=None)

    def failed(self, position: Position, reason: str, now: datetime, *, narrower_helps: bool) -> Position:
        """The position after a page that could not be read, for a reason that may lie in what was asked for.

        Args:
            reason: why, for the ledger of gaps.
            narrower_helps: does the API take an end bound, so that less can be asked for?
        """
        window = position.window
        if not window:
            return position
        # It is not counted on: a source that fails for days would write its state down at every try.
        failures = min(window.failures + 1, _FAILURES_BEFORE_HALVING)
        counted = replace(position, window=replace(window, failures=failures))
        if not narrower_helps or (window.place is not None and not self._deduplicate):
            # What was delivered of the window would come a second time.
            return counted
        rest, span = window.rest or window.until, window.until - window.since
        is_trial = window.rest is not None and span > _SMALLEST_SPAN
        if failures < _FAILURES_BEFORE_HALVING and not is_trial:
            return counted
        if span > _SMALLEST_SPAN:
            # Whole seconds, since many APIs take no others.
            half = max(span // 2 // _SMALLEST_SPAN, 1) * _SMALLEST_SPAN
            return replace(position, window=OpenWindow(since=window.since, until=window.since + half, rest=rest))
        if len(position.gaps) >= MOST_GAPS:
            return position
        gap = Gap(since=window.since, until=window.until, reason=reason, not_before=now + _FIRST_RETRY)
        return replace(self.closed(position, replace(window, rest=rest)), gaps=(*position.gaps, gap))

    def due_gap(self, position: Position, now: datetime) -> Gap | None:
        """The gap that is to be tried again now, None when there is none."""
        return next((gap for gap in position.gaps if gap.not_before <= now), None)

    def advanced(self, position: Position, window: OpenWindow, place: JsonValue, received: int) -> Position:
        """The position after a page of a gap that has more."""
        gaps = (replace(gap, place=place, received=received) if _is_of(gap, window) else gap for gap in position.gaps)
        return replace(position, gaps=tuple(gaps))

    def failed_again(self, position: Position, gap: Gap, error: HttpkitError | None, now: datetime) -> Position:
        """The position after a gap that still cannot be read; it is tried less and less often.

        Args:
            error: None when it has more pages than one poll may read, so that reading goes on soon.
        """
        pause, reason = min(_FIRST_RETRY * 2 ** min(gap.attempts + 1, 10), _LONGEST_RETRY), gap.reason
        not_before = position.not_before
        if error is None:
            pause = timedelta()
        else:
            reason = error.message
        if isinstance(error, UnavailableError) and error.retry_after:
            not_before = now + timedelta(seconds=error.retry_after)
        gaps = tuple(
            replace(one, attempts=one.attempts + 1, reason=reason, not_before=now + pause) if _is_of(one, gap) else one
            for one in position.gaps
        )
        return replace(position, gaps=gaps, not_before=not_before)

    def overlap(self, position: Position) -> timedelta:
        """The overlap in force."""
        shorter = self._longest_overlap
        if position.overlap_seconds is not None:
            shorter = timedelta(seconds=position.overlap_seconds)
        return min(shorter, self._longest_overlap)

    def with_fitting_overlap(self, position: Position, repeats: int, limit: int) -> Position:
        """The position with an overlap whose records can be remembered; halved at the limit, and doubled below it.

        Args:
            repeats: number of records that the last window had in common with earlier ones.
            limit: number of keys that can be kept.
        """
        overlap = self.overlap(position)
        if repeats > limit:
            overlap /= 2
        elif repeats < limit // 4:
            overlap = min(overlap * 2 or _SMALLEST_SPAN, self._longest_overlap)
        seconds = None if overlap >= self._longest_overlap else overlap.total_seconds()
        return replace(position, overlap_seconds=seconds)

    def more_to_read(self, position: Position, begun: datetime) -> bool:
        """Does reading go on with a further window in the same poll?

        Args:
            begun: when the poll began; what came after that is for the next one, so that every poll ends.
        """
        return bool(
            position.window
            or (self._span and position.watermark and begun - self._settle - position.watermark > _SMALLEST_SPAN)
        )

    def _beginning(self, now: datetime) -> datetime:
        return self._start if isinstance(self._start, datetime) else self._rounded(now - self._start)

    def _rounded(self, moment: datetime) -> datetime:
        """A bound in whole seconds, where records are judged by it.

        Most APIs are asked in whole seconds, and what a fraction cuts off would be in neither window.
        """
        return moment.replace(microsecond=0) if self._only_in_window else moment


def _is_of(gap: Gap, span: OpenWindow | Gap) -> bool:
    return gap.since == span.since and gap.until == span.until


def _start_of(text: str) -> datetime | timedelta:
    found = _AGE.fullmatch(text.strip().lower())
    if found:
        return timedelta(seconds=float(found["number"]) * _SECONDS[found["unit"]])
    moment = moment_of(text)
    if moment is None:
        raise SettingsError("start_from", f"{text!r} is neither a date such as 2026-01-31 nor an age such as 7 days")
    return moment
