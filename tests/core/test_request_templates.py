"""What the requests of a window consist of: placeholders, bounds, and the templates of follow-up pages."""

from datetime import UTC, datetime
from typing import Any

import pytest

from httpkit.client import Client
from httpkit.clocks import Clocks
from httpkit.errors import SettingsError
from httpkit.freshness import SeenKeys
from tests.core.polls import get, in_turn, page, poll, source_of
from tests.fake_api import Answer, Asked, FakeApi

NOW = datetime(2026, 2, 25, 6, 13, 20, 123000, tzinfo=UTC)
SCOPE = {"stream.name": "a b", "stream.n": 7, "stream.list": [1, None], "stream.none": None, "username": "u"}


def asked_for(api: FakeApi, client: Client, *answers: Answer, scope: Any = None, **fields: Any) -> list[Asked]:
    """The requests of one poll at a fixed time; request fields beside those of paging."""
    api.handler = in_turn(*(answers or (page(),)))
    names = {"headers", "params", "body", "body_format", "next_params", "next_body", "since_format", "method"}
    names |= {"since_parameter", "until_parameter"}
    request = {name: fields.pop(name) for name in names & set(fields)}
    path = fields.pop("path", "/items")
    clocks = Clocks(monotonic=NOW.timestamp, now=lambda: NOW)
    fields = {"start_from": "1 hour", **fields}
    poll(
        source_of(client, get(f"{api.url}{path}", **request), clocks=clocks, scope=scope or SCOPE, **fields),
        SeenKeys(),
    )
    return api.asked


def body_of(api: FakeApi, client: Client, body: Any, **fields: Any) -> Any:
    """The JSON body that a template gives."""
    return asked_for(api, client, method="post", body=body, **fields)[0].json


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{since}", "2026-02-25T05:13:20Z"),
        ("{until}", "2026-02-25T06:13:20Z"),
        ("{now:iso8601_us}", "2026-02-25T06:13:20.123000Z"),
        ("{since:%Y-%m-%d}", "2026-02-25"),
        ("{since:%H:%M}", "05:13"),
        ("{since:epoch}", 1771996400),
        ("{until:epoch_ms}", 1772000000123),
        ("at {until:epoch}", "at 1772000000"),
        ("{stream.n}", 7),
        ("n={stream.n}", "n=7"),
        ("{stream.list}", [1, None]),
        ("{stream.name}/{username}", "a b/u"),
        ("{stream.unknown}", "{stream.unknown}"),
        ("{unknown} {since.x} {} { since } {Since}", "{unknown} {since.x} {} { since } {Since}"),
        ('query { a(from: "{since:%Y}") { id } }', 'query { a(from: "2026") { id } }'),
        ("{{since:%Y}}", "{2026}"),
        ("{__class__} {since.__class__} {username!r} {0}", "{__class__} {since.__class__} {username!r} {0}"),
        ("", ""),
    ],
)
def test_a_placeholder_becomes_its_value(api: FakeApi, client: Client, template: str, expected: Any) -> None:
    assert body_of(api, client, {"a": template}) == {"a": expected}


@pytest.mark.parametrize("empty", ["{cursor}", "{page_size}", "{stream.none}"])
def test_a_field_whose_only_placeholder_is_empty_is_left_out(api: FakeApi, client: Client, empty: str) -> None:
    (asked,) = asked_for(
        api, client, method="post", params={"a": empty, "b": [empty, "c"]}, headers={"X-A": empty}, body={"n": [empty]}
    )

    assert (asked.params, asked.json) == ({"b": "c"}, {"n": []})
    assert "x-a" not in asked.headers


def test_placeholders_work_in_keys_and_deep_inside(api: FakeApi, client: Client) -> None:
    template = {
        "filter[{stream.name}]": [{"gt": "{since:epoch}", "{username}": {"x": ["{stream.n}", None, 1.5, True]}}]
    }

    expected = {"filter[a b]": [{"gt": 1771996400, "u": {"x": [7, None, 1.5, True]}}]}
    assert body_of(api, client, template) == expected


def test_placeholders_work_in_the_url_and_in_headers(api: FakeApi, client: Client) -> None:
    (asked,) = asked_for(api, client, path="/{username}/x?from={since:epoch}", headers={"X-{username}": "{stream.n}"})

    assert (asked.target, asked.headers["x-u"]) == ("/u/x?from=1771996400", "7")


def test_a_parameter_may_be_a_list(api: FakeApi, client: Client) -> None:
    (asked,) = asked_for(api, client, params={"a": ["{stream.n}", "x"], "b": True, "c": None})

    assert asked.target == "/items?a=7&a=x&b=true"


@pytest.mark.parametrize(
    ("form", "since"),
    [
        ("iso8601", "2026-02-25T05:13:20Z"),
        ("iso8601_ms", "2026-02-25T05:13:20.123Z"),
        ("iso8601_us", "2026-02-25T05:13:20.123000Z"),
        ("iso8601_offset", "2026-02-25T05:13:20+00:00"),
        ("epoch", "1771996400"),
        ("epoch_ms", "1771996400123"),
        ("%d.%m.%Y", "25.02.2026"),
    ],
)
def test_bounds_are_written_in_the_configured_form(api: FakeApi, client: Client, form: str, since: str) -> None:
    (asked,) = asked_for(api, client, since_parameter="from", params={"p": "{since}"}, since_format=form)

    assert asked.params == {"from": since, "p": since}


