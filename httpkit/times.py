"""Moments in the many forms in which APIs write and want them; always aware and in UTC inside."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s*(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?$")


def moment_text(moment: datetime, pattern: str) -> str | int:
    """A moment as an API wants it.

    Args:
        pattern: `iso8601` (UTC with Z), `iso8601_ms`, `iso8601_us`, `iso8601_offset` (+00:00), `epoch` and `epoch_ms`
            (numbers), or an strftime pattern.
    """
    moment = moment.astimezone(UTC)
    return _FORMS[pattern](moment) if pattern in _FORMS else moment.strftime(pattern)


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


def _iso(precision: str, zone: str = "Z") -> Callable[[datetime], str]:
    return lambda moment: moment.replace(tzinfo=None).isoformat(timespec=precision) + zone


_FORMS: Mapping[str, Callable[[datetime], str | int]] = {
    "iso8601": _iso("seconds"),
    "iso8601_ms": _iso("milliseconds"),
    "iso8601_us": _iso("microseconds"),
    "iso8601_offset": _iso("seconds", "+00:00"),
    "epoch": lambda moment: int(moment.timestamp()),
    "epoch_ms": lambda moment: int(moment.timestamp() * 1000),
}
