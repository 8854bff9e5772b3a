"""The relay's web page, over real HTTP and in a real browser."""

import gzip
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from relay.server import RunningServer, create_app
from relay.store import LogLine, Store

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMIUM_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "<img src=x onerror=\"document.title='taken over'\">"


@dataclass(frozen=True, kw_only=True, slots=True)
class Relay:
    """A running relay with one connector and one trigger that may talk to it."""

    store: Store
    url: str
    intake: int
    run: int

    def receive(self, *events: object) -> None:
        self.store.add_events(self.intake, [json.dumps(event) for event in events])

    def start_playbook(self, name: str, event: object) -> None:
        self.store.add_playbook_run(self.run, name=name, event=event, request_id=name, directory=None)

    def log(self, level: str, message: str) -> None:
        self.store.add_logs(self.run, [LogLine(date=None, level=level, message=message)])


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    store = Store(f"sqlite:///{tmp_path}/relay.sqlite3")
    with RunningServer(create_app(store)) as server:
        yield Relay(
            store=store,
            url=server.url,
            intake=store.open_intake(name="audit log", key="key"),
            run=store.open_run(component="NewEntriesTrigger", token="token", secrets={}),
        )
    store.close()


def overview(relay: Relay) -> dict[str, Any]:
    answer: dict[str, Any] = requests.get(f"{relay.url}/overview", timeout=10).json()
    return answer


def assets_of(relay: Relay) -> Sequence[str]:
    page = requests.get(relay.url, timeout=10).text
    return re.findall(r'(?:src|href)="(/static/[^"]+)"', page)


def test_the_page_loads_nothing_from_elsewhere(relay: Relay) -> None:
    answer = requests.get(relay.url, timeout=10)

    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert not re.findall(r'(?:src|href)="(?!/static/|#)', answer.text)


def test_every_static_file_exists_and_may_be_cached_for_long(relay: Relay) -> None:
    addresses = assets_of(relay)
    answers = [requests.get(relay.url + address, timeout=10) for address in addresses]

    assert {Path(address.partition("?")[0]).name for address in addresses} >= {"plotly.js", "page.css", "lists.js"}
    assert [answer.status_code for answer in answers] == [200] * len(addresses)
    assert all("immutable" in answer.headers["Cache-Control"] for answer in answers)


def test_a_static_file_is_compressed_for_those_who_accept_it(relay: Relay) -> None:
    address = f"{relay.url}/static/plotly.js"

    plain = requests.get(address, headers={"Accept-Encoding": "identity"}, timeout=10)
    with requests.get(address, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=10) as packed:
        body = packed.raw.read(decode_content=False)

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == plain.content


def test_an_unknown_static_file_is_not_found(relay: Relay) -> None:
    assert requests.get(f"{relay.url}/static/routes.py", timeout=10).status_code == 404


def test_the_rate_covers_ten_minutes_and_gaps_are_zeros(relay: Relay) -> None:
    relay.receive(1, 2, 3)

    rate = overview(relay)["rate"]

    counts = rate["counts"]
    assert (len(counts), rate["bucket_seconds"], sum(counts)) == (120, 5, 3)
    newest = datetime.fromisoformat(rate["start"]) + timedelta(seconds=5 * 120)
    assert abs(newest - datetime.now(UTC)) < timedelta(seconds=10)


def test_the_picture_stays_small_whatever_arrives(relay: Relay) -> None:
    relay.receive(*(["x" * 200_000] for _ in range(40)))
    relay.start_playbook("long", ["y" * 200_000])
    relay.log("info", "z" * 200_000)

    answer = requests.get(f"{relay.url}/overview", timeout=10)

    assert len(answer.content) < 300_000
    assert [event["cut"] for event in answer.json()["events"]] == [True] * 20