def test_bounds_may_stand_in_the_body(api: FakeApi, client: Client) -> None:
    fields = {"since_parameter": "body:range.from", "until_parameter": "body:range.to", "since_format": "epoch"}

    assert body_of(api, client, {"q": 1}, **fields) == {"q": 1, "range": {"from": 1771996400, "to": 1772000000}}


def test_a_text_body_is_sent_as_it_is_and_called_json(api: FakeApi, client: Client) -> None:
    (asked,) = asked_for(api, client, method="post", body='{"query": "{ a { id } }", "from": {since:epoch}}')

    assert asked.json == {"query": "{ a { id } }", "from": 1771996400}
    assert asked.headers["content-type"] == "application/json"


def test_a_text_body_keeps_the_type_that_is_configured_for_it(api: FakeApi, client: Client) -> None:
    (asked,) = asked_for(api, client, method="post", body="<q/>", headers={"content-type": "text/xml"})

    assert (asked.body, asked.headers["content-type"]) == (b"<q/>", "text/xml")


def test_a_text_body_that_is_one_placeholder_keeps_the_type_of_the_value(api: FakeApi, client: Client) -> None:
    assert body_of(api, client, "{stream.list}") == [1, None]


def test_a_list_may_be_the_body(api: FakeApi, client: Client) -> None:
    assert body_of(api, client, [{"a": "{stream.n}"}, "{cursor}"]) == [{"a": 7}]


def test_a_form_repeats_lists(api: FakeApi, client: Client) -> None:
    (asked,) = asked_for(
        api, client, method="post", body={"a": ["x", "y"], "from": "{since:epoch}"}, body_format="form"
    )

    assert asked.body == b"a=x&a=y&from=1771996400"


def test_half_of_a_character_goes_into_a_json_body_as_its_escape(api: FakeApi, client: Client) -> None:
    (asked,) = asked_for(api, client, method="post", body={"q": "ž", "half": "\ud83d"})

    assert asked.body.decode() == r'{"q": "\u017e", "half": "\ud83d"}'


@pytest.mark.parametrize(("body", "body_format"), [("half \ud83d", "json"), ({"half": "\ud83d"}, "form")])
def test_half_of_a_character_in_a_body_that_has_no_escapes_is_a_wrong_setting(
    api: FakeApi, client: Client, body: Any, body_format: str
) -> None:
    with pytest.raises(SettingsError, match="body: has half of a character"):
        asked_for(api, client, method="post", body=body, body_format=body_format)


def test_follow_up_templates_replace_parameters_bounds_and_page_size(api: FakeApi, client: Client) -> None:
    asked = asked_for(
        api,
        client,
        page(1, next="t"),
        page(2),
        params={"a": "1"},
        next_params={"b": "{stream.n}"},
        since_parameter="from",
        pagination="cursor",
        next_path="next",
        next_parameter="token",
        page_size=5,
        page_size_parameter="size",
    )

    assert asked[0].params == {"a": "1", "from": "2026-02-25T05:13:20Z", "size": "5"}
    assert asked[1].params == {"b": "7", "token": "t"}


def test_an_empty_follow_up_template_leaves_only_the_token(api: FakeApi, client: Client) -> None:
    fields = {"params": {"a": "1"}, "next_params": {}, "pagination": "cursor", "next_path": "next"}
    asked = asked_for(api, client, page(1, next="t"), page(2), **fields)

    assert asked[1].params == {"cursor": "t"}


def test_a_follow_up_body_replaces_the_body_and_keeps_the_parameters(api: FakeApi, client: Client) -> None:
    asked = asked_for(
        api,
        client,
        page(1, next="t"),
        page(2),
        method="post",
        params={"a": "1"},
        body={"from": "{since}"},
        next_body={"scroll": "{cursor}"},
        pagination="cursor",
        next_path="next",
    )

    assert (asked[1].json, asked[1].params) == ({"scroll": "t"}, {"a": "1"})


@pytest.mark.parametrize(
    ("style", "placeholder", "values"),
    [
        ("page", "{page}", [1, 2]),
        ("offset", "{offset}", [0, 2]),
        ("offset", "{offset_end}", [2, 4]),
        ("offset", "{offset}-{offset_end}", ["0-2", "2-4"]),
    ],
)
def test_what_a_template_places_itself_is_not_added(
    api: FakeApi, client: Client, style: str, placeholder: str, values: list[Any]
) -> None:
    asked = asked_for(
        api, client, page(1, 2), page(3), method="post", body={"at": placeholder}, pagination=style, page_size=2
    )

    assert [(one.params, one.json["at"]) for one in asked] == [({}, value) for value in values]


@pytest.mark.parametrize("name", ["since_parameter", "until_parameter"])
@pytest.mark.parametrize("place", ["body:", "header:", "body:a..b"])
def test_a_bound_without_a_place_is_refused(client: Client, name: str, place: str) -> None:
    with pytest.raises(SettingsError, match=name):
        source_of(client, get("https://a.test", **{name: place}))
