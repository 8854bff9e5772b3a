"""From the records of a source to the entries that a playbook receives; how they reach it is not known here."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Event

from msgspec import Struct
from pydantic import ValidationError

from httpkit.documents import encode_json
from httpkit.errors import UnexpectedShapeError
from httpkit.numbering import number_of_identity
from httpkit.paths import Path, compile_path
from httpkit.source import Source
from httpkit.times import event_moment
from httpkit.turns import until_stopped
from httpkit.values import JsonValue, Record
from testhttp_modules.models import Entry, TriggerConfiguration
from testhttp_modules.sendable import DEEPEST_JSON, is_flat_enough, sendable
from testhttp_modules.translation import sentence

_LEVELS_AROUND = 3
"""A record lies in an entry, in the list of entries, in the event."""

_LARGEST = 2**63


class Misfit(Struct, frozen=True, kw_only=True):
    """A record that cannot be an entry, or of which a part cannot.

    Attributes:
        text: the record.
        reason: why, in words.
    """

    key: bytes
    text: str
    reason: str


class Found(Struct, frozen=True, kw_only=True):
    """What some records give."""

    entries: Sequence[JsonValue]
    misfits: Sequence[Misfit]


class EntryMapping:
    """Makes the entries of a trigger.

    A record that is an entry already stays as it is; what it lacks is added: an identity (the number of all it holds)
    and a time (when it was found). With a path of its own for identity, value or time, any record becomes an entry.

    Args:
        stop: ends the work on a page.

    Raises:
        SettingsError: a path is not valid.
    """

    def __init__(self, configuration: TriggerConfiguration, stop: Event) -> None:
        self._stop = stop
        self._maps = bool(configuration.value_path or configuration.timestamp_path or configuration.id_path != "id")
        self._value_path = configuration.value_path or "value"
        self._value = compile_path("value_path", self._value_path)
        self._id = _optional("id_path", configuration.id_path)
        self._time = _optional("timestamp_path", configuration.timestamp_path)
        self._form = configuration.timestamp_format

    def found(self, source: Source, records: Sequence[Record], now: datetime) -> Found:
        """The entries of some records, in order.

        Args:
            source: reshapes its records.
            now: the time of entries that have none.

        Raises:
            httpkit.stopping.Stopped: the stop event was set.
        """
        entries: list[JsonValue] = []
        misfits: list[Misfit] = []
        for record in until_stopped(records, self._stop):
            reason = ""
            try:
                for part in source.events(record):
                    try:
                        entries.append(self._entry(record, part, int(now.timestamp())))
                    except (ValidationError, UnexpectedShapeError) as error:
                        reason = sentence(error)
            except UnexpectedShapeError as error:
                reason = error.message
            if reason:
                misfits.append(Misfit(key=record.key, text=record.text, reason=reason))
        return Found(entries=entries, misfits=misfits)

    def _entry(self, record: Record, part: JsonValue, now: int) -> JsonValue:
        if not is_flat_enough(part, DEEPEST_JSON - _LEVELS_AROUND):
            raise UnexpectedShapeError("it is nested too deeply; take what is needed of it with transform")
        part = sendable(part)
        fields = self._mapped(record, part, now) if self._maps else _completed(part, now)
        if fields.get("id") is None:
            fields["id"] = number_of_identity(None, record.key)
        entry = Entry.model_validate(fields).model_dump()
        entry["id"] = number_of_identity(entry["id"], record.key)
        if abs(entry["timestamp"]) >= _LARGEST:
            raise UnexpectedShapeError(f"timestamp: {entry['timestamp']} is no time in seconds")
        if not isinstance(part, Mapping):
            return entry
        return entry if all(entry.get(name) == value for name, value in part.items()) else {**entry, "data": part}

    def _mapped(self, record: Record, part: JsonValue, now: int) -> dict[str, JsonValue]:
        value = self._value(part)
        if value is None:
            raise UnexpectedShapeError(f"value_path {self._value_path!r} finds nothing; say where the content is")
        identity = self._id(record.value) if self._id else None
        time = self._time(record.value) if self._time else part.get("timestamp") if isinstance(part, Mapping) else None
        moment = event_moment(time, self._form if self._time else "auto")
        return {
            "id": number_of_identity(identity, record.key),
            "value": value if isinstance(value, str) else encode_json(value).decode(),
            "timestamp": int(moment.timestamp()) if moment else now,
        }


def _completed(part: JsonValue, now: int) -> dict[str, JsonValue]:
    """A record that is to be an entry as it is, but for a time."""
    if not isinstance(part, Mapping):
        raise UnexpectedShapeError(f"it is {type(part).__name__} and not an object; value_path says what its value is")
    fields = {name: part[name] for name in ("id", "value", "timestamp") if part.get(name) is not None}
    return {"timestamp": now, **fields}


def _optional(field: str, expression: str) -> Path | None:
    return compile_path(field, expression) if expression else None
