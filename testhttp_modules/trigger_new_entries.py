"""The trigger as the platform runs it: its life, its log, and the one request that starts a playbook run."""

from typing import TYPE_CHECKING, Any

from requests import RequestException, Response
from sekoia_automation.trigger import Trigger

from httpkit.files import write_whole
from httpkit.redaction import without_query
from testhttp_modules import TesthttpModule
from testhttp_modules.account import absolute_url, account_client, client_settings
from testhttp_modules.health import Health
from testhttp_modules.masking import mask_logging, mask_source
from testhttp_modules.models import NewEntries, TriggerConfiguration
from testhttp_modules.polling import DEAD_AFTER_SECONDS, check_configuration, run_every, run_or_report, when_available
from testhttp_modules.reading import announce, readings_of
from testhttp_modules.rounds import Host

if TYPE_CHECKING:
    from testhttp_modules.playbook_runs import Run

_LAST_ATTEMPT = 10
"""After this one the SDK gives up; its own pauses are up to nine minutes long and do not end when it is stopped."""


class NewEntriesTrigger(Trigger):
    """Starts a playbook run with the entries of a URL that no earlier run received."""

    description = "Start a playbook run when new entries appear at a URL"
    # A silent source is not a dead trigger: life is shown by heartbeats, not by events.
    seconds_without_events = 0
    last_heartbeat_threshold = DEAD_AFTER_SECONDS

    module: TesthttpModule
    configuration: TriggerConfiguration
    results_model = NewEntries

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.health = Health(self)
        self._request_id = ""

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
        # Every process imports this file, and only those that are triggers shall wait for what a trigger does.
        from testhttp_modules.watching import Watch  # noqa: PLC0415

        configuration, account = self.configuration, self.module.configuration
        url = absolute_url(account, configuration.url)
        client = account_client(
            self.module,
            account,
            url,
            stop=self._stop_event,
            redactor=self.module.redactor,
            settings=client_settings(self.module, account, meanwhile=self.heartbeat),
        )
        readings = when_available(
            lambda: readings_of("trigger", account, configuration, client, self.data_path, stop=self._stop_event),
            self,
            self._stop_event,
        )
        host = Host(component=self, health=self.health, stop=self._stop_event)
        watch = Watch(configuration, readings, self._start_run, host)

        self.log(f"Start watching {without_query(url)}", level="info")
        announce(readings, self)

        run_every(configuration.polling_interval, watch.poll, self, self._stop_event)

    def _start_run(self, run: "Run") -> None:
        """Start a playbook run with one try.

        Raises:
            SendEventError: the platform has not accepted it.
            UnavailableError: its file could not be written.
        """
        if run.directory:
            write_whole(self.data_path / run.directory / str(run.event.file_path), run.file)
        self._request_id = run.request_id
        self.send_event(
            event_name=run.name, event=run.event, directory=run.directory or None, remove_directory=bool(run.directory)
        )

    def _send_request(self, data: dict[str, Any], verb: str = "POST", attempt: int = _LAST_ATTEMPT) -> Response:
        """Send an event once, under the identity of its entries instead of a random one."""
        answer: Response = super()._send_request({**data, "request_id": self._request_id}, verb, attempt=attempt)
        return answer

    def _log_request_error(self, exception: RequestException) -> None:
        """Tell of a request of the SDK that failed; of those that start runs it is told elsewhere, and once."""
        if exception.request is None or exception.request.url != self.callback_url:
            super()._log_request_error(exception)
