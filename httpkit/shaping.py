"""From a record to the events that are delivered: light reshaping, in the order in which it is configured."""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from httpkit.errors import UnexpectedShapeError
from httpkit.paths import Path, compile_path
from httpkit.templates import Scope, render
from httpkit.times import moment_by_pattern, moment_text
from httpkit.values import JsonValue

_NAME = re.compile(r'"([^"]+)"|([^."]+)')


class ShapingSettings(Struct, frozen=True, kw_only=True):
    """How records become events; the fields are those of the configuration, where each is explained."""

    drop: Sequence[str] = ()
    explode: Sequence[str] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    drop_nulls: bool = False
    dates: Mapping[str, str] = field(default_factory=dict)
    transform: str = ""
    tags: Sequence[Mapping[str, JsonValue]] = ()

    @property
    def reshapes(self) -> bool:
        """Does anything but the tags change a record?"""
        return bool(self.explode or self.rename or self.drop_nulls or self.dates or self.transform)


class Shaping:
    """Turns records into events.

    Args:
        scope: placeholders for the tags.

    Raises:
        SettingsError: a path is not valid.
    """

    def __init__(self, settings: ShapingSettings, scope: Scope) -> None:
        self._settings = settings
        self._drop = [compile_path("drop", expression) for expression in settings.drop]
        self._explode = [_names(path) for path in settings.explode]
        self._transform: Path | None = compile_path("transform", settings.transform) if settings.transform else None
        self._tags = [render(dict(tags), scope) for tags in settings.tags]

    @property
    def first_tags(self) -> Mapping[str, JsonValue]:
        """What is added to the records of the first record path."""
        return self._tags[0] if self._tags else {}

    def drops(self, record: JsonValue) -> bool:
        """Is the record skipped?"""
        return any(_truth(find(record)) for find in self._drop)

    def events(self, record: JsonValue, path_number: int = 0) -> list[JsonValue]:
        """The events of a record, as JSON values or text.

        Args:
            path_number: by which of the record paths it was found; each may have tags of its own.

        Raises:
            UnexpectedShapeError: `transform` or `dates` does not fit the record.
        """
        settings = self._settings
        shaped: list[JsonValue] = []
        for part in self._exploded(record):
            event = part
            if isinstance(event, dict):
                event = {settings.rename.get(name, name): value for name, value in event.items()}
                if settings.drop_nulls:
                    event = {name: value for name, value in event.items() if value is not None}
                for path, pattern in settings.dates.items():
                    event = _with_date(event, path, pattern)
            shaped += self._transformed(event)
        tags = self._tags[min(path_number, len(self._tags) - 1)] if self._tags else {}
        return [{**event, **tags} if tags and isinstance(event, dict) else event for event in shaped]

    def _exploded(self, record: JsonValue) -> list[JsonValue]:
        """One record per combination of elements; an array that is missing or empty stays as it is."""
        records = [record]
        for names in self._explode:
            records = [single for one in records for single in _singles(one, names)]
        return records

    def _transformed(self, event: JsonValue) -> list[JsonValue]:
        if self._transform is None:
            return [event]
        result = self._transform(event)
        if result is None:
            raise UnexpectedShapeError(f"transform {self._settings.transform!r} finds nothing in a record; correct it")
        return result if isinstance(result, list) else [result]


def _truth(value: JsonValue) -> bool:
    """The truth of JMESPath: false, null and whatever is empty are false, and 0 is true."""
    return value is not None and value is not False and value not in ("", [], {})


def _names(path: str) -> list[str]:
    """The names of a path; one that holds a dot or another sign is in quotes, as in JMESPath."""
    return [quoted or plain for quoted, plain in _NAME.findall(path)]


def _at(value: JsonValue, names: list[str]) -> JsonValue:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _replaced(value: JsonValue, names: list[str], element: JsonValue) -> JsonValue:
    if not names:
        return element
    return {**value, names[0]: _replaced(value[names[0]], names[1:], element)}


def _singles(record: JsonValue, names: list[str]) -> list[JsonValue]:
    array = _at(record, names)
    if not (isinstance(array, list) and array):
        return [record]
    return [_replaced(record, names, element) for element in array]


def _with_date(event: dict[str, JsonValue], path: str, pattern: str) -> dict[str, JsonValue]:
    names = _names(path)
    text = _at(event, names)
    if not isinstance(text, str) or not text:
        return event
    try:
        moment = moment_by_pattern(text, pattern)
    except ValueError as error:
        raise UnexpectedShapeError(f"dates.{path}: {error}; correct the pattern") from None
    form = "iso8601_us" if moment.microsecond else "iso8601"
    changed: dict[str, JsonValue] = _replaced(event, names, moment_text(moment, form))
    return changed
