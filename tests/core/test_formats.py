"""The formats of answers, read through a whole poll: what the records are, and what is refused."""

import gzip
from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import UnexpectedShapeError
from httpkit.freshness import SeenKeys
from tests.core.polls import get, in_turn, poll, records_of, source_of
from tests.fake_api import Answer, FakeApi

BOM = b"\xef\xbb\xbf"


def read_body(
    api: FakeApi, client: Client, body: bytes, response_format: str = "auto", *, kind: str = "", **fields: Any
) -> list[Any]:
    """The records of one answer with this body and content type."""
    api.handler = in_turn(Answer(body=body, headers={"Content-Type": kind} if kind else {}))
    fields = {"records_path": "", "id_path": "", **fields}
    source = source_of(client, get(api.url), response_format=response_format, **fields)
    return records_of(poll(source, SeenKeys()))


@pytest.mark.parametrize(
    ("body", "form", "kind", "expected"),
    [
        (b'{"a": 1}\n\n  {"a": 2}\n', "ndjson", "", [{"a": 1}, {"a": 2}]),
        (b'{"a": 1}\r\n{"a": 2}', "auto", "application/x-ndjson", [{"a": 1}, {"a": 2}]),
        (b'{"a": 1}\n{"a": 2}', "auto", "text/plain", [{"a": 1}, {"a": 2}]),
        (b'\x1e{"a": 1}\n\x1e{"a": 2}\n', "auto", "application/json-seq", [{"a": 1}, {"a": 2}]),
        (BOM + b'{"a": 1}', "ndjson", "", [{"a": 1}]),
        (BOM + b'[{"a": 1}]', "json", "", [{"a": 1}]),
        (b"a,b\n1,x\n2,\n", "csv", "", [{"a": "1", "b": "x"}, {"a": "2", "b": ""}]),
        (BOM + b"a;b\r\n1;x\r\n", "auto", "text/csv; charset=utf-8", [{"a": "1", "b": "x"}]),
        (b'"a,b";c\n1;"x\ny"\n', "csv", "", [{"a,b": "1", "c": "x\ny"}]),
        (b"\na,b\n1,2,\n3\n", "csv", "", [{"a": "1", "b": "2"}, {"a": "3", "b": None}]),
        (b"a,b\n", "csv", "", []),
        (b"one\n\ntwo\x1epart\n", "text", "", ["one", "two\x1epart"]),
        (BOM + "é\u2028one\r\ntwo".encode(), "text", "text/plain; charset=utf-8", ["é\u2028one", "two"]),
        (b'<r><e id="1"><n>x</n><n>y</n></e><e>z</e></r>', "xml", "", [{"@id": "1", "n": ["x", "y"]}, "z"]),
        (b"<r xmlns='u'><e><n/></e></r>", "auto", "application/atom+xml", [{"n": ""}]),
        (b'[{"a": 1}]', "auto", "text/xml", [{"a": 1}]),
        (gzip.compress(b'[{"a": 1}]', mtime=0), "auto", "application/octet-stream", [{"a": 1}]),
        (
            gzip.compress(b'{"a": 1}\n', mtime=0) + gzip.compress(b'{"a": 2}\n', mtime=0),
            "ndjson",
            "",
            [{"a": 1}, {"a": 2}],
        ),
        (gzip.compress(b"", mtime=0), "auto", "", []),
    ],
)
def test_each_format_gives_its_records(
    api: FakeApi, client: Client, body: bytes, form: str, kind: str, expected: list[Any]
) -> None:
    assert read_body(api, client, body, form, kind=kind) == expected


@pytest.mark.parametrize("form", ["auto", "json", "ndjson", "csv", "xml", "text"])
@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_an_empty_body_is_no_records_in_any_format(api: FakeApi, client: Client, body: bytes, form: str) -> None:
    assert read_body(api, client, body, form, records_path="[].items[]") == []


@pytest.mark.parametrize("form", ["auto", "json", "ndjson", "csv", "xml", "text"])
@pytest.mark.parametrize("page", [b"<!DOCTYPE html><p>Sign in", b"\n<html><body>Sign in</body></html>"])
def test_a_page_for_people_is_never_records(api: FakeApi, client: Client, page: bytes, form: str) -> None:
    with pytest.raises(UnexpectedShapeError):
        read_body(api, client, page, form)


@pytest.mark.parametrize(
    ("body", "form", "words"),
    [
        (b'{"a": 1}\n{"a": ', "ndjson", "not valid NDJSON.*line 2"),
        (b"a,b\n1,2,3\n", "csv", "not valid CSV.*more cells than the header"),
        (b'a,b\n1,"x"y\n', "csv", "not valid CSV.*near line"),
        (b"<r><e></r>", "xml", "not valid XML"),
        (b"<!DOCTYPE r [<!ENTITY x 'y'>]><r><e>&x;</e></r>", "xml", "not valid XML"),
        (b"<r>" + b"<e>" * 20_000 + b"</e>" * 20_000 + b"</r>", "xml", "not valid XML"),
        (gzip.compress(b'[{"a": 1}]', mtime=0)[:-4], "auto", "damaged gzip"),
    ],
)
def test_a_broken_body_is_an_unexpected_answer(
    api: FakeApi, client: Client, body: bytes, form: str, words: str
) -> None:
    with pytest.raises(UnexpectedShapeError, match=words):
        read_body(api, client, body, form)


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b'{"id": 1}\n{"id": 2}\n{"next": "t"}\n', "ndjson"),
        (b"id,next\n1,\n2,\n,t\n", "csv"),
        (b"<r><e><id>1</id></e><e><id>2</id></e><e><next>t</next></e></r>", "xml"),
    ],
)
def test_paths_see_the_list_of_parsed_records_before_any_is_dropped(
    api: FakeApi, client: Client, body: bytes, form: str
) -> None:
    api.handler = in_turn(Answer(body=body), Answer(body=b""))
    source = source_of(
        client,
        get(api.url),
        records_path="",
        response_format=form,
        pagination="cursor",
        next_path="[-1].next",
        drop=["next && next != ''"],
    )

    assert [str(record["id"]) for record in records_of(poll(source, SeenKeys()))] == ["1", "2"]
    assert [asked.params.get("cursor") for asked in api.asked] == [None, "t"]


def test_lines_of_text_may_name_the_next_page_too(api: FakeApi, client: Client) -> None:
    api.handler = in_turn(Answer(body=b"one\ntwo\n"), Answer(body=b""))
    source = source_of(
        client, get(api.url), records_path="", response_format="text", pagination="cursor", next_path="last:@"
    )

    assert records_of(poll(source, SeenKeys())) == ["one", "two"]
    assert api.asked[1].params == {"cursor": "two"}


def test_an_integer_of_any_size_stays_exact(api: FakeApi, client: Client) -> None:
    huge = 2**53 + 1

    assert read_body(api, client, b'[{"id": %d}, {"id": %d}]' % (huge, 10**40)) == [{"id": huge}, {"id": 10**40}]
