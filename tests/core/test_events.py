"""What an intake gets of a record, whether it was decoded or cut out of its page."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httpkit.client import Client
from httpkit.errors import UnexpectedShapeError
from httpkit.events import EventWriter
from httpkit.freshness import SeenKeys
from httpkit.shaping import Shaping, ShapingSettings
from httpkit.values import JsonValue, Record, SlicedRecord
from tests.core.clients import local_client
from tests.core.polls import get, poll, source_of
from tests.fake_api import Answer, FakeApi


def text_of(value: JsonValue, source: str) -> str:
    """The event of a decoded record."""
    (text,) = EventWriter(Shaping(ShapingSettings(), {}), source).texts(Record(key=b"", content=value))
    return text


def test_an_event_is_json_on_one_line_with_its_source() -> None:
    assert json.loads(text_of({"id": 1, "text": "a\nb"}, "testhttp")) == {
        "id": 1,
        "text": "a\nb",
        "source": "testhttp",
    }
    assert "\n" not in text_of({"text": "a\nb"}, "testhttp")


@pytest.mark.parametrize("own", ["api", "", None])
def test_a_source_of_the_record_itself_stays(own: str | None) -> None:
    assert json.loads(text_of({"source": own}, "testhttp")) == {"source": own}


def test_an_empty_source_adds_nothing() -> None:
    assert json.loads(text_of({"id": 1}, "")) == {"id": 1}


def test_the_source_does_not_change_the_record_itself() -> None:
    record = {"id": 1}
    text_of(record, "testhttp")

    assert record == {"id": 1}


@pytest.mark.parametrize("value", [[1, 2], 5, None, True])
def test_only_objects_get_a_source(value: JsonValue) -> None:
    assert json.loads(text_of(value, "testhttp")) == value


def test_a_text_record_is_the_event_as_it_is() -> None:
    assert text_of('<34>Oct 11 su: "failed"', "testhttp") == '<34>Oct 11 su: "failed"'


def test_an_event_keeps_letters_digits_and_lone_surrogates() -> None:
    record = {"name": "Žofie 漢", "n": 2**70, "cut": "\ud83d"}

    assert json.loads(text_of(record, "")) == record


# cut out of the page


def cut(api: FakeApi, client: Client, body: bytes, **fields: Any) -> list[tuple[Record, str]]:
    """The records of a page and their events."""
    api.handler = lambda _: Answer(body=body, headers={"Content-Type": "application/json"})
    source = source_of(client, get(api.url), source="testhttp", **fields)
    records = [record for batch in poll(source, SeenKeys()) for record in batch.records]
    return [(record, text) for record in records for text in source.writer.texts(record)]


def is_cut(record: Record) -> bool:
    """Was it passed on without being decoded?"""
    return isinstance(record.content, SlicedRecord)


def test_a_record_that_is_only_passed_on_is_not_decoded(api: FakeApi, client: Client) -> None:
    body = b'{"items":[{"id": 1, "price": 1.10, "big": 123456789012345678901234567890}]}'

    ((record, text),) = cut(api, client, body)

    assert is_cut(record)
    assert text == '{"source":"testhttp","id": 1, "price": 1.10, "big": 123456789012345678901234567890}'


@pytest.mark.parametrize(
    ("record", "event"),
    [
        ('{"id":1,"source":"own"}', {"id": 1, "source": "own"}),
        ('{"id":1,"source":null}', {"id": 1, "source": None}),
        ('{"id":1,"sourc\\u0065":"own"}', {"id": 1, "source": "own"}),
        ('{"id":1,"inner":{"source":"x"}}', {"id": 1, "inner": {"source": "x"}, "source": "testhttp"}),
        ("{}", {"source": "testhttp"}),
        ("{ }", {"source": "testhttp"}),
        ("{      }", {"source": "testhttp"}),
        ('{"":0}', {"": 0, "source": "testhttp"}),
        ('{"vendor":"old"}', {"vendor": "new", "source": "testhttp"}),
    ],
)
def test_what_is_added_to_a_cut_record_is_what_is_added_to_a_decoded_one(
    api: FakeApi, client: Client, record: str, event: Any
) -> None:
    tags = [{"vendor": "new"}] if "vendor" in event else []
    one_line = cut(api, client, f'{{"items":[{record}]}}'.encode(), tags=tags)
    two_lines = cut(api, client, f'{{"items":\n[{record}]}}'.encode(), tags=tags)

    assert [json.loads(text) for _, text in one_line] == [event]
    assert [json.loads(text) for _, text in two_lines] == [event]
    assert not any(is_cut(record) for record, _ in two_lines)


@pytest.mark.parametrize("name", ['"', "\\", "\n", "\ud83d", "{", "field0", ""])
def test_a_tag_may_have_any_name(api: FakeApi, client: Client, name: str) -> None:
    ((_, text),) = cut(api, client, b'{"items":[{"id":1}]}', tags=[{name: "new"}])

    assert json.loads(text) == {"id": 1, name: "new", "source": "testhttp"}


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])
def test_a_record_on_several_lines_becomes_an_event_on_one(api: FakeApi, client: Client, line_end: str) -> None:
    ((_, text),) = cut(api, client, f'{{"items":[{{"id":1,{line_end}"a":2}}]}}'.encode())

    assert text.splitlines() == [text]
    assert json.loads(text) == {"id": 1, "a": 2, "source": "testhttp"}


@pytest.mark.parametrize(
    "fields",
    [
        {"pagination": "cursor", "next_path": "items[-1].id"},
        {"pagination": "page", "total_path": "items.total || `1`"},
        {"pagination": "page", "has_more_path": "length(items)"},
        {"rename": {"id": "identity"}},
        {"transform": "@"},
        {"id_path": "[id, n]"},
        {"records_path": "items[*]"},
        {"records_path": "items[?id]"},
    ],
    ids="-".join,
)
def test_records_are_decoded_where_a_setting_looks_into_them(
    api: FakeApi, client: Client, fields: dict[str, Any]
) -> None:
    ((record, _),) = cut(api, client, b'{"items":[{"id":1}]}', max_pages=1, **fields)

    assert not is_cut(record)


LONE = pytest.mark.parametrize(
    ("record", "fields"),
    [
        ('{"text":"a","n":NUMBER}', {}),
        ('{"id":1,"n":NUMBER,"kind":"x"}', {"drop": ["kind == 'y'"]}),
        ('{"id":1,"source":"own","n":NUMBER}', {}),
    ],
    ids=["no identity", "drop", "own source"],
)
"""Records of a page that is cut which have to be decoded all the same, each alone."""


@LONE
@pytest.mark.parametrize("number", ["1e400", "-1e400", "1E+999", "2.5", str(2**70)])
def test_a_record_that_is_decoded_alone_is_decoded_as_its_page_would_be(
    api: FakeApi, client: Client, record: str, fields: dict[str, Any], number: str
) -> None:
    """A strict decoder takes fewer numbers than JSON allows."""
    content = record.replace("NUMBER", number)

    ((alone, text),) = cut(api, client, f'{{"items":[{content}]}}'.encode(), **fields)
    ((with_its_page, expected),) = cut(api, client, f'{{"items":\n[{content}]}}'.encode(), **fields)

    assert is_cut(alone)
    assert not is_cut(with_its_page)
    assert alone.key == with_its_page.key
    assert json.loads(text, parse_float=str) == json.loads(expected, parse_float=str)


@LONE
def test_a_number_of_too_many_digits_is_refused_alone_and_with_its_page(
    api: FakeApi, client: Client, record: str, fields: dict[str, Any]
) -> None:
    content = record.replace("NUMBER", "1" * 5000)

    for line_end in ("", "\n"):
        with pytest.raises(UnexpectedShapeError, match="4300"):
            cut(api, client, f'{{"items":{line_end}[{content}]}}'.encode(), **fields)


def test_a_page_that_is_the_list_itself_is_cut(api: FakeApi, client: Client) -> None:
    ((record, text),) = cut(api, client, b'[{"id":1}]', records_path="")

    assert is_cut(record)
    assert json.loads(text) == {"id": 1, "source": "testhttp"}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_page_with_bytes_that_are_no_text_is_refused_as_ever(api: FakeApi, client: Client, place: int) -> None:
    records = [b'{"id":1,"a":"%b"}' % (b"\xff" if number == place else b"") for number in range(3)]

    with pytest.raises(UnexpectedShapeError, match="not valid JSON"):
        cut(api, client, b'{"items":[%b]}' % b",".join(records))


@pytest.mark.parametrize("shift", range(4))
def test_letters_of_a_large_page_are_looked_at_in_whole(api: FakeApi, client: Client, shift: int) -> None:
    text = "a" * shift + "😀" * 150_000
    ((record, event),) = cut(api, client, f'{{"items":[{{"id":1,"a":"{text}"}}]}}'.encode())

    assert is_cut(record)
    assert json.loads(event)["a"] == text

    halved = text.encode() + b"\xf0\x9f"
    with pytest.raises(UnexpectedShapeError, match="not valid JSON"):
        cut(api, client, b'{"items":[{"id":1,"a":"%b"}]}' % halved)


@pytest.mark.parametrize("item", [b"1", b'"text"', b"[]", b"null"])
def test_a_page_with_a_record_that_is_no_object_is_decoded(api: FakeApi, client: Client, item: bytes) -> None:
    found = cut(api, client, b'{"items":[{"id":1},%b]}' % item)

    assert [record.value for record, _ in found] == [{"id": 1}, json.loads(item)]
    assert not any(is_cut(record) for record, _ in found)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
_records = st.dictionaries(st.sampled_from(["id", "t", "source", "tag", "a", "é"]), _values, max_size=5)


@given(st.lists(_records, max_size=6), st.sampled_from([(",", ":"), (", ", ": ")]), st.booleans())
def test_a_cut_page_gives_what_the_decoded_page_gives(
    records: list[dict[str, Any]], separators: tuple[str, str], ascii_only: bool
) -> None:
    document = {"items": records, "next": None}
    body = json.dumps(document, separators=separators, ensure_ascii=ascii_only).encode()

    def handler(asked: Any) -> Answer:
        # A line end between the values makes the page one that is decoded.
        return Answer(body=body if asked.path == "/cut" else body + b"\n")

    with FakeApi(handler) as server:
        given_out = {path: _given_by(f"{server.url}{path}") for path in ("/cut", "/decoded")}

    assert given_out["/cut"] == given_out["/decoded"]


def _given_by(url: str) -> list[tuple[bytes, list[Any]]]:
    source = source_of(local_client(), get(url), source="testhttp", tags=[{"tag": 1}], timestamp_path="t")
    return [
        (record.key, [json.loads(text) for text in source.writer.texts(record)])
        for batch in poll(source, SeenKeys())
        for record in batch.records
    ]
