"""An API that changes its answers: told from a quiet one, and never taken for one."""

from typing import Any

import pytest

from httpkit.client import Client
from httpkit.errors import UnexpectedShapeError
from httpkit.freshness import SeenKeys
from httpkit.values import Position
from tests.core.polls import get, poll, source_of
from tests.fake_api import Answer, FakeApi

Records = list[dict[str, Any]]
GOOD: Records = [{"id": 1, "t": "2026-01-01T00:00:00Z"}, {"id": 2, "t": "2026-01-01T00:01:00Z"}]


class Reader:
    """Polls one source again and again, whatever the API answers."""

    def __init__(self, api: FakeApi, client: Client, **fields: Any) -> None:
        self.api = api
        self.source = source_of(client, get(api.url), **{"timestamp_path": "t", **fields})
        self.seen = SeenKeys()
        self.position = Position()

    def poll(self, records: Records) -> list[Any]:
        """What one poll of these records gives."""
        self.api.handler = lambda _: Answer(json={"items": records})
        batches = poll(self.source, self.seen, self.position)
        self.position = batches[-1].position
        return [record.value for batch in batches for record in batch.records]


@pytest.fixture
def reader(api: FakeApi, client: Client) -> Reader:
    return Reader(api, client)


def test_records_that_suddenly_have_no_identity_are_an_error(reader: Reader) -> None:
    reader.poll(GOOD)
    before = reader.position

    with pytest.raises(UnexpectedShapeError, match="id_path 'id'"):
        reader.poll([{"uuid": 3, "t": "2026-01-01T00:02:00Z"}, {"uuid": 4, "t": "2026-01-01T00:02:00Z"}])
    assert reader.position == before


@pytest.mark.parametrize("time", [None, "", "yesterday", {}, True])
def test_records_whose_time_suddenly_cannot_be_read_are_an_error(reader: Reader, time: Any) -> None:
    reader.poll(GOOD)

    with pytest.raises(UnexpectedShapeError, match="timestamp_path 't'"):
        reader.poll([{"id": 3, "t": time}, {"id": 4}])


def test_once_the_api_is_as_before_reading_goes_on(reader: Reader) -> None:
    reader.poll(GOOD)
    with pytest.raises(UnexpectedShapeError):
        reader.poll([{"n": 3, "t": "2026-01-01T00:02:00Z"}, {"n": 4, "t": "2026-01-01T00:02:00Z"}])

    assert reader.poll([{"id": 3, "t": "2026-01-01T00:02:00Z"}]) == [{"id": 3, "t": "2026-01-01T00:02:00Z"}]


def test_some_records_without_an_identity_are_no_drift(reader: Reader) -> None:
    """From then on the API is known for such records, also for a whole page of them."""
    reader.poll(GOOD)

    assert len(reader.poll([{"id": 3, "t": "2026-01-01T00:00:00Z"}, {"t": "2026-01-01T00:00:00Z"}])) == 2
    assert len(reader.poll([{"n": 1, "t": "2026-01-01T00:00:00Z"}])) == 1


def test_an_api_that_never_had_identities_or_times_is_read_as_ever(reader: Reader) -> None:
    assert len(reader.poll([{"n": 1}])) == 1
    assert len(reader.poll([{"n": 2}])) == 1


def test_a_single_odd_record_is_taken_where_less_cannot_be_asked_for(reader: Reader) -> None:
    """Otherwise it would never be passed, and everything after it would be lost."""
    reader.poll(GOOD)

    assert len(reader.poll([{"id": 3, "t": None}])) == 1


def test_an_empty_page_is_no_drift(reader: Reader) -> None:
    reader.poll(GOOD)

    assert reader.poll([]) == []


def test_without_deduplication_identities_do_not_matter(api: FakeApi, client: Client) -> None:
    reader = Reader(api, client, deduplicate=False, timestamp_path="")
    reader.poll(GOOD)

    assert len(reader.poll([{"n": 1}])) == 1


def test_drift_on_a_later_page_keeps_what_earlier_pages_gave(api: FakeApi, client: Client) -> None:
    pages = {"1": GOOD, "2": [{"n": 3}, {"n": 4}]}
    api.handler = lambda asked: Answer(json={"items": pages[asked.params["page"]]})
    source, seen = source_of(client, get(api.url), pagination="page"), SeenKeys()
    batches = source.poll(seen, Position())

    assert [record.value for record in next(batches).records] == GOOD
    with pytest.raises(UnexpectedShapeError, match="id_path"):
        next(batches)
