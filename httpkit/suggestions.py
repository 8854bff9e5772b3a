"""Guesses at what a path should have been: where in an answer records, identities, times and next pages seem to be."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import SequenceMatcher

from msgspec import Struct

from httpkit.documents import encode_json
from httpkit.links import link_targets
from httpkit.paths import is_plain_name
from httpkit.times import event_moment
from httpkit.values import JsonValue, Response

_MOST = 3
_DEEPEST = 6
_LOOKED_AT = 200
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_RECORD_NAMES = re.compile(
    r"items|data|records|results?|values?|entries|events|logs|alerts|list|rows|hits|nodes|objects|messages|activities",
    re.IGNORECASE,
)
_IDENTITY_NAMES = re.compile(r"@?_?(id|uuid|guid|uid|identifier|key)|.*(_id|-id|\.id|Id|ID|uuid|guid|Uuid|Guid)")
_TIME_NAMES = re.compile(
    r"time|date|created|updated|modified|published|occurred|received|start|end|when|_at$|At$|epoch|^ts$", re.IGNORECASE
)
_TIME_FORMATS = (
    "auto",
    "epoch_ms",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S %z",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%d/%b/%Y:%H:%M:%S %z",
    "%d %b %Y %H:%M:%S",
    "%b %d %Y %H:%M:%S",
    "%b %d, %Y %H:%M:%S",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %Z",
    "%a %b %d %H:%M:%S %Y",
    "%Y%m%d%H%M%S",
    "%Y%m%dT%H%M%SZ",
)
_NEXT_NAMES = re.compile(r"next|cursor|continuation|after|page_?token|skip_?token|scroll", re.IGNORECASE)


class Suggestion(Struct, frozen=True, kw_only=True):
    """A value for a setting, and why."""

    setting: str
    value: str
    why: str


class NextPage(Struct, frozen=True, kw_only=True):
    """A way to the next page: the style of paging, the path of what names it, and why."""

    style: str
    path: str
    why: str


def record_places(content: JsonValue, wished: str = "") -> list[Suggestion]:
    """Where the records seem to be, the likeliest first.

    Args:
        wished: the path that was configured; one that resembles it is likelier.
    """
    places = sorted(_lists(content), key=lambda place: -_likeliness(place[0], place[1], wished))
    return [Suggestion(setting="records_path", value=path, why=_described(found)) for path, found in places[:_MOST]]


def identities(records: Sequence[JsonValue]) -> list[Suggestion]:
    """Paths that tell all records apart, the likeliest first; pairs with a time only when nothing alone does."""
    distinct = list({encode_json(record): record for record in records if isinstance(record, dict)}.values())
    distinct = distinct[:_LOOKED_AT]
    fields, scores = _scalars(distinct), dict[str, float]()
    for path, values in fields.items():
        whole = len(values) == len(distinct) and not any(isinstance(value, float) for value in values)
        if whole and _IDENTITY_NAMES.fullmatch(_last_name(path)):
            scores[path] = path.count(".") + 2 * (_last_name(path).lower() not in {"id", "uuid", "guid", "uid", "_id"})
    alone = [path for path in sorted(scores, key=lambda path: scores[path]) if _unique([fields[path]])]
    if alone:
        return [Suggestion(setting="id_path", value=path, why="different in each record") for path in alone[:_MOST]]
    found = [suggestion.value for suggestion in times_of(distinct)]
    times = [path for path in found if len(fields[path]) == len(distinct)]
    pairs = [(path, time) for path in scores for time in times if _unique([fields[path], fields[time]])]
    return [
        Suggestion(setting="id_path", value=f"[{path}, {time}]", why="different in each record when taken together")
        for path, time in pairs[:_MOST]
    ]


def times_of(records: Sequence[JsonValue]) -> list[Suggestion]:
    """Paths at which nearly all records have a time, the likeliest first."""
    found: list[tuple[float, Suggestion]] = []
    for path, values in _scalars(records).items():
        name = _last_name(path)
        moments = [event_moment(value, "auto") for value in values]
        good = sum(moment is not None and _EARLIEST < moment < _LATEST for moment in moments)
        if good < 0.9 * len(records) or (not _TIME_NAMES.search(name) and _is_numeric(values[0])):
            continue
        usual = name.lower().strip("@").strip('"') in {"timestamp", "time", "created_at", "createdat", "created"}
        score = path.count(".") - 2.0 * usual - bool(_TIME_NAMES.search(name))
        why = f"a time in {good} of {len(records)} records, for example {values[0]}"
        found.append((score, Suggestion(setting="timestamp_path", value=path, why=why)))
    return [suggestion for _, suggestion in sorted(found, key=lambda pair: pair[0])[:_MOST]]


def time_formats(values: Sequence[JsonValue]) -> list[Suggestion]:
    """Forms in which all of these times can be read."""
    found = [form for form in _TIME_FORMATS if all(event_moment(value, form) for value in values)]
    return [Suggestion(setting="timestamp_format", value=form, why="reads all of them") for form in found[:_MOST]]


def next_pages(content: JsonValue, response: Response) -> list[NextPage]:
    """What in an answer looks like the way to the next page."""
    found: list[NextPage] = []
    if "next" in link_targets(response.headers.get("link", "")):
        found.append(NextPage(style="link_header", path="", why="the answer has a Link header"))
    for path, value in _fields(content, _DEEPEST):
        if isinstance(value, str) and value and _NEXT_NAMES.search(_last_name(path)):
            style = "next_url" if "://" in value or value.startswith("/") else "cursor"
            found.append(NextPage(style=style, path=path, why=f"there is {_short(value)}"))
    return found[:_MOST]


def _lists(value: JsonValue, path: str = "", depth: int = 0) -> Iterator[tuple[str, list[JsonValue]]]:
    """Every list in a document, and every object whose fields are alike, with its path."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        yield path, value
        inner = value[0] if value else None
        if isinstance(inner, dict):
            for name, part in inner.items():
                if isinstance(part, list) and part and isinstance(part[0], dict):
                    yield f"{path}[].{_quoted(name)}[]", part
    elif isinstance(value, dict):
        if path and len(value) > 1 and _alike(list(value.values())):
            yield f"values({path})", list(value.values())
            return
        for name, part in value.items():
            yield from _lists(part, _joined(path, name), depth + 1)


