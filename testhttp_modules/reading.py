"""The streams of a component: each with its own source and memory, and one that fails does not stop the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Event

from httpkit.client import Client
from httpkit.clocks import SYSTEM_CLOCKS
from httpkit.documents import encode_json
from httpkit.errors import HttpkitError, SettingsError, UnavailableError
from httpkit.memory import Memory
from httpkit.source import Source
from httpkit.values import Batch
from testhttp_modules.account import absolute_url
from testhttp_modules.models import SourceConfiguration, TesthttpModuleConfiguration
from testhttp_modules.polling import Component
from testhttp_modules.translation import memory_of, source_settings, stream_name

LATE_SHARE = 0.8
"""Records that are late by more than this share of the overlap are a warning that it is too short."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One stream at work; `name` is empty when there is only one."""

    name: str
    source: Source
    memory: Memory
    overlap_seconds: int


def readings_of(
    kind: str,
    account: TesthttpModuleConfiguration,
    configuration: SourceConfiguration,
    client: Client,
    data_path: Path,
    *,
    stop: Event,
) -> list[Reading]:
    """The streams of a configuration, ready to be polled.

    Raises:
        SettingsError: a setting is wrong, or another process reads the same source.
        UnavailableError: what is remembered cannot be read now.
        Stopped: `stop` was set.
    """
    url = absolute_url(account, configuration.url)
    if len({encode_json(sorted(stream.items())) for stream in configuration.streams}) < len(configuration.streams):
        raise SettingsError("streams", "name the same stream twice; remove one of them, or tell them apart by a value")
    return [
        Reading(
            name=stream_name(stream),
            source=Source(source_settings(account, configuration, stream), client),
            memory=memory_of(kind, configuration, url, stream, data_path, clean=client.clean, stop=stop),
            overlap_seconds=configuration.overlap_seconds,
        )
        for stream in configuration.streams or [{}]
    ]


def poll_all(readings: list[Reading], deliver: Callable[[Reading, Batch], int], component: Component) -> Iterator[int]:
    """Poll each stream; give the number of things that each delivered.

    Raises:
        HttpkitError: all streams failed; of several errors the first one, the others are in the log.
    """
    errors: list[HttpkitError] = []
    for reading in readings:
        try:
            yield _poll(reading, deliver, component)
        except HttpkitError as error:
            errors.append(error)
            if len(readings) > 1:
                component.log(f"Stream {reading.name} failed: {error.message}", level="error")
    if errors and len(errors) == len(readings):
        raise errors[0]


def _poll(reading: Reading, deliver: Callable[[Reading, Batch], int], component: Component) -> int:
    delivered, late, latest_delay = 0, 0, 0.0
    for batch in _batches(reading, component):
        component.heartbeat()
        delivered += deliver(reading, batch)
        late, latest_delay = late + batch.late, max(latest_delay, batch.latest_delay)
    if latest_delay > reading.overlap_seconds * LATE_SHARE:
        component.log(
            f"{late} records came late, by up to {latest_delay:.0f} s; "
            f"set overlap_seconds to {2 * latest_delay:.0f} so that none can be missed",
            level="warning",
        )
    return delivered


def _batches(reading: Reading, component: Component) -> Iterator[Batch]:
    """What a poll gives; being told to wait is a state that outlives a restart, and not an error."""
    memory, not_before = reading.memory, reading.memory.position.not_before
    if not_before is None or SYSTEM_CLOCKS.now() >= not_before:
        from_the_start = memory.position.window is None
        try:
            # The bounds of the window stay the same until it is closed, even when its first page cannot be read.
            memory.remember([], reading.source.opened(memory.position))
            yield from reading.source.poll(memory.seen, memory.position)
        except UnavailableError as error:
            if not error.retry_after:
                raise
            not_before = SYSTEM_CLOCKS.now() + timedelta(seconds=error.retry_after)
            memory.remember([], replace(memory.position, not_before=not_before))
        else:
            # Only a window that was read whole shows which keys the API no longer shows.
            if from_the_start and memory.position.window is None:
                memory.close_poll()
            return
    who = f"The API (stream {reading.name})" if reading.name else "The API"
    component.log(f"{who} asked not to be asked before {not_before:%Y-%m-%d %H:%M:%S} UTC", level="info")
