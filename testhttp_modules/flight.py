"""Delivery beside reading: while one batch is on its way the next page is read, and never are two on their way."""

from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct

from httpkit.errors import HttpkitError
from httpkit.values import Batch
from testhttp_modules import metrics
from testhttp_modules.reading import Reading

Prepared = TypeVar("Prepared")


class Departure(Struct, frozen=True, kw_only=True):
    """A batch on its way.

    Attributes:
        decided: is there an answer, so that `end` need not wait for one?
        end: waits until the batch is delivered and remembers it, with its position; the number of things delivered.
    """

    decided: Callable[[], bool]
    end: Callable[[], int]


class Delivery(Struct, Generic[Prepared], frozen=True, kw_only=True):
    """What happens to the batches of all streams.

    Attributes:
        prepare: makes of a batch what is delivered, while the one before is on its way; it changes nothing.
        begin: sends it off.
    """

    prepare: Callable[[Reading, Batch], Prepared]
    begin: Callable[[Reading, Batch, Prepared], Departure]


class Tally(Struct, kw_only=True):
    """What one poll of all streams did."""

    delivered: int = 0
    dropped: int = 0

    @property
    def left_out(self) -> str:
        """What settings left out, as the end of a sentence."""
        return f", {self.dropped} left out by drop or only_in_window" if self.dropped else ""


class DeliveryError(Exception):
    """A batch could not be delivered; not one of the errors that reading a source gives, and tells from those.

    Attributes:
        error: why.
    """

    def __init__(self, error: HttpkitError) -> None:
        super().__init__(error.message)
        self.error = error


class Flight(Generic[Prepared]):
    """The batch that is on its way, of whichever stream."""

    def __init__(self, delivery: Delivery[Prepared]) -> None:
        self._delivery = delivery
        self._under_way: tuple[Batch, Departure] | None = None
        self._trouble: HttpkitError | None = None
        self._tally = Tally()

    def begin_poll(self) -> Tally:
        """Forget the poll before; what is filled in while the new one lasts."""
        self._under_way = self._trouble = None
        self._tally = Tally()
        return self._tally

    def prepare(self, reading: Reading, batch: Batch) -> Prepared:
        """Make of a batch what is delivered.

        Raises:
            UnexpectedShapeError: no record can be reshaped as configured.
        """
        return self._delivery.prepare(reading, batch)

    def begin(self, reading: Reading, batch: Batch, prepared: Prepared) -> None:
        """Send a batch off, once the one before is delivered and remembered.

        Raises:
            DeliveryError: that one could not be delivered.
        """
        self.end()
        try:
            self._under_way = batch, self._delivery.begin(reading, batch, prepared)
        except HttpkitError as error:
            raise DeliveryError(error) from error

    def look(self) -> None:
        """Remember what is on its way, if it has arrived; called while the next page is waited for.

        What goes wrong shows when it is ended: who waits for a page must not take it for an error of the page.
        """
        if self._under_way and self._under_way[1].decided():
            try:
                self._end()
            except HttpkitError as error:
                self._trouble = error

    def end(self) -> None:
        """Wait until nothing is on its way, and all that was is remembered.

        Raises:
            DeliveryError: something could not be delivered.
        """
        try:
            self._end()
        except HttpkitError as error:
            self._trouble = error
        trouble, self._trouble = self._trouble, None
        if trouble:
            raise DeliveryError(trouble) from trouble

    def _end(self) -> None:
        if self._under_way is None:
            return
        (batch, departure), self._under_way = self._under_way, None
        self._tally.delivered += departure.end()
        self._tally.dropped += batch.dropped
        metrics.duplicates().inc(batch.repeats)
