"""Which records of a page are new and wanted, and whether they still look as they did; nothing here is sent."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import compress
from threading import Event

from msgspec import Struct
from msgspec.structs import replace

from httpkit.columns import Records, SlicedRecords
from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.freshness import SeenKeys, are_present, key_of_record, keys_of_identities
from httpkit.paths import Path, compile_path
from httpkit.times import event_moments
from httpkit.turns import until_stopped
from httpkit.values import JsonValue, OpenWindow, Position, SlicedRecord, value_of

Item = JsonValue | SlicedRecord


class SiftSettings(Struct, frozen=True, kw_only=True):
    """How records are told apart; the fields are those of the configuration, where each is explained."""

    id_path: str = "id"
    deduplicate: bool = True
    timestamp_path: str = ""
    timestamp_format: str = "auto"
    only_in_window: bool = False


class Look(Struct, frozen=True, kw_only=True):
    """The records of a page with what tells them apart, in the order of the page.

    Attributes:
        numbers: by which of the record paths each was found.
        keys: the key of each.
        identified: has it an identity of its own, or only what it holds?
        moments: its time, None where it has none that can be read.
    """

    items: Sequence[Item]
    numbers: Sequence[int]
    keys: Sequence[bytes]
    identified: Sequence[bool]
    moments: Sequence[datetime | None]


class Sifted(Struct, frozen=True, kw_only=True):
    """What is left of a page.

    Attributes:
        fresh: to be delivered.
        repeats: number of records that were delivered before, or are on their way.
        dropped: number of records that a setting leaves out.
        late: seconds by which fresh records are older than what an earlier window had covered.
        newest: time of the newest record of the page, None when nothing of it is fresh.
    """

    fresh: Records
    repeats: int
    dropped: int
    late: Sequence[float]
    newest: datetime | None


class Sieve:
    """Sifts the pages of one source.

    Args:
        drops: is a record skipped? None when none ever is.
        stop: ends the work on a page, which raises `httpkit.stopping.Stopped`.

    Raises:
        SettingsError: a path is not valid, or is missing.
    """

    def __init__(self, settings: SiftSettings, drops: Callable[[JsonValue], bool] | None, stop: Event) -> None:
        if settings.only_in_window and not settings.timestamp_path:
            raise SettingsError("timestamp_path", "is needed by only_in_window: it says where the time of a record is")
        self._settings = settings
        self._drops = drops
        self._stop = stop
        uses_id = settings.id_path and settings.deduplicate
        self._id: Path | None = compile_path("id_path", settings.id_path) if uses_id else None
        path = settings.timestamp_path
        self._time: Path | None = compile_path("timestamp_path", path) if path else None

    @property
    def notes_all(self) -> bool:
        """Is every record of a page noted as shown?"""
        return self._settings.deduplicate and not self._settings.only_in_window and not self._drops

    def look(self, items: Sequence[Item], numbers: Sequence[int]) -> Look:
        """Read identities and times.

        Args:
            numbers: for each record, by which of the record paths it was found.
        """
        identities = self._identities(items)
        identified = are_present(identities)
        keys = keys_of_identities(identities)
        if not all(identified):
            for place, has_own in enumerate(identified):
                if not has_own:
                    keys[place] = key_of_record(items[place])
        return Look(items=items, numbers=numbers, keys=keys, identified=identified, moments=self._moments(items))

    def checked(self, look: Look, position: Position) -> Position:
        """The position with what is known of identities and times after a page.

        Raises:
            UnexpectedShapeError: until now every record had an identity, or a time, and on this page none has.
        """
        if not look.items:
            return position
        settings, identities, times = self._settings, position.identities, position.times
        if self._id:
            identities = _still("id_path", settings.id_path, identities, look.identified)
        if self._time:
            found = [moment is not None for moment in look.moments]
            times = _still("timestamp_path", settings.timestamp_path, times, found)
        if (identities, times) == (position.identities, position.times):
            return position
        return replace(position, identities=identities, times=times)

    def sift(self, look: Look, seen: SeenKeys, window: OpenWindow, covered: datetime | None) -> Sifted:
        """Take what is new and wanted.

        Args:
            seen: the new ones are noted as given.
            covered: what earlier windows had read to.
        """
        dropped = 0
        if self.notes_all:
            known = seen.show_and_give(look.keys)
        else:
            known, dropped = self._picked(look, seen, window)
        fresh = Records(look.keys, look.items, look.numbers, remember=self._settings.deduplicate)
        moments = look.moments
        if any(known):
            new = [not one for one in known]
            fresh, moments = fresh.only(new), list(compress(moments, new))
        return Sifted(
            fresh=fresh,
            repeats=len(look.keys) - len(fresh) - dropped,
            dropped=dropped,
            late=[] if covered is None else _late(moments, covered),
            newest=max(filter(None, look.moments), default=None) if fresh else None,
        )

    def _picked(self, look: Look, seen: SeenKeys, window: OpenWindow) -> tuple[list[bool], int]:
        """Record by record: is it known, or not wanted? And how many of the new ones does a setting leave out?"""
        left_out: list[bool] = []
        on_page: set[bytes] = set()
        dropped, remember = 0, self._settings.deduplicate
        known = seen.show(look.keys) if remember else [False] * len(look.keys)
        columns = zip(look.items, look.keys, look.moments, known, strict=True)
        for item, key, moment, repeated in until_stopped(columns, self._stop):
            new = not (repeated or (remember and key in on_page))
            wanted = new and not (self._outside(moment, window) or (self._drops and self._drops(value_of(item))))
            dropped += new and not wanted
            left_out.append(not wanted)
            if wanted:
                on_page.add(key)
        if remember:
            seen.give(on_page)
        return left_out, dropped

    def _identities(self, items: Sequence[Item]) -> Sequence[JsonValue]:
        find = self._id
        if find is None:
            return [None] * len(items)
        if isinstance(items, SlicedRecords):
            return items.identities
        return [find(item) for item in until_stopped(items, self._stop)]

    def _moments(self, items: Sequence[Item]) -> Sequence[datetime | None]:
        find, form = self._time, self._settings.timestamp_format
        if find is None:
            return [None] * len(items)
        if isinstance(items, SlicedRecords):
            return event_moments(items.times, form)
        return event_moments([find(item) for item in until_stopped(items, self._stop)], form)

    def _outside(self, moment: datetime | None, window: OpenWindow) -> bool:
        if not self._settings.only_in_window or moment is None:
            return False
        if moment == window.until:
            # Without de-duplication the next window, which starts here, would give it a second time.
            return not self._settings.deduplicate
        return not window.since <= moment <= window.until


def _late(moments: Sequence[datetime | None], covered: datetime) -> list[float]:
    """Seconds by which moments lie before what was covered."""
    return [(covered - moment).total_seconds() for moment in moments if moment and moment < covered]


def _still(field: str, path: str, known: bool | None, found: Sequence[bool]) -> bool:
    """Does every record have it, also after this page?"""
    if known and not any(found):
        raise UnexpectedShapeError(
            f"no record of the page has anything usable at {field} {path!r}, as all earlier ones had; "
            f"the API has changed: correct {field}"
        )
    return all(found) and known is not False
