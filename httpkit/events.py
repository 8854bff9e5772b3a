"""From a record to the events that an intake gets; how they travel is not known here."""

from collections.abc import Sequence

from httpkit.documents import encode_json
from httpkit.shaping import Shaping
from httpkit.values import JsonValue, Record, SlicedRecord

_FIRST_NAME = 4
"""Within so many characters most objects have their first name."""


class EventWriter:
    """Writes the events of one source.

    Args:
        source: put into object records as `source`, unless empty or the record has one already.

    Attributes:
        added: names of the fields that are added to every event.
    """

    def __init__(self, shaping: Shaping, source: str) -> None:
        self._shaping = shaping
        self._source = source
        added = shaping.first_tags
        if source and "source" not in added:
            added = {**added, "source": source}
        self.added = tuple(added)
        self._tail = f",{encode_json(added).decode()[1:]}" if added else ""

    def values(self, record: Record) -> list[JsonValue]:
        """The events, as JSON values or text, without `source`.

        Raises:
            UnexpectedShapeError: the record cannot be reshaped as configured.
        """
        parts = [record.value] if record.parts is None else record.parts
        return [event for part in parts for event in self._shaping.events(part, record.path_number)]

    def texts(self, record: Record) -> list[str]:
        """The events: JSON on one line; text records stay as they are.

        Raises:
            UnexpectedShapeError: the record cannot be reshaped as configured.
        """
        plain = self.plain_texts([record])
        return [event_text(event, self._source) for event in self.values(record)] if plain is None else plain

    def plain_texts(self, records: Sequence[Record]) -> list[str] | None:
        """The one event of each record, when all were cut from their page; None when some have to be taken apart."""
        contents = [record.content for record in records if record.parts is None]
        sliced = [content.text for content in contents if isinstance(content, SlicedRecord) and content.plain]
        if len(sliced) < len(records):
            return None
        texts, tail = [str(text, "utf-8") for text in sliced], self._tail
        if not tail:
            return texts
        # In an object without fields a comma would be wrong.
        has_fields = all('"' in text[:_FIRST_NAME] or text[1:-1].strip() for text in texts)
        return [text[:-1] + tail for text in texts] if has_fields else None


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
