"""Moments in the many forms in which APIs write and want them; always aware and in UTC inside."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import repeat
from operator import attrgetter, is_
from typing import cast

from msgspec import Struct

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s*(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?$")


_ISO_FORMS = frozenset({"auto", "iso8601"})
_LONG_FRACTION = re.compile(r"([.,]\d{6})\d+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(Struct, frozen=True, kw_only=True):
    """A moment for a template, with the form it takes where the template names none."""

    at: datetime
    usual: str

    def text(self, pattern: str | None = None) -> str | int:
        """The moment in the form of a pattern of `moment_text`."""
        return moment_text(self.at, pattern or self.usual)


def moment_text(moment: datetime, pattern: str) -> str | int:
    """A moment as an API wants it.

    Args:
        pattern: `iso8601` (UTC with Z), `iso8601_ms`, `iso8601_us`, `iso8601_offset` (+00:00), `epoch` and `epoch_ms`
            (numbers), or an strftime pattern.
    """
    moment = moment.astimezone(UTC)
    return _FORMS[pattern](moment) if pattern in _FORMS else moment.strftime(pattern)


def http_date(text: str) -> datetime | None:
    """The moment in a header of HTTP, None when it holds none: a server may send anything."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def moment_of(text: str) -> datetime | None:
    """The moment that an ISO 8601 text names; without a zone it is UTC. None when it is no such text."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()):
        text = f"{text.strip()}T00:00:00"
    found = _ISO.match(text.strip())
    if not found:
        return None
    day, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in {None, "Z", "z", "UTC"} else zone
    try:
        # Python reads at most six digits of a second, APIs give up to nine.
        return datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def event_moment(value: object, form: str) -> datetime | None:
    """The moment in a record; None when it cannot be read.

    Args:
        form: `auto` (ISO 8601, or a number whose size tells seconds from smaller units), `iso8601`, `epoch`,
            `epoch_ms`, or a strptime pattern. Numbers may be texts.
    """
    if isinstance(value, str) and value[-1:] == "Z" and form in _ISO_FORMS:
        try:
            # The commonest form of all, which Python reads without any help in a tenth of the time.
            return datetime.fromisoformat(value)
        except ValueError:
            return moment_of(value)
    return _of_other(value, form)


def event_moments(values: Sequence[object], form: str) -> Sequence[datetime | None]:
    """`event_moment` for each of many."""
    if form in _ISO_FORMS:
        # All at once, where all have that form.
        with suppress(TypeError, ValueError):
            moments = list(map(datetime.fromisoformat, cast(Sequence[str], values)))
            if all(map(is_, map(attrgetter("tzinfo"), moments), repeat(UTC))):
                return moments
    return [event_moment(value, form) for value in values]


def _of_other(value: object, form: str) -> datetime | None:
    if form in {"auto", "epoch", "epoch_ms"} and (number := _number(value)) is not None:
        return _of_number(number, form)
    if not isinstance(value, str):
        return None
    if form in {"auto", "iso8601"}:
        return moment_of(value)
    try:
        return moment_by_pattern(value, form)
    except ValueError:
        return None


def moment_by_pattern(text: str, pattern: str) -> datetime:
    """The moment that a text names in the form of a strptime pattern; without a zone it is UTC.

    Raises:
        ValueError: it does not have that form.
    """
    # Python reads at most six digits of a second, APIs give up to nine.
    text = _LONG_FRACTION.sub(r"\1", text) if "%f" in pattern else text
    moment = datetime.strptime(text, pattern)  # noqa: DTZ007  (the zone is added below)
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is no moment in UTC") from None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _of_number(number: float, form: str) -> datetime | None:
    divisor = {"epoch": 1.0, "epoch_ms": 1e3}.get(form)
    if divisor is None:
        # Seconds have at most eleven digits until the year 5138.
        divisor = next((size for limit, size in ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6)) if abs(number) < limit), 1e9)
    try:
        return datetime.fromtimestamp(number / divisor, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _iso(precision: str, zone: str = "Z") -> Callable[[datetime], str]:
    return lambda moment: moment.replace(tzinfo=None).isoformat(timespec=precision) + zone


_FORMS: Mapping[str, Callable[[datetime], str | int]] = {
    "iso8601": _iso("seconds"),
    "iso8601_ms": _iso("milliseconds"),
    "iso8601_us": _iso("microseconds"),
    "iso8601_offset": _iso("seconds", "+00:00"),
    "epoch": lambda moment: (moment - _EPOCH) // timedelta(seconds=1),
    "epoch_ms": lambda moment: (moment - _EPOCH) // timedelta(milliseconds=1),
}
