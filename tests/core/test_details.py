"""One further request per new record."""

from typing import Any

import pytest

from httpkit.client import Client
from httpkit.details import DetailSettings
from httpkit.errors import SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.freshness import SeenKeys
from httpkit.source import Source
from httpkit.values import JsonValue
from tests.core.polls import get, items, poll, source_of
from tests.fake_api import Answer, Asked, FakeApi


def detailed(api: FakeApi, client: Client, **fields: Any) -> Source:
    """A source whose records are completed."""
    detail = DetailSettings(detail_url=f"{api.url}/alerts/{{id}}", **fields)
    return source_of(client, get(f"{api.url}/alerts"), detail=detail)


def events(source: Source, seen: SeenKeys | None = None) -> list[JsonValue]:
    """The events of one poll."""
    batches = poll(source, SeenKeys() if seen is None else seen)
    return [event for batch in batches for record in batch.records for event in source.events(record)]


def listing(*ids: int) -> Any:
    """An API that lists identities and gives the rest one by one; 404 for number 3."""

    def answer(asked: Asked) -> Answer:
        if asked.path == "/alerts":
            return Answer(json={"items": items(*ids)})
        number = int(asked.path.rpartition("/")[2])
        return Answer(status=404) if number == 3 else Answer(json={"id": number, "title": f"alert {number}"})

    return answer


def test_a_detail_is_merged_into_its_record_in_order(api: FakeApi, client: Client) -> None:
    api.handler = listing(*range(10, 30))

    assert events(detailed(api, client)) == [{"id": number, "title": f"alert {number}"} for number in range(10, 30)]


def test_a_detail_that_is_gone_leaves_the_record_as_it_is(api: FakeApi, client: Client) -> None:
    api.handler = listing(1, 3)

    assert events(detailed(api, client)) == [{"id": 1, "title": "alert 1"}, {"id": 3}]


def test_only_new_records_are_completed(api: FakeApi, client: Client) -> None:
    api.handler = listing(1, 2)
    source, seen = detailed(api, client), SeenKeys()

    events(source, seen)
    api.asked.clear()
    events(source, seen)

    assert [asked.path for asked in api.asked] == ["/alerts"]


def test_a_detail_can_replace_its_record(api: FakeApi, client: Client) -> None:
    api.handler = lambda asked: Answer(json={"items": [{"id": 1, "a": 1}]} if asked.path == "/alerts" else {"b": 2})

    assert events(detailed(api, client, detail_mode="replace")) == [{"b": 2}]


def test_a_detail_can_be_a_list_of_events(api: FakeApi, client: Client) -> None:
    api.handler = lambda asked: Answer(
        json={"items": items(1, 2)} if asked.path == "/alerts" else [{"n": 1}, {"n": 2}]
    )

    assert events(detailed(api, client, detail_mode="records")) == [{"n": 1}, {"n": 2}, {"n": 1}, {"n": 2}]


def test_fields_of_the_record_go_into_the_parameters(api: FakeApi, client: Client) -> None:
    api.handler = lambda asked: Answer(json={"items": [{"id": 1, "kind": "x"}]} if asked.path == "/alerts" else {})

    events(detailed(api, client, detail_params={"kind": "{record.kind}", "absent": "{record.none}"}))

    assert api.asked[1].params["kind"] == "x"


def test_a_detail_that_cannot_be_read_fails_the_page(api: FakeApi, client: Client) -> None:
    api.handler = lambda asked: Answer(json={"items": items(1)}) if asked.path == "/alerts" else Answer(status=503)

    with pytest.raises(UnavailableError):
        events(detailed(api, client))


def test_parameters_without_a_url_are_refused(api: FakeApi, client: Client) -> None:
    with pytest.raises(SettingsError, match="detail_url"):
        source_of(client, get(api.url), detail=DetailSettings(detail_params={"a": 1}))


@pytest.mark.parametrize("odd", [r"\ud83d", r"a\nb"], ids=["half of a character", "two lines"])
def test_a_record_that_cannot_be_sent_is_an_unexpected_answer_and_no_wrong_setting(
    api: FakeApi, client: Client, odd: str
) -> None:
    listed = Answer(body=b'{"items":[{"id":1,"kind":"%s"}]}' % odd.encode(), headers={"Content-Type": "text/json"})
    api.handler = lambda asked: listed if asked.path == "/alerts" else Answer(json={})
    detail = DetailSettings(detail_url=f"{api.url}/detail", detail_params={"kind": "{record.kind}"})
    request = get(f"{api.url}/alerts", headers={"X-Kind": "{record.kind}"})

    with pytest.raises(UnexpectedShapeError, match=r"/detail: what the API gave for it cannot be sent"):
        events(source_of(client, request, detail=detail))
