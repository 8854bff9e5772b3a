"""One poll of the trigger: what is new goes into the outboxes, and from there into playbook runs."""

from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from httpkit.clocks import SYSTEM_CLOCKS, Clocks
from httpkit.errors import HttpkitError
from httpkit.outbox import NewPage, Outbox
from httpkit.values import Batch
from testhttp_modules.entries import EntryMapping, Found
from testhttp_modules.flight import Delivery, Departure, Flight
from testhttp_modules.models import TriggerConfiguration
from testhttp_modules.playbook_runs import PlaybookRuns, RunSettings, Start
from testhttp_modules.reading import Reading
from testhttp_modules.rounds import Host, poll_all


class _Prepared(Struct, frozen=True, kw_only=True):
    """What a page brought, and the keys of its records."""

    found: Found
    keys: Sequence[bytes]


class Watch:
    """Watches all streams of a trigger.

    Args:
        start: starts a playbook run.

    Raises:
        SettingsError: a path is not valid.
    """

    def __init__(
        self,
        configuration: TriggerConfiguration,
        readings: Sequence[Reading],
        start: Start,
        host: Host,
        clocks: Clocks = SYSTEM_CLOCKS,
    ) -> None:
        self._readings = readings
        self._host = host
        self._clocks = clocks
        self._mapping = EntryMapping(configuration, host.stop)
        self._starts_with_all = configuration.first_poll == "all"
        self._expected = timedelta(hours=configuration.expected_update_hours)
        settings = RunSettings(
            max_entries_per_run=configuration.max_entries_per_run,
            max_runs_per_poll=configuration.max_runs_per_poll,
            interval_seconds=configuration.polling_interval * 60,
            deduplicate=configuration.deduplicate,
        )
        self._runs = PlaybookRuns(readings, start, settings, host)
        self._flight = Flight(Delivery(prepare=self._prepare, begin=self._begin))

    def poll(self) -> str:
        """Start runs with what waits, read what is new, and start runs again; what came of it, for the log.

        Raises:
            HttpkitError: no stream could be read, which keeps nothing from going out.
            Stopped: the component has to end.
        """
        self._runs.begin_poll()
        sent = self._runs.start(patiently=False)
        try:
            tally = poll_all(self._readings, self._flight, self._host)
        except HttpkitError:
            self._runs.start(patiently=False)
            raise
        sent += self._runs.start(patiently=True)
        for reading in self._readings:
            self._tell_overdue(reading)
        waiting = self._runs.waiting
        surplus = f", {waiting} wait for the next polls" if waiting else ""
        return f"{sent} new entries sent{surplus}{tally.left_out}"

    def _prepare(self, reading: Reading, batch: Batch) -> _Prepared:
        return _Prepared(
            found=self._mapping.found(reading.source, batch.records, self._clocks.now()),
            keys=[record.key for record in batch.records if record.remember],
        )

    def _begin(self, reading: Reading, batch: Batch, prepared: _Prepared) -> Departure:
        kept = self._keep(reading, batch, prepared)
        return Departure(decided=lambda: True, end=lambda: kept)

    def _keep(self, reading: Reading, batch: Batch, prepared: _Prepared) -> int:
        """Let the entries of a page wait, and remember it; how many there are."""
        outbox, found = Outbox(reading.memory), prepared.found
        was = outbox.state
        only_remembers = not (self._starts_with_all or was.is_watching)
        if only_remembers:
            if found.entries:
                self._host.component.log(
                    f"{len(found.entries)} entries are there already and start nothing, as first_poll says",
                    level="info",
                )
            found = Found(entries=(), misfits=())
        for misfit in found.misfits:
            self._host.quarantine(reading, misfit.key, misfit.text, misfit.reason)
        page = NewPage(
            entries=found.entries,
            keys=prepared.keys,
            position=batch.position,
            ends_first_poll=batch.complete and batch.position.window is None,
        )
        self._host.until_written(reading, lambda: outbox.put(page, self._clocks.now()))
        if was.is_overdue and found.entries:
            self._host.component.log(f"{reading.title} shows new entries again", level="info")
        return len(found.entries)

    def _tell_overdue(self, reading: Reading) -> None:
        """Warn of a source that shows nothing new for too long: it may have moved, or nobody keeps it up."""
        outbox = Outbox(reading.memory)
        newest = outbox.state.newest
        if not self._expected or newest is None or outbox.state.is_overdue:
            return
        if self._clocks.now() - newest > self._expected:
            hours = self._expected / timedelta(hours=1)
            self._host.component.log(
                f"{reading.title} has shown no new entry since {newest:%Y-%m-%d %H:%M} UTC, which is longer than the "
                f"{hours:g} hours of expected_update_hours; check that it is still kept up",
                level="warning",
            )
            self._host.until_written(reading, outbox.tell_overdue)
