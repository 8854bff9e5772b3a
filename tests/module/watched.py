"""A trigger's watch as tests run it: a real API and a real memory, and a platform that the test plays."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sekoia_automation.exceptions import SendEventError

from testhttp_modules.health import Health
from testhttp_modules.models import TesthttpModuleConfiguration, TriggerConfiguration
from testhttp_modules.playbook_runs import Run
from testhttp_modules.reading import Reading, readings_of
from testhttp_modules.rounds import Host
from testhttp_modules.watching import Watch
from tests.core.clients import local_client

ACCOUNT = TesthttpModuleConfiguration(api_key="placeholder", allow_private_networks=True)
AT_ONCE = 1e-6
"""Minutes of an interval so short that every poll is a regular one, and none waits for the platform."""


class Crash(BaseException):
    """The process ends here; nothing may catch this."""


class Component:
    """What the trigger is for its parts; keeps the lines of the log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def log(self, message: str, *, level: str) -> None:
        self.lines.append((level, message))

    def heartbeat(self) -> None:
        """Tests look at lines."""

    def logged(self, level: str) -> list[str]:
        """The lines of a level."""
        return [message for one, message in self.lines if one == level]


class PlayedStart:
    """Accepts runs, unless it was told otherwise.

    Attributes:
        accepted: the runs, in order.
        troubles: what happens instead at the next tries, in turn; `None` accepts, and an error is raised.
        after: raised once a run was accepted, as a crash does before anybody knows of it.
    """

    def __init__(self) -> None:
        self.accepted: list[Run] = []
        self.troubles: list[BaseException | None] = []
        self.after: dict[int, BaseException] = {}

    def __call__(self, run: Run) -> None:
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble:
            raise trouble
        self.accepted.append(run)
        if error := self.after.pop(len(self.accepted), None):
            raise error


class Watched:
    """A watch over one URL, which can be started again on the same memory."""

    def __init__(self, folder: Path, url: str, **configuration: Any) -> None:
        self.folder = folder
        self.url = url
        self.platform = PlayedStart()
        self.component = Component()
        self._configuration = TriggerConfiguration.model_validate(
            {"url": url, "polling_interval": AT_ONCE, **configuration}
        )
        self._stop = threading.Event()
        self._readings: list[Reading] = []
        self.restart()

    def restart(self, **options: Any) -> None:
        """As after the end of the process; the options are those of a watch."""
        self.close()
        client = local_client()
        self._readings = readings_of("trigger", ACCOUNT, self._configuration, client, self.folder, stop=self._stop)
        host = Host(component=self.component, health=Health(self.component), stop=self._stop)
        self._watch = Watch(self._configuration, self._readings, self.platform, host, **options)

    def close(self) -> None:
        """The end of the process, of which nothing holds the memory any more."""
        for reading in self._readings:
            reading.memory.close()

    def poll(self) -> str:
        """One poll."""
        return self._watch.poll()

    @property
    def runs(self) -> list[list[Any]]:
        """The entries of each run that was accepted, in order."""
        return [run.event.model_dump()["entries"] for run in self.platform.accepted]

    @property
    def ids(self) -> list[Any]:
        """The identities of all entries that were accepted, in order."""
        return [entry["id"] for entries in self.runs for entry in entries]

    @property
    def request_ids(self) -> list[str]:
        """The identity of each run that was accepted."""
        return [run.request_id for run in self.platform.accepted]


def away(status: int = 503) -> SendEventError:
    """The platform does not accept a run."""
    return SendEventError("Impossible to send event to Sekoia.io API", status_code=status)


def entry(number: int, **fields: Any) -> dict[str, Any]:
    """An entry as the seed has them."""
    return {"id": number, "value": f"entry {number}", "timestamp": 1_700_000_000 + number, **fields}


@contextmanager
def crash_at(place: int) -> Iterator[Callable[[], bool]]:
    """The process ends at an operation on files, counted from 1; gives whether that operation came."""
    met = 0

    def around(real: Callable[..., Any]) -> Callable[..., Any]:
        def operate(*args: Any, **named: Any) -> Any:
            nonlocal met
            met += 1
            if met == place:
                raise Crash
            return real(*args, **named)

        return operate

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "fsync", "ftruncate", "unlink", "mkdir", "open", "write"):
            patch.setattr(os, name, around(getattr(os, name)))
        patch.setattr(Path, "open", around(Path.open))
        yield lambda: met >= place