def test_a_failed_component_is_shown_as_failed(relay: Relay) -> None:
    relay.store.start_run(relay.run)
    relay.store.finish_run(relay.run, results=None, error="no such host", logs=None)

    component = overview(relay)["components"][0]

    assert (component["state"], component["error"]) == ("failed", "no such host")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).is_file():
        reason = f"there is no browser at {CHROMIUM}; install Debian's chromium or set CHROMIUM"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in Paris; an error in its scripts fails the test."""
    context = browser.new_context(locale="en-GB", timezone_id="Europe/Paris")
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    yield opened
    context.close()
    assert problems == []


def test_a_new_relay_says_what_to_do(relay: Relay, page: Page) -> None:
    page.goto(relay.url)

    expect(page.get_by_role("heading", name="Nothing has arrived yet")).to_be_visible()
    expect(page.get_by_text(f"INTAKE_URL={relay.url}/sekoia/intake")).to_be_visible()
    expect(page.get_by_text("No event has arrived.")).to_be_visible()


def test_what_arrives_appears_without_a_reload(relay: Relay, page: Page) -> None:
    page.goto(relay.url)
    expect(page.get_by_text("No event has arrived.")).to_be_visible()

    relay.receive({"id": 1}, {"id": 2})
    relay.start_playbook("Pushing 3 new entries", {"entries": [1, 2, 3]})
    relay.log("warning", "The API is slow")

    expect(page.locator("#total-events")).to_have_text("2")
    expect(page.locator("#total-playbook-runs")).to_have_text("1")
    expect(page.get_by_role("region", name="Latest events").get_by_role("row")).to_have_count(3)
    expect(page.get_by_role("cell", name="Pushing 3 new entries")).to_be_visible()
    expect(page.get_by_role("cell", name="The API is slow")).to_be_visible()
    expect(page.get_by_role("heading", name="Nothing has arrived yet")).to_be_hidden()


def test_what_arrives_is_text_and_never_markup(relay: Relay, page: Page) -> None:
    relay.receive({"message": HOSTILE})
    relay.start_playbook(HOSTILE, {"message": HOSTILE})
    relay.log(HOSTILE, HOSTILE)
    page.goto(relay.url)

    page.get_by_role("region", name="Latest events").locator("summary").click()

    expect(page.get_by_label("Whole event")).to_contain_text("onerror")
    assert page.locator("main img").count() == 0
    assert page.title() == "Relay"


def test_an_event_unfolds_and_stays_open_while_others_arrive(relay: Relay, page: Page) -> None:
    relay.receive({"id": 1, "actor": {"name": "amelie"}})
    page.goto(relay.url)
    page.get_by_role("region", name="Latest events").locator("summary").press("Enter")

    relay.receive(*({"id": number} for number in range(100, 140)))

    expect(page.locator("#total-events")).to_have_text("41")
    expect(page.get_by_label("Whole event")).to_have_text('{\n  "id": 1,\n  "actor": {\n    "name": "amelie"\n  }\n}')


def test_the_chart_grows_as_events_arrive(relay: Relay, page: Page) -> None:
    page.goto(relay.url)
    bars = page.locator("#chart .bars .point")
    expect(bars).to_have_count(120)
    expect(page.locator("#rate-summary")).to_contain_text("0 events in the last 10 minutes")

    relay.receive(*range(50))

    expect(page.locator("#rate-summary")).to_contain_text("50 events in the last 10 minutes, at most 10.0 per second")
    expect(page.locator("#chart .ytitle")).to_have_text("Events per second")
    expect(page.locator("#chart .xtitle")).to_have_text("Time received (Europe/Paris)")
    page.wait_for_function(
        "[...document.querySelectorAll('#chart .bars .point path')].some(bar => bar.getBBox().height > 100)"
    )


def test_times_are_the_viewers_and_the_title_is_utc(relay: Relay, page: Page) -> None:
    relay.receive({"id": 1})
    page.goto(relay.url)

    shown = page.get_by_role("region", name="Latest events").locator("time")
    title = shown.get_attribute("title") or ""

    assert title.endswith(" UTC")
    received = datetime.fromisoformat(title.removesuffix(" UTC")).replace(tzinfo=UTC)
    # Paris is one or two hours ahead, so the hour always differs.
    assert not shown.inner_text().endswith(received.strftime("%H:%M:%S"))
    assert shown.inner_text().endswith(received.strftime(":%M:%S"))


def test_the_page_says_when_the_relay_is_away_and_recovers(tmp_path: Path, page: Page) -> None:
    store = Store(f"sqlite:///{tmp_path}/relay.sqlite3")
    with RunningServer(create_app(store)) as server:
        port = server.port
        page.goto(server.url)
        expect(page.get_by_role("status")).to_have_text("live")
    expect(page.get_by_role("status")).to_have_text("relay not reachable, retrying", timeout=15_000)

    with RunningServer(create_app(store), port=port):
        expect(page.get_by_role("status")).to_have_text("live", timeout=15_000)
    store.close()


def test_the_page_fits_a_narrow_screen(relay: Relay, page: Page) -> None:
    relay.receive({"text": "long " * 200})
    relay.log("error", "a-word-without-any-space" * 30)
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(relay.url)
    expect(page.locator("#total-events")).to_have_text("1")

    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_nothing_but_the_map_style_of_the_chart_library_is_blocked(relay: Relay, page: Page) -> None:
    blocked: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            blocked.append(message.text)

    page.on("console", note)
    relay.receive({"id": 1})
    page.goto(relay.url)
    expect(page.locator("#chart .bars .point")).to_have_count(120)
    page.locator("#chart").hover(position={"x": 200, "y": 100})

    assert len(blocked) <= 1, blocked
