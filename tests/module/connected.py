"""A connector as tests run it without the SDK: a real API, a real memory and a real intake."""

import threading
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from httpkit.client import Client
from httpkit.clocks import SYSTEM_CLOCKS, Clocks
from httpkit.intake import Intake
from httpkit.source import Source
from testhttp_modules.delivering import IntakeDelivery, Measures
from testhttp_modules.flight import Flight
from testhttp_modules.health import Health
from testhttp_modules.models import TesthttpConnectorConfiguration
from testhttp_modules.reading import readings_of
from testhttp_modules.rounds import Host, poll_all
from testhttp_modules.translation import source_settings
from tests.core.clients import local_settings
from tests.module.watched import ACCOUNT, Component


class Connected:
    """A connector between an API and an intake.

    Attributes:
        discarded: how many events were given up.
    """

    def __init__(
        self, folder: Path, url: str, intake_url: str, *, clocks: Clocks = SYSTEM_CLOCKS, **configuration: Any
    ) -> None:
        self.component = Component()
        self.discarded = 0
        stop = threading.Event()
        self.host = Host(component=self.component, health=Health(self.component), stop=stop)
        asked = TesthttpConnectorConfiguration.model_validate(
            {"intake_key": "key", "url": url, "intake_server": intake_url, **configuration}
        )
        intake = Intake(Client(local_settings(), stop=stop), url=intake_url, key="key")
        measures = Measures(
            forwarded=lambda count: None,
            discarded=self._discard,
            seconds=lambda seconds: None,
            lag=lambda seconds: None,
        )
        self.delivery = IntakeDelivery(intake, self.host, measures)
        self._flight = Flight(self.delivery.steps)
        client = Client(local_settings(meanwhile=self._flight.look), stop=stop)
        self.readings = [
            replace(reading, source=Source(source_settings(ACCOUNT, asked, stream), client, clocks=clocks))
            for reading, stream in zip(
                readings_of("connector", ACCOUNT, asked, client, folder, stop=stop), asked.streams or [{}], strict=True
            )
        ]

    def poll(self) -> int:
        """Poll all streams once; the number of events that the intake took."""
        return poll_all(self.readings, self._flight, self.host).delivered

    def close(self) -> None:
        """The end of the process, of which nothing holds the memory any more."""
        for reading in self.readings:
            reading.memory.close()

    def _discard(self, count: int) -> None:
        self.discarded += count
