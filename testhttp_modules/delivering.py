"""From batches to an intake: packed while earlier ones are on their way, remembered once they have arrived."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from httpkit.client import Begun
from httpkit.columns import Records
from httpkit.errors import UnexpectedShapeError
from httpkit.events import EventWriter
from httpkit.intake import EVENT_BYTES, Delivered, Intake, Push, Refusal, too_large
from httpkit.turns import until_stopped
from httpkit.values import Batch, Record
from testhttp_modules.flight import Delivery, Departure
from testhttp_modules.reading import Reading
from testhttp_modules.rounds import Host

INTAKE = "The intake"
"""What it is called in the log."""

_NO_KEY = bytes(16)
_ODD_IN_A_ROW = 10
"""So many records that cannot be reshaped are put aside, and no more, unless others can be between them."""

_SURELY_FITS = EVENT_BYTES // 4
"""Characters; each takes at most four bytes."""


class Packed(Struct, frozen=True, kw_only=True):
    """A batch on its way.

    Attributes:
        keys: of records that give no event that an intake takes.
        unfit: events that no intake takes, and records that cannot be made events.
    """

    pushes: Sequence[Push]
    keys: Sequence[bytes]
    unfit: Sequence[Refusal]


class Measures(Struct, frozen=True, kw_only=True):
    """Where the numbers of the SDK go.

    Attributes:
        forwarded: takes the number of events that the intake has acknowledged.
        discarded: takes the number of events that it never takes.
        seconds: takes how long a push took.
        lag: takes the age in seconds of the newest event.
    """

    forwarded: Callable[[int], None]
    discarded: Callable[[int], None]
    seconds: Callable[[float], None]
    lag: Callable[[float], None]


class IntakeDelivery:
    """Delivers the batches of all streams of a connector to its intake."""

    def __init__(self, intake: Intake, host: Host, measures: Measures) -> None:
        self._intake = intake
        self._host = host
        self._measures = measures
        self._odd = dict[str, int]()  # by stream, records in a row that could not be made events
        self.steps = Delivery(prepare=self._pack, begin=self._begin)

    def _pack(self, reading: Reading, batch: Batch) -> Packed:
        """Make the pushes of a batch.

        Raises:
            UnexpectedShapeError: no record can be reshaped as configured, and none of several before.
            Stopped: the component has to end.
        """
        writer = reading.source.writer
        records = batch.records
        if isinstance(records, Records):
            passed_on = writer.plain_texts(records, _SURELY_FITS)
            if passed_on is not None:
                self._check_shapes(reading, len(records), errors=())
                whole = records.keys if records.remember else [None] * len(records)
                return Packed(pushes=tuple(self._intake.pushes(passed_on, whole)), keys=(), unfit=())
        texts, marks = list[str](), list[bytes | None]()
        keys, unfit, errors = list[bytes](), list[Refusal](), list[UnexpectedShapeError]()
        for record in until_stopped(records, self._host.stop):
            if fitting := _fitting(record, _texts(record, writer, unfit, errors), unfit):
                texts += fitting
                # With the last one the record is delivered whole.
                marks += [*[None] * (len(fitting) - 1), record.key if record.remember else None]
            elif record.remember:
                keys.append(record.key)
        self._check_shapes(reading, len(records), errors)
        return Packed(pushes=tuple(self._intake.pushes(texts, marks)), keys=keys, unfit=unfit)

    def _check_shapes(self, reading: Reading, count: int, errors: Sequence[UnexpectedShapeError]) -> None:
        """Records may be odd, but not many in a row, or two from the beginning: then the setting or the API is wrong.

        One record alone says nothing about the setting, and would never be passed.
        """
        if len(errors) < count:
            self._odd[reading.name] = 0
        elif errors:
            in_a_row = self._odd.get(reading.name, _ODD_IN_A_ROW - 1) + count
            if in_a_row > _ODD_IN_A_ROW:
                raise errors[0]
            self._odd[reading.name] = in_a_row

    def _begin(self, reading: Reading, batch: Batch, packed: Packed) -> Departure:
        start = time.monotonic()
        begun = self._intake.begin(packed.pushes[0]) if packed.pushes else None
        return Departure(
            decided=lambda: begun is None or begun.is_decided,
            end=lambda: self._deliver(reading, batch, packed, begun, start),
        )

    def _deliver(self, reading: Reading, batch: Batch, packed: Packed, begun: Begun | None, start: float) -> int:
        """Deliver a batch and remember what was acknowledged; how many events the intake took.

        Args:
            begun: the first try of the first push, which began at the moment `start`.
        """
        self._put_aside(reading, packed.unfit)
        count, keys = 0, list(packed.keys)
        for number, push in enumerate(packed.pushes, 1):
            for delivered in self._intake.deliver(push, begun):
                self._put_aside(reading, delivered.refusals)
                count += delivered.count
                if number == len(packed.pushes) and _is_whole(push, delivered):
                    # With the last push of a page, the page is delivered: one write for both.
                    keys += delivered.keys
                else:
                    self._host.remember(reading, delivered.keys)
            self._host.health.ends(INTAKE)
            self._measures.seconds(time.monotonic() - start)
            begun, start = None, time.monotonic()
        self._host.remember(reading, keys, batch.position)
        self._measures.forwarded(count)
        if batch.newest:
            self._measures.lag((datetime.now(UTC) - batch.newest).total_seconds())
        return count

    def _put_aside(self, reading: Reading, refusals: Sequence[Refusal]) -> None:
        for refusal in until_stopped(refusals, self._host.stop):
            key = refusal.key or _NO_KEY
            self._host.quarantine(reading, key, refusal.text, refusal.reason)
            self._measures.discarded(1)


def _is_whole(push: Push, delivered: Delivered) -> bool:
    return delivered.count + len(delivered.refusals) == push.count


def _texts(
    record: Record, writer: EventWriter, unfit: list[Refusal], errors: list[UnexpectedShapeError]
) -> Sequence[str]:
    """The events of a record; none when it cannot be reshaped, which is added to `unfit` and `errors`."""
    try:
        return writer.texts(record)
    except UnexpectedShapeError as error:
        errors.append(error)
        unfit.append(Refusal(key=record.key, text=record.text, reason=error.message))
        return ()


def _fitting(record: Record, texts: Sequence[str], unfit: list[Refusal]) -> list[str]:
    """The events of a record that an intake takes; the others are added to `unfit`."""
    fitting: list[str] = []
    for text in texts:
        if too_large(text):
            reason = f"{len(text.encode('utf-8', 'surrogatepass'))} bytes, an intake takes at most {EVENT_BYTES}"
            unfit.append(Refusal(key=record.key, text=text, reason=reason))
        else:
            fitting.append(text)
    return fitting
