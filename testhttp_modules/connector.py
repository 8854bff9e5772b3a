"""The connector: what an API shows goes into an intake, and is remembered once the intake has it."""

from hashlib import blake2b
from typing import Any

from sekoia_automation.connector import Connector

from httpkit.errors import HttpkitError, RefusedError, UnavailableError
from httpkit.stopping import Stopped
from testhttp_modules import TesthttpModule, metrics
from testhttp_modules.account import absolute_url, account_client, client_settings, intake_client
from testhttp_modules.allocation import keep_freed_memory
from testhttp_modules.delivering import INTAKE, IntakeDelivery, Measures
from testhttp_modules.flight import Flight
from testhttp_modules.health import Health
from testhttp_modules.masking import mask_logging, mask_source
from testhttp_modules.models import TesthttpConnectorConfiguration
from testhttp_modules.polling import (
    DEAD_AFTER_SECONDS,
    check_configuration,
    run_every,
    run_or_report,
    wait,
    when_available,
)
from testhttp_modules.reading import announce, readings_of
from testhttp_modules.rounds import Host, poll_all
from testhttp_modules.translation import intake_of


class TesthttpConnector(Connector):
    """Polls an HTTP API and forwards each of its records once to an intake."""

    description = "Collect the records of any HTTP API as events"
    # A quiet API is not a dead connector: life is shown by heartbeats, not by events.
    seconds_without_events = 0
    last_heartbeat_threshold = DEAD_AFTER_SECONDS

    module: TesthttpModule
    configuration: TesthttpConnectorConfiguration

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.health = Health(self)

    def execute(self) -> None:
        """Start, once both configurations are readable; the SDK loads them where an error ends the process."""
        run_or_report(self._execute_checked, self, self._stop_event)

    def run(self) -> None:
        """Poll until the platform stops the connector."""
        run_or_report(self._collect, self, self._stop_event)

    def log(self, message: str, *args: Any, **options: Any) -> None:
        """Log a line, without secrets."""
        super().log(self.module.redactor.clean(message), *args, **options)

    def liveness_context(self) -> dict[str, Any]:
        """What the health endpoint shows."""
        return {**super().liveness_context(), **self.module.redactor.clean_value(self.health.context())}

    def _execute_checked(self) -> None:
        keep_freed_memory()
        mask_logging(self.module.redactor)
        check_configuration("module_configuration", lambda: self.module.configuration)
        check_configuration("connector_configuration", lambda: self.configuration)
        self.module.redactor.add(self.configuration.intake_key)
        mask_source(self.configuration, self.module.redactor)
        super().execute()

    def _collect(self) -> None:
        configuration, account, redactor = self.configuration, self.module.configuration, self.module.redactor
        url = absolute_url(account, configuration.url)
        host = Host(component=self, health=self.health, stop=self._stop_event)
        sink = intake_client(self.module, stop=self._stop_event, redactor=redactor)
        intake = intake_of(configuration, configuration.intake_server or self.intake_url, sink, self._try_again_later)
        flight = Flight(IntakeDelivery(intake, host, self._measures()).steps)

        def meanwhile() -> None:
            self.heartbeat()
            flight.look()

        settings = client_settings(self.module, account, meanwhile=meanwhile)
        client = account_client(self.module, account, url, stop=self._stop_event, redactor=redactor, settings=settings)
        readings = when_available(
            lambda: readings_of("connector", account, configuration, client, self.data_path, stop=self._stop_event),
            self,
            self._stop_event,
        )

        def poll() -> str:
            tally = poll_all(readings, flight, host)
            return f"{tally.delivered} events collected{tally.left_out}"

        self.log("Start fetching events", level="info")
        announce(readings, self)
        run_every(configuration.polling_interval, poll, self, self._stop_event)

    def _try_again_later(self, error: HttpkitError, seconds: float) -> None:
        """Wait with signs of life until a push is tried again; nothing is dropped meanwhile."""
        self.health.begins(
            INTAKE, f"{error.message}; nothing is lost, the same events are sent again until it takes them"
        )
        status = error.status if isinstance(error, (RefusedError, UnavailableError)) else None
        metrics.repeating(str(status or "answer"), seconds)
        wait(seconds, self, self._stop_event)
        if self._stop_event.is_set():
            raise Stopped

    def _measures(self) -> Measures:
        # The SDK's label is the intake key itself, which is a secret; its digest tells intakes apart as well.
        label = blake2b(self.configuration.intake_key.encode(), digest_size=4).hexdigest()
        return Measures(
            forwarded=lambda count: self.put_forwarded_events(label, count),
            discarded=lambda count: self.put_discarded_events(label, count),
            seconds=lambda seconds: self.put_forward_events_duration(label, seconds),
            lag=lambda seconds: self.put_events_lag(label, seconds),
        )
