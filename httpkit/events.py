"""From a record to the events that an intake gets; how they travel is not known here."""

from httpkit.documents import encode_json
from httpkit.shaping import Shaping
from httpkit.values import JsonValue, Record, SlicedRecord

_FIRST_NAME = 4
"""Within so many characters most objects have their first name."""


class EventWriter:
    """Writes the events of one source.

    Args:
        source: put into object records as `source`, unless empty or the record has one already.
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
        text = self.plain_text(record)
        return [event_text(event, self._source) for event in self.values(record)] if text is None else [text]

    def plain_text(self, record: Record) -> str | None:
        """The one event of a record that was cut from its page, None when it has to be taken apart."""
        content = record.content
        if not isinstance(content, SlicedRecord) or not content.plain or record.parts is not None:
            return None
        text = str(content.text, "utf-8")
        if not self._tail:
            return text
        # In an object without fields a comma would be wrong.
        return text[:-1] + self._tail if '"' in text[:_FIRST_NAME] or text[1:-1].strip() else None


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
