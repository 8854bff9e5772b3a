"""Whether anything has changed is asked of servers that can tell, and the answer is never relied on too far."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from msgspec.structs import replace

from httpkit.client import Client
from httpkit.errors import UnexpectedShapeError
from httpkit.freshness import SeenKeys
from httpkit.values import Batch, Position
from tests.core.clients import local_client
from tests.core.polls import get, poll, records_of, source_of
from tests.fake_api import Answer, Asked, FakeApi

LONG_AGO = "Tue, 06 Jan 2026 10:00:00 GMT"


class Feed:
    """A server that knows of conditions, and what it holds."""

    def __init__(self) -> None:
        self.version = 1
        self.items = [{"id": 1}]
        self.validators: dict[str, str] = {}

    def __call__(self, asked: Asked) -> Answer:
        headers = self.validators or {"ETag": f'"v{self.version}"', "Last-Modified": LONG_AGO}
        if asked.headers.get("if-none-match") == f'"v{self.version}"':
            return Answer(status=304, body=b"", headers=headers)
        return Answer(json={"items": self.items}, headers=headers)

    def change(self, identity: int) -> None:
        """One more record."""
        self.version += 1
        self.items = [*self.items, {"id": identity}]


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def api(feed: Feed) -> Iterator[FakeApi]:
    with FakeApi(feed) as api:
        yield api


@pytest.fixture
def client() -> Client:
    return local_client()


def conditions(api: FakeApi) -> list[tuple[str | None, str | None]]:
    """The conditions of all requests."""
    return [(one.headers.get("if-none-match"), one.headers.get("if-modified-since")) for one in api.asked]


def poll_again(api: FakeApi, client: Client, batches: list[Batch], seen: SeenKeys, **fields: Any) -> list[Batch]:
    """The poll after another one, in a process that was started again."""
    return poll(source_of(client, get(api.url), **fields), seen, batches[-1].position)


def test_the_second_poll_asks_only_for_changes_and_304_is_nothing_new(api: FakeApi, client: Client) -> None:
    seen = SeenKeys()
    first = poll(source_of(client, get(api.url)), seen)
    second = poll_again(api, client, first, seen)

    assert conditions(api) == [(None, None), ('"v1"', LONG_AGO)]
    assert [batch.received for batch in second] == [0]
    assert second[-1].complete
    assert second[-1].position.window is None
    assert second[-1].position.watermark >= first[-1].position.watermark  # type: ignore[operator]
    assert second[-1].position.validators == first[-1].position.validators


def test_what_is_new_after_a_304_is_found(api: FakeApi, client: Client, feed: Feed) -> None:
    seen = SeenKeys()
    batches = poll(source_of(client, get(api.url)), seen)
    batches = poll_again(api, client, batches, seen)
    feed.change(2)
    batches = poll_again(api, client, batches, seen)

    assert records_of(batches) == [{"id": 2}]
    assert conditions(api)[-1] == ('"v1"', LONG_AGO)
    batches = poll_again(api, client, batches, seen)
    assert conditions(api)[-1] == ('"v2"', LONG_AGO)


def test_an_answer_that_cannot_be_read_is_not_relied_on(api: FakeApi, client: Client) -> None:
    api.handler = lambda _: Answer(json="oops", headers={"ETag": '"broken"'})
    source = source_of(client, get(api.url))
    with pytest.raises(UnexpectedShapeError):
        poll(source, SeenKeys())
    with pytest.raises(UnexpectedShapeError):
        poll(source, SeenKeys())

    assert conditions(api) == [(None, None)] * 2


def test_records_that_were_not_remembered_come_again(api: FakeApi, client: Client) -> None:
    """The position is remembered with the records, so before that nothing is conditional."""
    source = source_of(client, get(api.url))
    first = list(source.poll(SeenKeys(), Position()))
    second = list(source.poll(SeenKeys(), Position()))

    assert records_of(first) == records_of(second) == [{"id": 1}]
    assert conditions(api) == [(None, None)] * 2


def test_with_other_settings_everything_is_read_again(api: FakeApi, client: Client) -> None:
    seen = SeenKeys()
    first = poll(source_of(client, get(api.url), drop=["id == `1`"]), seen)
    second = poll_again(api, client, first, seen)

    assert records_of(first) == []
    assert records_of(second) == [{"id": 1}]
    assert conditions(api) == [(None, None)] * 2


@pytest.mark.parametrize(
    "fields",
    [
        {"pagination": "page", "max_pages": 1},
        {"deduplicate": False},
        {"only_in_window": True, "timestamp_path": "at"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_where_one_answer_is_not_all_there_is_nothing_is_conditional(
    api: FakeApi, client: Client, fields: dict[str, Any]
) -> None:
    source, position = source_of(client, get(api.url), **fields), Position()
    for _ in range(2):
        position = replace(poll(source, SeenKeys(), position)[-1].position, window=None)

    assert conditions(api) == [(None, None)] * 2


def test_a_source_that_is_asked_for_a_time_is_not_conditional(api: FakeApi, client: Client) -> None:
    source = source_of(client, get(api.url, since_parameter="since"))
    position = poll(source, SeenKeys())[-1].position
    poll(source, SeenKeys(), position)

    assert conditions(api) == [(None, None)] * 2


def test_a_condition_of_the_user_stays_alone(api: FakeApi, client: Client) -> None:
    source = source_of(client, get(api.url, headers={"If-None-Match": '"mine"'}))
    position = poll(source, SeenKeys())[-1].position
    poll(source, SeenKeys(), position)

    assert conditions(api) == [('"mine"', None)] * 2


@pytest.mark.parametrize(
    ("last_modified", "counts"),
    [
        (format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), False),
        (LONG_AGO, True),
        ("yesterday", False),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", False),
        ("Mon, 01 Jan 2024 00:00:00 -0000", True),
    ],
    ids=["not over", "over", "no date", "no zone on earth", "no zone told"],
)
def test_the_last_change_counts_only_once_its_second_is_over(
    api: FakeApi, client: Client, feed: Feed, last_modified: str, counts: bool
) -> None:
    """In the same second there may be a further change, which nobody would ever see."""
    feed.validators = {"Last-Modified": last_modified}
    seen = SeenKeys()
    first = poll(source_of(client, get(api.url)), seen)
    poll_again(api, client, first, seen)

    assert conditions(api)[1] == (None, last_modified if counts else None)


def test_after_many_unchanged_polls_no_key_is_forgotten(api: FakeApi, client: Client, feed: Feed) -> None:
    seen = SeenKeys(limit=2)
    feed.items = [{"id": number} for number in range(10)]
    batches = poll(source_of(client, get(api.url)), seen)
    for _ in range(5):
        batches = poll_again(api, client, batches, seen)
    feed.change(10)
    batches = poll_again(api, client, batches, seen)

    assert records_of(batches) == [{"id": 10}]
