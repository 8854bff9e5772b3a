"""The formats in which records come: JSON, JSON lines, CSV, XML and plain lines; not where the records are in them."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from httpkit.documents import decode_json
from httpkit.feeds import feed_records, is_feed
from httpkit.text import text_of
from httpkit.values import JsonValue, Response

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Format = Literal["auto", "json", "ndjson", "csv", "xml", "text"]

_HTML = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html)\b", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_QUOTED = re.compile(r'"[^"]*"')
_GZIP_MAGIC = b"\x1f\x8b"
_TYPES: Mapping[str, Format] = {
    "ndjson": "ndjson",
    "jsonl": "ndjson",
    "json-seq": "ndjson",
    "csv": "csv",
    "xml": "xml",
}


def decode(response: Response, expected: Format, *, limit: int, feeds: bool = False) -> JsonValue:
    """Decode the body of an answer.

    Args:
        expected: `auto` goes by the content type, and takes several JSON values on lines of their own as JSON lines.
        limit: bytes that a compressed body may grow to.
        feeds: are RSS and Atom feeds, where `auto` or `xml` is expected, read as their entries?

    Returns:
        The JSON document; for the other formats the list of records. None for an empty body.

    Raises:
        ValueError: the body is not in that format; the message says what is wrong.
    """
    body = _unpacked(response.body, limit)
    if not body.strip():
        return None
    if _HTML.match(body):
        raise ValueError("it is an HTML page")
    if body is not response.body:
        response = replace(response, body=body)
    if feeds and expected in {"auto", "xml"} and is_feed(body):
        return feed_records(response)
    kind = kind_of(response) if expected == "auto" else expected
    if kind == "auto":
        return _json_or_lines(body)
    return _DECODERS[kind](response)


def _unpacked(body: bytes, limit: int) -> bytes:
    """The body without gzip, which some APIs put inside, as a file, beside the encoding of the transfer."""
    if not body.startswith(_GZIP_MAGIC):
        return body
    try:
        with gzip.open(io.BytesIO(body)) as file:
            content = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"it is damaged gzip ({error})") from None
    if len(content) > limit:
        raise ValueError(f"it is gzip that grows beyond {limit} bytes")
    return content


def kind_of(response: Response) -> Format:
    """The format that an answer says it has; `auto` when it does not, or says JSON."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower().rpartition("/")[2]
    found: Format = next((form for word, form in _TYPES.items() if word in kind), "auto")
    # Some servers call all that they send XML.
    return "auto" if found == "xml" and response.body.lstrip()[:1] in {b"{", b"["} else found


def _json_or_lines(body: bytes) -> JsonValue:
    try:
        return decode_json(body)
    except ValueError as error:
        try:
            records = _lines(body)
        except ValueError:
            raise error from None
        if len(records) < 2:
            raise
        return records


def _lines(body: bytes) -> list[JsonValue]:
    records = []
    for number, line in enumerate(body.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        # RFC 7464 puts a record separator before each record.
        if text := line.strip(b" \t\x1e"):
            try:
                records.append(decode_json(text))
            except ValueError as error:
                raise ValueError(f"line {number} is not JSON ({error})") from None
    return records


def _csv(response: Response) -> JsonValue:
    """One object per row, named by the first row; the delimiter is found from the header."""
    text = _text(response).lstrip("\r\n")
    header = _QUOTED.sub("", text.partition("\n")[0])
    delimiter = max(",;\t|", key=header.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return list(_whole_rows(rows))
    except csv.Error as error:
        raise ValueError(f"near line {rows.line_num}: {error}") from None


def _whole_rows(rows: "csv.DictReader[str]") -> Iterator[dict[str, JsonValue]]:
    for row in rows:
        cells: dict[str | None, JsonValue] = {**row}
        if any(cells.pop(None, None) or ()):
            raise csv.Error("it has more cells than the header")
        yield {str(name): value for name, value in cells.items()}


def _text(response: Response) -> str:
    return text_of(response).removeprefix("\ufeff")


def _xml(response: Response) -> JsonValue:
    """The children of the root, each as an object."""
    # Only those who read XML shall wait for what reads it.
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import ParseError, fromstring  # noqa: PLC0415

    try:
        root: Element = fromstring(response.body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise ValueError(f"it is not acceptable XML ({error or type(error).__name__})") from None
    try:
        return [_element(child) for child in root]
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _element(element: "Element") -> JsonValue:
    """An element as text, or as an object of its attributes (`@name`), children (lists when repeated) and text."""
    fields: dict[str, JsonValue] = {f"@{_local(name)}": value for name, value in element.attrib.items()}
    for child in element:
        name, value = _local(child.tag), _element(child)
        if name in fields:
            before = fields[name]
            fields[name] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            fields[name] = value
    text = (element.text or "").strip()
    if not fields:
        return text
    return {**fields, "#text": text} if text else fields


def _local(name: str) -> str:
    return name.rpartition("}")[2]


_DECODERS: Mapping[str, Callable[[Response], JsonValue]] = {
    "json": lambda response: decode_json(response.body),
    "ndjson": lambda response: _lines(response.body),
    "csv": _csv,
    "xml": _xml,
    "text": lambda response: [line for line in _LINE_END.split(_text(response)) if line.strip()],
}
