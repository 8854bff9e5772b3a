"""From waiting entries to playbook runs: how many entries make a run, how many runs may start, and what if one cannot.

An entry that the platform has accepted is taken out of the outbox only after that; what a crash in between costs is
told in `httpkit.outbox`.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID, uuid5

from msgspec import Struct
from sekoia_automation.exceptions import SendEventError

from httpkit.documents import encode_json
from httpkit.errors import SettingsError
from httpkit.outbox import Outbox
from httpkit.stopping import Stopped, run_until_stopped
from httpkit.values import JsonValue
from testhttp_modules.models import NewEntries
from testhttp_modules.polling import wait
from testhttp_modules.reading import Reading
from testhttp_modules.rounds import Host

LARGEST_EVENT_BYTES = 256 * 1024
"""What a run can start with; more goes into a file."""

_ENVELOPE_BYTES = 256
"""What an event holds beside its entries."""

_CUT_CHARACTERS = LARGEST_EVENT_BYTES // 8

FILE_NAME = "entries.json"

PLATFORM = "The platform"
"""What it is called in the log."""

_REPEATS = UUID("0c6ce1ab-3e8b-5e2c-9d0c-6f3f5a3f9a54")
_LATER = frozenset({408, 425, 429})
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_EARLY_SHARE = 0.9
"""A poll that comes after this share of the interval is the regular next one; timers are not exact."""


class Run(Struct, frozen=True, kw_only=True):
    """A playbook run to be started.

    Attributes:
        request_id: the same entries of a stream have the same, so that a repeat can be recognised.
        directory: folder with its files, relative to the storage of the trigger; "" for none.
        file: content of the file in it.
    """

    name: str
    event: NewEntries
    request_id: str
    directory: str = ""
    file: bytes = b""


Start = Callable[[Run], None]
"""Starts a playbook run with one try; raises SendEventError when the platform has not accepted it."""


class RunSettings(Struct, frozen=True, kw_only=True):
    """How much is started; the fields are those of the configuration, where each is explained."""

    max_entries_per_run: int
    max_runs_per_poll: int
    interval_seconds: float
    deduplicate: bool


class PlaybookRuns:
    """Starts playbook runs with the entries that wait in the outboxes of all streams.

    Args:
        start: starts one run.
        settings: the number of runs is per polling interval, so polls that come earlier after a failure get no more.
    """

    def __init__(self, readings: Sequence[Reading], start: Start, settings: RunSettings, host: Host) -> None:
        self._turns = deque((reading, Outbox(reading.memory)) for reading in readings)
        self._start = start
        self._settings = settings
        self._host = host
        self._left = 0
        self._begun: float | None = None
        self._tried = 0.0

    @property
    def waiting(self) -> int:
        """Number of entries that wait."""
        return sum(outbox.state.waiting for _, outbox in self._turns)

    def begin_poll(self) -> None:
        """A poll begins, which may start runs again."""
        now, interval = time.monotonic(), self._settings.interval_seconds
        if self._begun is None or now - self._begun >= interval * _EARLY_SHARE:
            self._left, self._begun = self._settings.max_runs_per_poll, now
        self._tried = now

    def start(self, *, patiently: bool) -> int:
        """Start runs with what waits, the oldest entries of each stream first; how many entries went out.

        Args:
            patiently: try again until the next poll is due, while the platform cannot accept a run.

        Raises:
            SettingsError: the platform refuses the trigger's events.
            Stopped: the component has to end.
        """
        sent = pauses = 0
        while self._left and self.waiting:
            reading, outbox = self._next_turn()
            try:
                entries = self._next_entries(reading, outbox)
                self._try(_run(entries, self._place(reading, outbox)))
            except SendEventError as error:
                self._turns.rotate(1)
                self._check(error)
                pauses += 1
                if not (patiently and self._waited(pauses)):
                    break
                continue
            self._host.until_written(reading, outbox.run_sent)
            self._left -= 1
            sent += len(entries)
            pauses = 0
        return sent

    def _next_turn(self) -> tuple[Reading, Outbox]:
        """The next stream with something to send."""
        while True:
            reading, outbox = self._turns[0]
            self._turns.rotate(-1)
            if outbox.state.waiting:
                return reading, outbox

    def _next_entries(self, reading: Reading, outbox: Outbox) -> list[JsonValue]:
        entries: list[JsonValue] = []

        def take() -> None:
            entries[:] = outbox.next_run(self._packing)

        self._host.until_written(reading, take)
        return entries

    def _place(self, reading: Reading, outbox: Outbox) -> str:
        """What tells a run from another one with the same entries; streams may show the same ones."""
        stream = encode_json(reading.name).decode() if reading.name else ""
        # Where identities repeat on purpose, the same entries may be new ones.
        return stream if self._settings.deduplicate else f"{stream}{outbox.place}"

    def _packing(self, waiting: Iterator[JsonValue]) -> int:
        """As many entries as a run may have; fewer when they are too large even without their data."""
        size = count = 0
        for entry in waiting:
            size += len(encode_json(_bare(entry))) + 1
            if count == self._settings.max_entries_per_run or (count and size > LARGEST_EVENT_BYTES - _ENVELOPE_BYTES):
                break
            count += 1
        return count

    def _try(self, run: Run) -> None:
        self._host.component.heartbeat()
        run_until_stopped(lambda: self._start(run), self._host.stop)
        self._host.health.ends(PLATFORM)

    def _check(self, error: SendEventError) -> None:
        """Tell what is wrong, once.

        Raises:
            SettingsError: the platform refuses, and would do so again.
        """
        status = error.status_code
        if status is not None and 400 <= status < 500 and status not in _LATER:
            raise SettingsError(
                "trigger",
                f"the platform refuses its events ({status}), so no playbook run can be started; "
                "check that the playbook is active and the trigger still part of it, then start it again; "
                f"{self.waiting} entries wait until then",
            )
        self._host.health.begins(
            PLATFORM,
            f"it accepts no playbook runs at the moment ({status}); nothing is lost, the entries wait until it does",
            level="warning",
        )

    def _waited(self, pauses: int) -> bool:
        """Wait before another try; False when the next poll is due before that."""
        pause = min(_FIRST_PAUSE * 2.0 ** min(pauses - 1, 10), _LONGEST_PAUSE)
        if time.monotonic() + pause > self._tried + self._settings.interval_seconds:
            return False
        wait(pause, self._host.component, self._host.stop)
        if self._host.stop.is_set():
            raise Stopped
        return True


def _run(entries: list[JsonValue], place: str) -> Run:
    """The run with some entries.

    Args:
        place: tells it from another run with the same entries.
    """
    name = f"Pushing {len(entries)} new entries"
    whole = encode_json(entries)
    request_id = str(uuid5(_REPEATS, place + whole.decode()))
    if len(whole) + _ENVELOPE_BYTES <= LARGEST_EVENT_BYTES:
        return Run(name=name, event=NewEntries.model_validate({"entries": entries}), request_id=request_id)
    bare = [_bare(entry) for entry in entries]
    if len(encode_json(bare)) + _ENVELOPE_BYTES > LARGEST_EVENT_BYTES:  # which only a single entry can be
        bare = [{**entry, "value": entry["value"][:_CUT_CHARACTERS]} for entry in bare]
    event = NewEntries.model_validate({"entries": bare, "file_path": FILE_NAME})
    return Run(name=name, event=event, request_id=request_id, directory=f"run-{request_id}", file=whole)


def _bare(entry: JsonValue) -> JsonValue:
    """An entry without the record that it was made from."""
    return {name: value for name, value in entry.items() if name != "data"}
