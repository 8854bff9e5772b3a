"""RSS and Atom feeds are read as entries where that is wanted, and as XML where it is not."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from httpkit.feeds import feed_records, is_feed
from httpkit.formats import decode
from httpkit.values import Response

RSS = b"""<?xml version="1.0" encoding="utf-8"?>
<!-- advisories -->
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/">
 <channel><title>Advisories</title><link>https://example.com/</link>
  <item><title>A &amp; B</title><link>https://example.com/1</link><guid isPermaLink="false">adv-1</guid>
   <pubDate>Tue, 06 Jan 2026 10:00:00 +0100</pubDate><dc:creator>me</dc:creator><category>High</category>
   <description>&lt;p onclick="x()"&gt;Bad&lt;script&gt;y()&lt;/script&gt;&lt;/p&gt;</description></item>
  <item><description>only a description</description><link>/2</link></item>
  <item><title>no identity</title></item>
 </channel>
</rss>"""

ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><id>urn:f</id>
 <entry><id>urn:1</id><title type="html">&lt;b&gt;One&lt;/b&gt;</title>
  <published>2026-01-05T00:00:00Z</published><updated>2026-01-06T00:00:00Z</updated><link href="https://example.com/1"/>
 </entry></feed>"""

RDF = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
 <item rdf:about="https://example.com/1"><title>One</title><link>https://example.com/1</link></item></rdf:RDF>"""


def answer(body: bytes, kind: str = "application/rss+xml") -> Response:
    """An answer with a feed."""
    return Response(
        status=200,
        reason="OK",
        url="https://example.com/feeds/all",
        headers={"content-type": kind},
        body=body,
        elapsed=0.0,
        received_at=datetime.now(UTC),
    )


def test_the_items_of_an_rss_feed_are_entries() -> None:
    first, second, third = feed_records(answer(RSS))

    assert {name: first[name] for name in ("guid", "value", "timestamp", "title", "link", "published", "author")} == {
        "guid": "adv-1",
        "value": "A & B",
        "timestamp": 1_767_690_000,
        "title": "A & B",
        "link": "https://example.com/1",
        "published": "2026-01-06T09:00:00Z",
        "author": "me",
    }
    assert first["summary"] == "<p>Bad</p>"
    assert [tag["term"] for tag in first["tags"]] == ["High"]
    assert (second["value"], second["guid"]) == ("only a description", "https://example.com/2")
    assert "timestamp" not in second
    assert third == {"title": "no identity", "value": "no identity"}
    assert 0 < first["id"] < 2**53


@pytest.mark.parametrize(("body", "guid"), [(ATOM, "urn:1"), (RDF, "https://example.com/1")], ids=["atom", "rdf"])
def test_other_kinds_of_feeds_are_entries_too(body: bytes, guid: str) -> None:
    [record] = feed_records(answer(body))

    assert record["guid"] == guid
    assert record["value"] in {"<b>One</b>", "One"}
    assert record.get("timestamp") in {1_767_657_600, None}


def test_the_number_of_an_entry_depends_on_its_identity_alone() -> None:
    changed = RSS.replace(b"A &amp; B", b"C").replace(b"10:00:00", b"11:00:00")

    before, after = feed_records(answer(RSS)), feed_records(answer(changed))
    assert [one.get("id") for one in before] == [one.get("id") for one in after]
    assert len({one.get("id") for one in before}) == 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (RSS, True),
        (ATOM, True),
        (RDF, True),
        (b"\xef\xbb\xbf<rss/>", True),
        (b'<!DOCTYPE rss PUBLIC "-//X//DTD RSS 0.91//EN" "x.dtd"><rss version="0.91"></rss>', True),
        (b"<atom:feed xmlns:atom='http://www.w3.org/2005/Atom'/>", True),
        (b"<feedback><entry/></feedback>", False),
        (b"<items><rss/></items>", False),
        (b'{"a": "<rss>"}', False),
        (b"<!DOCTYPE html><html></html>", False),
        (b"", False),
    ],
)
def test_a_feed_is_known_by_its_root(body: bytes, expected: bool) -> None:
    assert is_feed(body) is expected


@pytest.mark.parametrize("part", [b"<!--a-->", b"<?a?>", b"<!DOCTYPE a>", b"<!DOCTYPE a [", b"<!--", b" "])
def test_no_body_makes_the_search_for_its_root_take_long(part: bytes) -> None:
    start = time.monotonic()
    assert not is_feed(part * 20_000 + b"<items/>")
    with pytest.raises(ValueError, match="without its end"):
        feed_records(answer(RSS[:-20] + b"</rss" + part * 500))
    assert time.monotonic() - start < 2


def test_a_feed_is_xml_like_any_other_unless_feeds_are_wanted() -> None:
    [channel] = decode(answer(RSS), "auto", limit=10**6)

    assert [item.get("title") for item in channel["item"]] == ["A & B", None, "no identity"]


@pytest.mark.parametrize("kind", ["application/rss+xml", "text/html", "text/plain; charset=iso-8859-1", ""])
def test_a_feed_is_read_whatever_type_the_server_says_it_has(kind: str) -> None:
    assert len(decode(answer(RSS, kind), "auto", limit=10**6, feeds=True)) == 3


@pytest.mark.parametrize("body", [RSS[:-20], RSS[:300], ATOM[:-60]])
def test_a_feed_that_was_cut_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="without its end"):
        feed_records(answer(body))


def test_a_feed_that_is_not_well_formed_is_read_all_the_same() -> None:
    body = b'<rss version="2.0"><channel><item><title>a & b</title><guid>1</guid></item></channel></rss>'

    assert [record["value"] for record in feed_records(answer(body))] == ["a & b"]


def test_a_feed_without_entries_is_no_records() -> None:
    assert feed_records(answer(b'<rss version="2.0"><channel><title>t</title></channel></rss>')) == []


def test_nothing_is_looked_up_for_a_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its address nor an entity from elsewhere; an entity that grows is not expanded."""
    body = (
        b'<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'
        b'<rss version="2.0"><channel><item><title>x&b;&c;</title><guid>1</guid></item></channel></rss>'
    )

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing may be opened")

    records = feed_records(answer(RSS))
    for name in ("socket.create_connection", "socket.socket.connect", "builtins.open"):
        monkeypatch.setattr(name, refuse)
    assert feed_records(answer(RSS)) == records
    [record] = feed_records(answer(body))
    assert "root:" not in record["value"]
    assert len(record["value"]) < 100
