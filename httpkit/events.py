"""From a record to the events that an intake gets; how they travel is not known here."""

from collections.abc import Sequence

from httpkit.columns import Records, SlicedRecords
from httpkit.documents import encode_json
from httpkit.shaping import Shaping
from httpkit.values import JsonValue, Record, SlicedRecord


class EventWriter:
    """Writes the events of one source.

    Args:
        source: put into object records as `source`, unless empty or the record has one already.

    Attributes:
        added: names of the fields that are added to every event.
        beginning: of each event: an opening brace and these fields.
    """

    def __init__(self, shaping: Shaping, source: str) -> None:
        self._shaping = shaping
        self._source = source
        added = shaping.first_tags
        if source and "source" not in added:
            added = {**added, "source": source}
        self.added = tuple(added)
        self.beginning = f"{encode_json(added).decode()[:-1]}," if added else "{"

    def values(self, record: Record) -> list[JsonValue]:
        """The events, as JSON values or text, without `source`.

        Raises:
            UnexpectedShapeError: the record cannot be reshaped as configured.
        """
        parts = [record.value] if record.parts is None else record.parts
        return [event for part in parts for event in self._shaping.events(part, record.path_number)]

    def texts(self, record: Record) -> Sequence[str]:
        """The events: JSON on one line; text records stay as they are.

        Raises:
            UnexpectedShapeError: the record cannot be reshaped as configured.
        """
        content = record.content
        if isinstance(content, SlicedRecord) and content.plain and record.parts is None:
            return [content.text.replace("{", self.beginning, 1)]
        return [event_text(event, self._source) for event in self.values(record)]

    def plain_texts(self, records: Records, longest: int) -> Sequence[str] | None:
        """The one event of each record, when all were cut from their page; None when they have to be taken apart.

        Args:
            longest: so many characters may an event have.
        """
        contents = records.contents
        if isinstance(contents, SlicedRecords) and contents.plain:
            return contents.events(self.beginning, longest)
        return None


def event_text(value: JsonValue, source: str) -> str:
    """The event for a value: JSON on one line; a text stays as it is.

    Args:
        source: put into objects as `source`, unless empty or there is one already.
    """
    if isinstance(value, str):
        return value
    if source and isinstance(value, dict) and "source" not in value:
        value = {**value, "source": source}
    return encode_json(value).decode()
