"""The rules of the sample API: one growing log, paged in five ways, and a list of entries."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.sample.audit_log import AuditLog, latest_entries
from tests.relay.live_relay import LiveRelay

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SIGNED_IN = {"Authorization": "Bearer anything"}
LOG_PATHS = ["/sample/link", "/sample/next", "/sample/cursor", "/sample/page", "/sample/offset"]
Pages = list[list[dict[str, Any]]]


def until_now() -> dict[str, str]:
    """Bounds that hold the growing log still while it is paged."""
    return {"until": datetime.now(UTC).isoformat(), "limit": "50"}


def ask(relay: LiveRelay, path: str, params: dict[str, str]) -> Any:
    answer = relay.call("GET", path, params=params, headers=SIGNED_IN)
    assert answer.status_code == 200
    return answer


def read_by_link(relay: LiveRelay, params: dict[str, str]) -> Pages:
    answer = ask(relay, "/sample/link", params)
    pages = [answer.json()]
    while "next" in answer.links:
        answer = relay.call("GET", answer.links["next"]["url"].removeprefix(relay.url), headers=SIGNED_IN)
        pages.append(answer.json())
    return pages


def read_by_next_url(relay: LiveRelay, params: dict[str, str]) -> Pages:
    body = ask(relay, "/sample/next", params).json()
    pages = [body["items"]]
    while body["next"]:
        body = relay.call("GET", body["next"].removeprefix(relay.url), headers=SIGNED_IN).json()
        pages.append(body["items"])
    return pages


def read_by_cursor(relay: LiveRelay, params: dict[str, str]) -> Pages:
    body = ask(relay, "/sample/cursor", params).json()
    pages = [body["data"]]
    while body["next_cursor"]:
        body = ask(relay, "/sample/cursor", {**params, "cursor": body["next_cursor"]}).json()
        pages.append(body["data"])
    return pages


def read_by_page(relay: LiveRelay, params: dict[str, str]) -> Pages:
    body = ask(relay, "/sample/page", params).json()
    pages = [body["results"]]
    numbers = range(2, body["pages"] + 1)
    pages += [ask(relay, "/sample/page", {**params, "page": str(number)}).json()["results"] for number in numbers]
    assert sum(map(len, pages)) == body["total"]
    return pages


def read_by_offset(relay: LiveRelay, params: dict[str, str]) -> Pages:
    body = ask(relay, "/sample/offset", params).json()
    pages = [body["records"]]
    while (offset := sum(map(len, pages))) < body["total"]:
        pages.append(ask(relay, "/sample/offset", {**params, "offset": str(offset)}).json()["records"])
    return pages


STYLES = [read_by_link, read_by_next_url, read_by_cursor, read_by_page, read_by_offset]


@pytest.mark.parametrize("read", STYLES)
def test_every_style_gives_every_record_once_and_in_order(
    relay: LiveRelay, read: Callable[[LiveRelay, dict[str, str]], Pages]
) -> None:
    bounds = until_now()
    pages = read(relay, bounds)
    records = [record for page in pages for record in page]
    assert len(records) in (119, 120, 121, 122)
    assert [len(page) for page in pages[:-1]] == [50] * (len(pages) - 1)
    assert [record["time"] for record in records] == sorted(record["time"] for record in records)
    assert len({record["id"] for record in records}) == len(records)
    assert records == [record for page in read_by_cursor(relay, bounds) for record in page]


@pytest.mark.parametrize("path", LOG_PATHS)
@pytest.mark.parametrize("header", [None, "Bearer", "Bearer  ", "Basic x"])
def test_the_log_asks_for_a_bearer_token(relay: LiveRelay, path: str, header: str | None) -> None:
    answer = relay.call("GET", path, headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.json()["error"].startswith("Authorization: ")


@pytest.mark.parametrize("path", LOG_PATHS)
@pytest.mark.parametrize(
    "params",
    [{"limit": "0"}, {"limit": "501"}, {"limit": "x"}, {"since": "yesterday"}, {"since": "2026-11-22T00:00:00"}],
)
def test_a_wrong_parameter_is_refused_by_its_name(relay: LiveRelay, path: str, params: dict[str, str]) -> None:
    answer = relay.call("GET", path, params=params, headers=SIGNED_IN)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(next(iter(params)))


@pytest.mark.parametrize("cursor", ["zzz", "é", "ZnJvbTp4", "====", "ZnJvbTotNQ", "9" * 500])
def test_a_cursor_from_elsewhere_is_refused(relay: LiveRelay, cursor: str) -> None:
    answer = relay.call("GET", "/sample/cursor", params={"cursor": cursor}, headers=SIGNED_IN)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("cursor: ")


@pytest.mark.parametrize(
    ("path", "params"), [("/sample/page", {"page": "9999"}), ("/sample/offset", {"offset": "9999"})]
)
def test_past_the_end_there_is_an_empty_page(relay: LiveRelay, path: str, params: dict[str, str]) -> None:
    body = ask(relay, path, params).json()
    assert body.get("results", body.get("records")) == []
    assert body["total"] >= 120


def test_bounds_choose_the_records_in_between(relay: LiveRelay) -> None:
    records = ask(relay, "/sample/cursor", until_now()).json()["data"]
    bounds = {"since": records[3]["time"], "until": records[6]["time"]}
    assert ask(relay, "/sample/cursor", bounds).json() == {"data": records[3:6], "next_cursor": None}


def test_bounds_that_hold_nothing_give_an_empty_page(relay: LiveRelay) -> None:
    bounds = {"since": "2999-01-01T00:00:00Z", "until": "1999-01-01T00:00:00Z"}
    assert ask(relay, "/sample/cursor", bounds).json() == {"data": [], "next_cursor": None}


def test_entries_need_no_token_and_are_newest_first(relay: LiveRelay) -> None:
    entries = relay.call("GET", "/sample/entries").json()
    assert len(entries) == 20
    assert [set(entry) for entry in entries] == [{"id", "value", "timestamp"}] * 20
    assert [entry["id"] for entry in entries] == sorted((entry["id"] for entry in entries), reverse=True)


def test_the_guide_lists_every_address(relay: LiveRelay) -> None:
    addresses = relay.call("GET", "/sample").json()["addresses"]
    assert set(addresses) == {*LOG_PATHS, "/sample/entries"}
    assert all(relay.call("GET", path, headers=SIGNED_IN).status_code == 200 for path in addresses)


def test_the_log_starts_with_120_records_and_gains_two_per_second() -> None:
    log = AuditLog(seed="s", started=NOON)
    assert log.end(NOON) - log.first == 120
    assert log.end(NOON + timedelta(seconds=10)) - log.first == 140
    assert log.end(NOON - timedelta(days=1)) - log.first == 120


def test_a_record_never_changes_and_keeps_its_id_across_restarts() -> None:
    before, after = AuditLog(seed="s", started=NOON), AuditLog(seed="s", started=NOON + timedelta(seconds=30))
    number = after.first
    assert before.record(number) == after.record(number)
    assert before.record(number) != AuditLog(seed="other", started=NOON).record(number)


def test_no_record_lies_in_the_future() -> None:
    log = AuditLog(seed="s", started=NOON)
    now = NOON + timedelta(seconds=7.3)
    newest = datetime.fromisoformat(log.record(log.end(now) - 1).time)
    assert now - timedelta(seconds=0.5) < newest <= now


def test_a_new_entry_appears_every_five_seconds() -> None:
    before, after = latest_entries("s", NOON), latest_entries("s", NOON + timedelta(seconds=5))
    assert after[1:] == before[:-1]
    assert latest_entries("s", NOON + timedelta(seconds=4.9)) == before
    assert before[0].timestamp == NOON.timestamp()
