"""One poll of all streams of a component, in turns; what is delivered, and how, is not known here."""

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Event

from msgspec import Struct
from msgspec.structs import replace

from httpkit.clocks import SYSTEM_CLOCKS
from httpkit.errors import HttpkitError, RefusedError, SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.stopping import Stopped
from httpkit.values import Batch, Gap, Position
from testhttp_modules import metrics
from testhttp_modules.flight import DeliveryError, Flight, Prepared, Tally
from testhttp_modules.health import Health
from testhttp_modules.polling import Component, wait
from testhttp_modules.reading import Reading

LATE_SHARE = 0.8
"""Records that are late by more than this share of the overlap are a warning that it is too short."""

TURN_SECONDS = 30.0
"""After so long another stream gets its turn; what is left of this one comes after all others had theirs."""

_DISK_PAUSE = 5.0


class Host(Struct, frozen=True, kw_only=True):
    """The component that polls: where its lines and its signs of life go, and what ends it."""

    component: Component
    health: Health
    stop: Event

    def remember(self, reading: Reading, keys: Sequence[bytes], position: Position | None = None) -> None:
        """Remember what was delivered, for as long as that takes: going on would deliver it again and again.

        Raises:
            Stopped: the component has to end before the disk takes it.
        """
        self.until_written(reading, lambda: reading.memory.remember(keys, position))

    def quarantine(self, reading: Reading, key: bytes, event: str, reason: str) -> None:
        """Put an event aside that can never be delivered, for a person to look at.

        Raises:
            Stopped: the component has to end before the disk takes it.
        """
        self.until_written(reading, lambda: reading.memory.quarantine(key, event, reason))
        metrics.quarantined().inc()
        self.component.log(f"An event was put into quarantine: {reason} ({key.hex()})", level="warning")

    def until_written(self, reading: Reading, write: Callable[[], None]) -> None:
        """Change the memory of a stream, for as long as that takes.

        Raises:
            Stopped: the component has to end before the disk takes it.
        """
        what = f"The memory of {reading.title.lower()}"
        while True:
            try:
                write()
            except UnavailableError as error:
                self.health.begins(what, error.message)
                wait(_DISK_PAUSE, self.component, self.stop)
                if self.stop.is_set():
                    raise Stopped from None
            else:
                self.health.ends(what)
                return


def poll_all(readings: Sequence[Reading], flight: Flight[Prepared], host: Host) -> Tally:
    """Poll each stream to its end, in turns.

    Raises:
        HttpkitError: all streams failed, and this is what the first one said; or nothing can be delivered any more.
        Stopped: the component has to end.
    """
    tally, errors = flight.begin_poll(), list[HttpkitError]()
    turns = deque((reading, _polled(reading, flight, host)) for reading in readings)
    try:
        while turns:
            reading, polled = turns.popleft()
            try:
                if _one_turn(polled, flight, host):
                    turns.append((reading, polled))
            except _ReadingFailed as failure:
                errors.append(failure.error)
                # Where there is only one, the loop of the component tells.
                host.health.begins(reading.title, failure.error.message, state="failing", silent=len(readings) == 1)
    except Stopped:
        # Where a page was waited for, the batch before it may have arrived, and is not delivered again after the
        # restart. Where that batch itself was waited for, nobody waits for its fate any more, and it comes again.
        flight.look()
        raise
    finally:
        for _, polled in turns:
            polled.close()
    if errors and len(errors) == len(readings):
        # A wrong setting of one stream must not end the others, which may only be unavailable for a while.
        raise next((error for error in errors if not isinstance(error, SettingsError)), errors[0])
    return tally


class _ReadingFailed(Exception):  # noqa: N818  (tells apart from which side an error comes)
    """A stream could not be read to its end; what it gave before is delivered."""

    def __init__(self, error: HttpkitError) -> None:
        super().__init__(error.message)
        self.error = error


def _one_turn(polled: Generator[None, None, None], flight: Flight[Prepared], host: Host) -> bool:
    """Deliver what a stream gives for a while; is there more?"""
    end = time.monotonic() + TURN_SECONDS
    try:
        for _ in polled:
            host.component.heartbeat()
            if time.monotonic() > end:
                flight.end()
                return True
    except DeliveryError as failure:
        polled.close()
        if isinstance(failure.error, (RefusedError, UnexpectedShapeError)):
            # The fault lies in what this stream gives; the others go on.
            raise _ReadingFailed(failure.error) from failure.error
        raise failure.error from None
    return False


