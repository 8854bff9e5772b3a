"""The comparison of connectors: small real runs, and a judge that notices what was lost, repeated or changed."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.deliveries import Deliveries
from benchmarks.pages import PAGE_SIZE, Pages, a_day_ago
from benchmarks.roster import Roster
from benchmarks.targets import Target
from benchmarks.trials import Counterpart, counterpart, trial

REPOSITORY = Path(__file__).resolve().parents[2]
EVENTS = 2 * PAGE_SIZE


@pytest.fixture(scope="module")
def other() -> Iterator[Counterpart]:
    """A counterpart at work."""
    with counterpart(sys.executable) as running:
        yield running


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the connectors write, which share their bytecode."""
    return tmp_path_factory.mktemp("workshop")


@pytest.fixture(scope="module")
def roster(workshop: Path) -> Roster:
    """All contestants."""
    return Roster(workshop)


@pytest.fixture
def pages() -> Pages:
    """One page of events."""
    return Pages(PAGE_SIZE, a_day_ago())


def push(records: list[dict[str, Any]]) -> bytes:
    """The body of a push."""
    return json.dumps({"intake_key": "key", "jsons": [json.dumps(record) for record in records]}).encode()


@pytest.mark.parametrize("key", ["ours", "seed"])
def test_a_connector_delivers_each_event_once(key: str, roster: Roster, other: Counterpart, workshop: Path) -> None:
    contestant = next(one for one in roster.contestants() if one.key == key)

    result = trial(contestant, other, events=EVENTS, latency=0.0, workshop=workshop)

    assert (result.report.events, result.report.faults, result.report.errors) == (EVENTS, [], [])
    assert 0 < result.seconds < result.cpu + 60
    assert 0 < result.asked_cpu <= result.cpu
    assert result.peak > 20


def test_the_command_shows_a_row_and_keeps_the_samples(tmp_path: Path) -> None:
    file = tmp_path / "samples.json"
    command = [sys.executable, "-m", "benchmarks", "--only", "bare", "--events", str(EVENTS), "--latency", "0"]

    run = subprocess.run(
        [*command, "--json", str(file)], cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False
    )

    assert run.returncode == 0, run.stderr
    assert "bare loop, no guarantees" in run.stdout
    (row,) = json.loads(file.read_text(encoding="utf-8"))["rows"]
    (scenario,) = row["scenarios"]
    assert scenario["events_per_second"] > 0
    assert [sample["report"]["faults"] for sample in scenario["samples"]] == [[]]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_faithful_delivery_has_no_faults(pages: Pages, compressed: bool) -> None:
    body = push([{**record, "source": "testhttp"} for record in pages.records(0)])
    deliveries = Deliveries()

    count = deliveries.take(gzip.compress(body) if compressed else body, compressed=compressed)

    assert count == PAGE_SIZE
    assert list(deliveries.faults(pages)) == []


def test_what_is_lost_or_comes_again_is_a_fault(pages: Pages) -> None:
    records = pages.records(0)
    deliveries = Deliveries()
    deliveries.take(push(records[1:]), compressed=False)
    deliveries.take(push(records[-2:]), compressed=False)

    assert list(deliveries.faults(pages)) == ["1 of 1000 events did not arrive", "2 events arrived again"]


def test_what_is_changed_or_was_never_given_is_a_fault(pages: Pages) -> None:
    records = [dict(record) for record in pages.records(0)]
    records[0]["action"] = "other"
    records[1]["extra"] = 1
    records[2]["id"] = "evt-002-000007"
    deliveries = Deliveries()
    deliveries.take(push(records), compressed=False)

    assert list(deliveries.faults(pages)) == [
        "1 of 1000 events did not arrive",
        "1 events arrived that the API never gave",
        "3 events arrived changed, of those that were compared in full",
    ]


def test_pages_hold_records_of_about_a_kilobyte_with_an_id_and_a_time_each() -> None:
    pages = Pages(2 * PAGE_SIZE, a_day_ago())
    records = pages.records(0) + pages.records(1)

    assert len({record["id"] for record in records}) == len({record["time"] for record in records}) == 2 * PAGE_SIZE
    assert 1_100 < len(pages.body(0)) / PAGE_SIZE < 1_200
    assert [json.loads(pages.body(number))["next_cursor"] for number in (0, 1, 2)] == ["1", None, None]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(what="speed", value=6.0, least=6.0), "pass  speed: 6.0 (at least 6)"),
        (Target(what="speed", value=5.9, least=6.0), "MISS  speed: 5.9 (at least 6)"),
        (Target(what="cost", value=0.25, most=0.2, form=".2f"), "MISS  cost: 0.25 (at most 0.2)"),
        (Target(what="peak", value=1.0, least=0.9, most=1.1), "pass  peak: 1.0 (at least 0.9 and at most 1.1)"),
    ],
)
def test_a_target_says_whether_it_was_met(target: Target, words: str) -> None:
    assert str(target) == words
