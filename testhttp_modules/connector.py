"""The connector: what an API shows goes into an intake, and is remembered once the intake has it."""

from dataclasses import replace
from typing import Any

from sekoia_automation.connector import Connector

from httpkit.intake import EVENT_BYTES, Event, Intake
from httpkit.records import event_text
from httpkit.values import Batch, Record
from testhttp_modules import TesthttpModule
from testhttp_modules.account import absolute_url, account_client, intake_client
from testhttp_modules.masking import mask_logging, mask_source
from testhttp_modules.models import TesthttpConnectorConfiguration
from testhttp_modules.polling import DEAD_AFTER_SECONDS, check_configuration, run_every, run_or_report, when_available
from testhttp_modules.reading import Reading, poll_all, readings_of
from testhttp_modules.translation import intake_of


class TesthttpConnector(Connector):
    """Polls an HTTP API and forwards each of its records once to an intake."""

    description = "Collect the records of any HTTP API as events"
    # A quiet API is not a dead connector: life is shown by heartbeats, not by events.
    seconds_without_events = 0
    last_heartbeat_threshold = DEAD_AFTER_SECONDS

    module: TesthttpModule
    configuration: TesthttpConnectorConfiguration

    def execute(self) -> None:
        """Start, once both configurations are readable; the SDK loads them where an error ends the process."""
        run_or_report(self._execute_checked, self, self._stop_event)

    def run(self) -> None:
        """Poll until the platform stops the connector."""
        run_or_report(self._collect, self, self._stop_event)

    def log(self, message: str, *args: Any, **options: Any) -> None:
        """Log a line, without secrets."""
        super().log(self.module.redactor.clean(message), *args, **options)

    def _execute_checked(self) -> None:
        mask_logging(self.module.redactor)
        check_configuration("module_configuration", lambda: self.module.configuration)
        check_configuration("connector_configuration", lambda: self.configuration)
        self.module.redactor.add(self.configuration.intake_key)
        mask_source(self.configuration, self.module.redactor)
        super().execute()

    def _collect(self) -> None:
        configuration, account, redactor = self.configuration, self.module.configuration, self.module.redactor
        url = absolute_url(account, configuration.url)
        client = account_client(self.module, account, url, stop=self._stop_event, redactor=redactor)
        readings = when_available(
            lambda: readings_of("connector", account, configuration, client, self.data_path, stop=self._stop_event),
            self,
            self._stop_event,
        )
        platform_url = configuration.intake_server or self.intake_url
        sink = intake_client(self.module, stop=self._stop_event, redactor=redactor)
        intake = intake_of(configuration, platform_url, sink)

        def poll() -> str:
            delivered = sum(poll_all(readings, lambda reading, batch: self._deliver(reading, batch, intake), self))
            return f"{delivered} events collected"

        self.log("Start fetching events", level="info")
        run_every(configuration.polling_interval, poll, self, self._stop_event)

    def _deliver(self, reading: Reading, batch: Batch, intake: Intake) -> int:
        """Deliver a batch and remember what was acknowledged; how many events the intake took."""
        events: list[Event] = []
        keys: list[bytes] = []
        for record in batch.records:
            fitting = self._fitting_events(reading, record)
            if fitting:
                events += fitting
            elif record.remember:
                keys.append(record.key)
        for push in intake.pushes(events):
            intake.deliver(push)
            reading.memory.remember(push.keys)
        reading.memory.remember(keys, batch.position)
        return len(events)

    def _fitting_events(self, reading: Reading, record: Record) -> list[Event]:
        """The events of a record that an intake takes; the others go to quarantine."""
        fitting: list[Event] = []
        for value in reading.source.events(record):
            event = Event(key=None, text=event_text(value, self.configuration.source))
            if event.too_large:
                reason = f"{len(event.text.encode())} bytes, an intake takes at most {EVENT_BYTES}"
                reading.memory.quarantine(record.key, event.text, reason)
                self.log(f"An event was put into quarantine: {reason} ({record.key.hex()})", level="warning")
            else:
                fitting.append(event)
        if fitting and record.remember:
            # With the last one the record is delivered whole.
            fitting[-1] = replace(fitting[-1], key=record.key)
        return fitting
