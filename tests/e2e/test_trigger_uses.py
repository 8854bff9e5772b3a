"""Each use of docs/trigger.md does what the document says; text, examples and code cannot drift apart."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.fake_api import Answer, Asked, FakeApi
from tests.played_platform import API_KEY, Platform, eventually

REPOSITORY = Path(__file__).resolve().parents[2]
USE = re.compile(
    r"`examples/trigger_(?P<name>\w+)\.json`\n\n```json\n(?P<file>.*?)```\n\n"
    r"A run starts with:\n\n```json\n(?P<run>.*?)```",
    re.DOTALL,
)
USES = {
    found["name"]: (found["file"], json.loads(found["run"]))
    for found in USE.finditer((REPOSITORY / "docs" / "trigger.md").read_text(encoding="utf-8"))
}
HOST = re.compile(r"https://[a-z]+\.example\.com")


def start(platform: Platform, name: str, url: str) -> None:
    """Run a use as it is written; only the host and the pace are changed."""
    settings = json.loads(
        HOST.sub(url, (REPOSITORY / "examples" / f"trigger_{name}.json").read_text(encoding="utf-8"))
    )
    platform.start(
        "NewEntriesTrigger",
        {**settings["trigger_configuration"], "polling_interval": 0.01},
        account={**settings["module_configuration"], "allow_private_networks": True},
    )


def test_the_document_has_three_uses_and_their_files_are_what_it_shows() -> None:
    files = {path.stem.removeprefix("trigger_"): path for path in (REPOSITORY / "examples").glob("trigger_*.json")}

    assert set(USES) == set(files) == {"json_list", "tickets", "advisories"}
    for name, (file, _) in USES.items():
        assert files[name].read_text(encoding="utf-8") == file


def test_a_json_list(platform: Platform) -> None:
    _, run = USES["json_list"]
    with FakeApi(lambda asked: Answer(json=run["entries"] if asked.path == "/incidents.json" else None)) as api:
        start(platform, "json_list", api.url)
        eventually(platform.playbook_runs, "the run")
        eventually(lambda: len(api.asked) >= 3, "more polls")

    assert platform.playbook_runs() == [run]


class TicketApi:
    """Tickets in pages, for those who know the key and ask for a time."""

    def __init__(self) -> None:
        self.tickets = [self.ticket(number) for number in range(106, 0, -1)]
        self.offsets: list[str] = []

    @staticmethod
    def ticket(number: int) -> dict[str, Any]:
        return {"key": f"OPS-{number}", "fields": {"summary": "old", "created": "2026-01-05T10:00:00Z"}}

    def __call__(self, asked: Asked) -> Answer:
        if asked.path != "/api/search" or asked.headers.get("authorization") != f"Bearer {API_KEY}":
            return Answer(status=403)
        datetime.fromisoformat(asked.params["opened_after"])
        self.offsets.append(asked.params["startAt"])
        first, size = int(asked.params["startAt"]), int(asked.params["maxResults"])
        return Answer(json={"total": len(self.tickets), "tickets": self.tickets[first : first + size]})


def test_new_tickets_of_a_paged_api(platform: Platform) -> None:
    _, run = USES["tickets"]
    tickets = TicketApi()
    with FakeApi(tickets) as api:
        start(platform, "tickets", api.url)
        eventually(lambda: len(tickets.offsets) >= 6, "two polls of three pages")
        tickets.tickets.insert(0, run["entries"][0]["data"])
        tickets.tickets.insert(50, TicketApi.ticket(200))
        eventually(lambda: len(platform.playbook_runs()) >= 2, "a run for each new ticket")
        asked = len(tickets.offsets)
        eventually(lambda: len(tickets.offsets) >= asked + 6, "two more polls")

    assert tickets.offsets[:3] == ["0", "50", "100"]
    assert len(platform.playbook_runs()) == 2
    assert platform.playbook_runs()[0] == run
    assert platform.playbook_runs()[1]["entries"][0]["data"]["key"] == "OPS-200"


def advisory(number: int, title: str, day: int) -> str:
    """An entry of the feed."""
    return f"""<entry><id>urn:advisory:2026-{number:04}</id><title>{title}</title>
        <link href="https://advisories.example.com/2026-{number:04}"/><summary>Update to 7.3.</summary>
        <published>2026-01-05T08:00:00Z</published><updated>2026-01-{day:02}T10:00:00Z</updated></entry>"""


def feed_of(advisories: list[str]) -> Callable[[Asked], Answer]:
    """A server of a feed that says when nothing has changed."""

    def answer(asked: Asked) -> Answer:
        etag = f'"{len(advisories)}"'
        if asked.headers.get("if-none-match") == etag:
            return Answer(status=304, body=b"")
        body = f"""<feed xmlns="http://www.w3.org/2005/Atom"><title>Advisories</title>{"".join(advisories)}</feed>"""
        return Answer(body=body.encode(), headers={"Content-Type": "application/atom+xml", "ETag": etag})

    return answer


def test_security_advisories_from_a_feed(platform: Platform) -> None:
    _, run = USES["advisories"]
    advisories = [advisory(1, "Critical: old", 1)]
    with FakeApi(feed_of(advisories)) as api:
        start(platform, "advisories", api.url)
        eventually(lambda: len(api.asked) >= 2, "a poll without news")
        advisories.insert(0, advisory(43, "Low: a typing error", 7))
        advisories.insert(0, advisory(42, run["entries"][0]["value"], 6))
        eventually(platform.playbook_runs, "the run")
        asked = len(api.asked)
        eventually(lambda: len(api.asked) >= asked + 2, "two more polls")

    assert platform.playbook_runs() == [run]
    assert api.asked[0].path == "/feed.atom"
    assert [one.headers.get("if-none-match") for one in api.asked[:2]] == [None, '"1"']
    assert api.asked[-1].headers["if-none-match"] == '"3"'