def _alike(parts: list[JsonValue]) -> bool:
    names = set(parts[0]) if isinstance(parts[0], dict) else set()
    return len(names) > 1 and all(isinstance(part, dict) and set(part) == names for part in parts)


def _likeliness(path: str, found: list[JsonValue], wished: str) -> float:
    names = set(found[0]) if found and isinstance(found[0], dict) else set()
    score = 3.0 * bool(names) + min(len(found), 5) / 5 - path.count(".") / 2 - path.count("[")
    score += 2.0 * bool(_RECORD_NAMES.fullmatch(_last_name(path)))
    score += any(_IDENTITY_NAMES.fullmatch(name) for name in names) + any(_TIME_NAMES.search(name) for name in names)
    return score + 2 * SequenceMatcher(None, path.lower(), wished.lower()).ratio()


def _described(found: list[JsonValue]) -> str:
    if not found:
        return "an empty list"
    if not isinstance(found[0], dict):
        return f"{len(found)} values such as {_short(found[0])}"
    names = list(found[0])
    return f"{len(found)} object{'s' * (len(found) != 1)} with {', '.join(names[:5])}{', …' * (len(names) > 5)}"


def _scalars(records: Sequence[JsonValue]) -> dict[str, list[JsonValue]]:
    """The values of each field that is a text or a number, by its path; of the first records only."""
    found: dict[str, list[JsonValue]] = {}
    for record in records[:_LOOKED_AT]:
        for path, value in _fields(record, 2):
            if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
                found.setdefault(path, []).append(value)
    return found


def _fields(value: JsonValue, deepest: int, path: str = "") -> Iterator[tuple[str, JsonValue]]:
    """The fields of an object and of the objects in it, with their paths; nothing inside lists."""
    if isinstance(value, Mapping) and path.count(".") < deepest:
        for name, part in value.items():
            yield from _fields(part, deepest, _joined(path, name))
    elif path:
        yield path, value


def _unique(columns: list[list[JsonValue]]) -> bool:
    rows = [encode_json(row) for row in zip(*columns, strict=False)]
    return len(set(rows)) == len(rows)


def _joined(path: str, name: str) -> str:
    return f"{path}.{_quoted(name)}" if path else _quoted(name)


def _quoted(name: str) -> str:
    return name if is_plain_name(name) and name.isascii() else json.dumps(name, ensure_ascii=False)


def _last_name(path: str) -> str:
    return path.rpartition(".")[2].strip('"()[]')


def _is_numeric(value: JsonValue) -> bool:
    return not isinstance(value, str) or value.replace(".", "", 1).isdecimal()


def _short(value: JsonValue) -> str:
    text = value if isinstance(value, str) else encode_json(value).decode()
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
