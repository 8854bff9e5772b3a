"""The connector: what an API shows goes into an intake, and is remembered once the intake has it."""

from typing import Any

from sekoia_automation.connector import Connector

from httpkit.intake import Event, Intake
from httpkit.memory import Memory
from httpkit.records import event_text
from httpkit.source import Source
from httpkit.values import Batch
from testhttp_modules import TesthttpModule
from testhttp_modules.account import account_client, intake_client
from testhttp_modules.masking import mask_logging, mask_source
from testhttp_modules.models import TesthttpConnectorConfiguration
from testhttp_modules.polling import DEAD_AFTER_SECONDS, check_configuration, run_every, run_or_report
from testhttp_modules.translation import intake_of, memory_of, source_settings


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
        configuration, account = self.configuration, self.module.configuration
        settings = source_settings(account, configuration)
        client = account_client(
            self.module, account, settings.request.url, stop=self._stop_event, redactor=self.module.redactor
        )
        source = Source(settings, client)
        platform_url = configuration.intake_server or self.intake_url
        sink = intake_client(self.module, stop=self._stop_event, redactor=self.module.redactor)
        intake = intake_of(configuration, platform_url, sink)
        memory = memory_of("connector", settings, self.data_path)
        self.log("Start fetching events", level="info")
        run_every(configuration.polling_interval, lambda: self._poll(source, intake, memory), self, self._stop_event)

    def _poll(self, source: Source, intake: Intake, memory: Memory) -> str:
        delivered = 0
        for batch in source.poll(memory.seen):
            self.heartbeat()
            delivered += self._deliver(batch, intake, memory)
        memory.close_poll()
        return f"{delivered} events collected"

    def _deliver(self, batch: Batch, intake: Intake, memory: Memory) -> int:
        """Deliver a batch and remember what was acknowledged; how many events the intake took."""
        events: list[Event] = []
        too_large: list[Event] = []
        for record in batch.records:
            event = Event(key=record.key, text=event_text(record.value, self.configuration.source))
            (too_large if event.too_large else events).append(event)
        for push in intake.pushes(events):
            intake.deliver(push)
            memory.remember(push.keys)
        for event in too_large:
            reason = f"{len(event.text.encode())} bytes, an intake takes at most 250000"
            memory.quarantine(event.key, event.text, reason)
            memory.remember([event.key])
            self.log(f"An event was put into quarantine: {reason} ({event.key.hex()})", level="warning")
        return len(events)
