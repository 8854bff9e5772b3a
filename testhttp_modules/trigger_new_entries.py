"""The trigger: entries that were not there before start a playbook run, and are remembered once it was accepted."""

from typing import Any

from pydantic import ValidationError
from sekoia_automation.trigger import Trigger

from httpkit.documents import encode_json
from httpkit.redaction import without_query
from httpkit.stopping import run_until_stopped
from httpkit.values import Batch, Record
from testhttp_modules import TesthttpModule
from testhttp_modules.account import absolute_url, account_client
from testhttp_modules.health import Health
from testhttp_modules.masking import mask_logging, mask_source
from testhttp_modules.models import Entry, NewEntries, TriggerConfiguration
from testhttp_modules.polling import DEAD_AFTER_SECONDS, check_configuration, run_every, run_or_report, when_available
from testhttp_modules.reading import Reading, announce, readings_of
from testhttp_modules.rounds import Delivery, Host, poll_all
from testhttp_modules.translation import sentence


class NewEntriesTrigger(Trigger):
    """Starts a playbook run with the entries of a URL that no earlier run received."""

    description = "Start a playbook run when new entries appear at a URL"
    last_heartbeat_threshold = DEAD_AFTER_SECONDS

    module: TesthttpModule
    configuration: TriggerConfiguration
    results_model = NewEntries

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.health = Health(self)

    def execute(self) -> None:
        """Start, once both configurations are readable; the SDK loads them where an error ends the process."""
        run_or_report(self._execute_checked, self, self._stop_event)

    def run(self) -> None:
        """Poll until the platform stops the trigger."""
        run_or_report(self._watch, self, self._stop_event)

    def log(self, message: str, *args: Any, **options: Any) -> None:
        """Log a line, without secrets."""
        super().log(self.module.redactor.clean(message), *args, **options)

    def liveness_context(self) -> dict[str, Any]:
        """What the health endpoint shows."""
        return {**super().liveness_context(), **self.module.redactor.clean_value(self.health.context())}

    def _execute_checked(self) -> None:
        mask_logging(self.module.redactor)
        check_configuration("module_configuration", lambda: self.module.configuration)
        check_configuration("trigger_configuration", lambda: self.configuration)
        mask_source(self.configuration, self.module.redactor)
        super().execute()

    def _watch(self) -> None:
        configuration, account = self.configuration, self.module.configuration
        url = absolute_url(account, configuration.url)
        client = account_client(self.module, account, url, stop=self._stop_event, redactor=self.module.redactor)
        readings = when_available(
            lambda: readings_of("trigger", account, configuration, client, self.data_path, stop=self._stop_event),
            self,
            self._stop_event,
        )
        host = Host(component=self, health=self.health, stop=self._stop_event)
        delivery = Delivery(
            prepare=lambda reading, batch: batch,
            deliver=lambda reading, batch, whole: self._send(reading, whole, host),
        )

        def poll() -> str:
            tally = poll_all(readings, delivery, host)
            return f"{tally.delivered} new entries sent{tally.left_out}"

        self.log(f"Start watching {without_query(url)}", level="info")
        announce(readings, self)

        run_every(configuration.polling_interval, poll, self, self._stop_event)

    def _send(self, reading: Reading, batch: Batch, host: Host) -> int:
        """Start a run with the new entries of a page and remember them; how many there were."""
        entries: list[Entry] = []
        keys: list[bytes] = []
        for record in batch.records:
            found = self._entries(reading, record, host)
            entries += found
            if record.remember:
                keys.append(record.key)
        if entries:
            event = NewEntries(entries=entries)
            name = f"Pushing {len(entries)} new entries"
            # The SDK repeats a send for many minutes and would not notice that it has to stop.
            run_until_stopped(lambda: self.send_event(event_name=name, event=event), self._stop_event)
        host.remember(reading, keys, batch.position)
        return len(entries)

    def _entries(self, reading: Reading, record: Record, host: Host) -> list[Entry]:
        """The entries of a record; one that does not fit goes to quarantine."""
        entries: list[Entry] = []
        for value in reading.source.events(record):
            try:
                entries.append(Entry.model_validate(value))
            except ValidationError as error:
                reason = sentence(error)
                host.quarantine(reading, record.key, encode_json(value).decode(), reason)
        return entries
