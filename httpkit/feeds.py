"""RSS and Atom feeds as records that are entries already: id, value and timestamp, beside all that the feed says."""

import io
import re
import time
from calendar import timegm
from collections.abc import Mapping
from datetime import UTC, datetime

from httpkit.freshness import key_of_identity
from httpkit.numbering import number_of_key
from httpkit.values import JsonValue, Response

# The groups are atomic, so that no body makes the search for its root take long.
_ROOT = re.compile(
    rb"(\xef\xbb\xbf)?\s*((?><\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(\[.*?\]\s*)?>)\s*)*+"
    rb"<(rss|(\w+:)?feed|rdf:RDF)[\s>/]",
    re.DOTALL | re.IGNORECASE,
)
_END = re.compile(
    rb"(</(rss|(\w+:)?feed|rdf:RDF)\s*>|/>)\s*+((?><!--.*?-->)\s*+)*+$",
    re.DOTALL | re.IGNORECASE,
)
_END_BYTES = 4096


def is_feed(body: bytes) -> bool:
    """Is it an RSS (0.9 to 2.0) or Atom feed? Told by its root element."""
    return _ROOT.match(body) is not None


def feed_records(response: Response) -> list[JsonValue]:
    """The entries of a feed, in its order.

    Each is an object with what the feed says of it under the names of the library (`title`, `link`, `summary`,
    `published`, `updated`, `author`, `tags` and others), dates as ISO 8601 in UTC, and beside that `guid` (the
    identity in the feed, or else the link), `id` (its number), `value` (the title, or else what comes next to one)
    and `timestamp` (of `updated`, or else `published`, in seconds since 1970); each is left out where there is none.

    Raises:
        ValueError: it was cut.
    """
    # Takes a tenth of a second, which only those who read feeds shall wait for.
    from xml.sax import SAXException  # noqa: PLC0415

    import feedparser  # noqa: PLC0415

    headers = {"content-type": response.headers.get("content-type", ""), "content-location": response.url}
    # From a stream nothing is looked up, whereas a text may be taken for an address or the name of a file.
    feed = feedparser.parse(io.BytesIO(response.body), response_headers=headers)
    if isinstance(feed.get("bozo_exception"), SAXException) and not _END.search(response.body[-_END_BYTES:]):
        raise ValueError("it is a feed without its end")
    return [_record(dict(entry)) for entry in feed["entries"]]


def _record(entry: Mapping[str, object]) -> JsonValue:
    """An entry of the library as a record."""
    told: dict[str, JsonValue] = {}
    for name, value in entry.items():
        if name.endswith("_parsed"):
            if isinstance(value, time.struct_time):
                told[name.removesuffix("_parsed")] = _iso(timegm(value))
        elif name not in {"id", "guidislink"} and not name.endswith("_detail"):
            told.setdefault(name, _json(value))
    record: dict[str, JsonValue] = {}
    if guid := entry.get("id") or entry.get("link"):
        told["guid"] = str(guid)
        record["id"] = number_of_key(key_of_identity(told["guid"]))
    if value := next((told[name] for name in ("title", "summary", "link", "guid") if told.get(name)), None):
        record["value"] = value
    moment = entry.get("updated_parsed") or entry.get("published_parsed")
    if isinstance(moment, time.struct_time):
        record["timestamp"] = timegm(moment)
    return {**told, **record}


def _json(value: object) -> JsonValue:
    if isinstance(value, Mapping):
        return {str(name): _json(part) for name, part in value.items() if not str(name).endswith("_parsed")}
    if isinstance(value, (list, tuple)):
        return [_json(part) for part in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