def _polled(reading: Reading, flight: Flight[Prepared], host: Host) -> Generator[None, None, None]:
    """One poll of a stream, batch by batch; being told to wait is a state that outlives a restart, not an error."""
    memory, before, late = reading.memory, reading.memory.position, _Lateness()
    gap: Gap | None = None
    if before.not_before and SYSTEM_CLOCKS.now() < before.not_before:
        _log_wait(reading, before.not_before, host)
        return
    try:
        # The bounds of the window stay the same until it is closed, even when its first page cannot be read.
        memory.remember([], reading.source.opened(before))
        for batch in reading.source.poll(memory.seen, memory.position):
            late.add(batch)
            if batch.restarted:
                host.component.log(
                    f"{reading.title}: the API no longer knows where reading ended, so the window was begun again",
                    level="warning",
                )
            gap = batch.gap
            prepared = flight.prepare(reading, batch)
            gap = None
            # Its records are let go, since they need memory.
            flight.begin(reading, replace(batch, records=()), prepared)
            del batch, prepared
            yield
        flight.end()
    except HttpkitError as error:
        flight.end()
        if not _was_told_to_wait(reading, error, host):
            with suppress(UnavailableError):  # a failure that is not counted only costs another try
                memory.remember([], reading.source.failed(memory.position, error, gap))
            raise _ReadingFailed(error) from error
    else:
        host.health.ends(reading.title)
        if memory.position.window is None:
            with suppress(UnavailableError):  # keys too many harm nobody
                memory.close_poll()
    finally:
        late.report(reading, host)
        _report_changes(reading, before, host)


class _Lateness(Struct, kw_only=True):
    """The late records of one poll of a stream."""

    records: int = 0
    seconds: float = 0.0

    def add(self, batch: Batch) -> None:
        self.records += batch.late
        self.seconds = max(self.seconds, batch.latest_delay)

    def report(self, reading: Reading, host: Host) -> None:
        metrics.late().inc(self.records)
        if self.seconds > reading.overlap_seconds * LATE_SHARE:
            host.component.log(
                f"{self.records} records came late, by up to {self.seconds:.0f} s; "
                f"set overlap_seconds to {2 * self.seconds:.0f} so that none can be missed",
                level="warning",
            )


def _was_told_to_wait(reading: Reading, error: HttpkitError, host: Host) -> bool:
    if not (isinstance(error, UnavailableError) and error.retry_after):
        return False
    not_before = SYSTEM_CLOCKS.now() + timedelta(seconds=error.retry_after)
    host.remember(reading, [], replace(reading.memory.position, not_before=not_before))
    metrics.throttled_seconds().inc(error.retry_after)
    _log_wait(reading, not_before, host)
    return True


def _log_wait(reading: Reading, not_before: datetime, host: Host) -> None:
    who = f"The API (stream {reading.name})" if reading.name else "The API"
    host.component.log(f"{who} asked not to be asked before {_spoken(not_before)}", level="info")


def _report_changes(reading: Reading, before: Position, host: Host) -> None:
    """Tell what a poll has changed in how the source is read; none of it may happen in silence."""
    after, log = reading.memory.position, host.component.log
    known, left = {(gap.since, gap.until) for gap in before.gaps}, {(gap.since, gap.until) for gap in after.gaps}
    for gap in after.gaps:
        if (gap.since, gap.until) not in known:
            span = f"{_spoken(gap.since)} to {_spoken(gap.until)}"
            log(
                f"{reading.title} could not be read from {span}, which is tried again later: {gap.reason}",
                level="error",
            )
    for since, until in known - left:
        log(f"{reading.title} could be read at last from {_spoken(since)} to {_spoken(until)}", level="info")
    metrics.gaps().labels(reading.name).set(len(left))
    if after.overlap_seconds != before.overlap_seconds:
        seconds = reading.overlap_seconds if after.overlap_seconds is None else after.overlap_seconds
        log(
            f"The overlap of {reading.title.lower()} is now {seconds:g} of {reading.overlap_seconds} s, "
            f"because of the number of records in it; set overlap_seconds so that it holds fewer",
            level="warning",
        )


def _spoken(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
