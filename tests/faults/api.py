"""The API of a run: shows the entries that have appeared, in the style of the plan, and fails as often as it says."""

import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import urlencode

from tests.faults.faulty_server import Asked, Reply, Sending
from tests.faults.plan import START_AGE_SECONDS, Entry, Plan
from tests.faults.verdict import Key

_HTML = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
_BROKEN_SENDING = (
    Sending.RESET_INSTEAD,
    Sending.RESET_HALFWAY,
    Sending.CUT,
    Sending.CUT_CHUNKS,
    Sending.THEN_RESET,
    Sending.THEN_CLOSED,
    Sending.DRIPPING,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """A page: its entries, what follows it, and how many entries there are in all."""

    entries: Sequence[Entry]
    next: Mapping[str, str] | None
    total: int


class Api:
    """The API, at the other end of the component.

    Args:
        begun: the moment from which the plan counts, in seconds since 1970.
        meet: called after each answer.
    """

    def __init__(self, plan: Plan, begun: float, meet: Callable[[], None]) -> None:
        self._plan = plan
        self._begun = begun
        self._meet = meet
        self._chance = Random(f"api {plan.seed}")
        self._faults_left = plan.api_faults
        # An order of all entries, so that an entry keeps its place when others appear.
        self._ordered = {
            stream: sorted((entry for entry in plan.entries if entry.stream == stream), key=self._rank)
            for stream in plan.streams
        }
        self.rounds = 0
        """How often a last page was asked for."""
        self.last_fault = 0.0

    def contents(self) -> dict[Key, Any]:
        """All entries as they are shown, sooner or later."""
        return {(entry.stream, entry.number): self._content(entry) for entry in self._plan.entries}

    def configuration(self, url: str) -> dict[str, Any]:
        """How the connector reads this API."""
        plan = self._plan
        path = "data.items" if plan.nested else "items"
        settings: dict[str, Any] = {
            "url": f"{url}/events",
            "records_path": path,
            "page_size": plan.page_size,
            "page_size_parameter": "limit",
            "max_pages": plan.max_pages,
            "start_from": f"{START_AGE_SECONDS} seconds",
            "since_format": plan.since_format,
            "window_minutes": plan.window_minutes,
            "overlap_seconds": plan.overlap_seconds,
            "settle_seconds": plan.settle_seconds,
            **_paging(plan),
        }
        if plan.end_sign != "none":
            settings["has_more_path" if plan.end_sign == "more" else "total_path"] = plan.end_sign
        if plan.bounds in {"since", "both", "windows"}:
            settings["since_parameter"] = "since"
        if plan.bounds in {"both", "windows"}:
            settings["until_parameter"] = "until"
        if plan.bounds == "local":
            settings |= {"only_in_window": True, "timestamp_path": "time"}
        if len(plan.streams) > 1:
            settings["streams"] = [{"name": stream} for stream in plan.streams]
            settings["params"] = {"stream": "{stream.name}"}
        return settings

    def answer(self, asked: Asked) -> Reply:
        """The page that is asked for, or what goes wrong instead."""
        shown = self._shown(asked)
        reply = self._page(asked, shown)
        self.rounds += shown.next is None
        if self._faults_left and self._chance.random() < self._plan.api_fault_rate:
            self._faults_left -= 1
            self.last_fault = time.monotonic()
            reply = self._failing(reply, asked)
        return replace(reply, then=self._meet)

    def _failing(self, reply: Reply, asked: Asked) -> Reply:
        choice = self._chance.choice(("sending", "sending", "status", "html", "broken", "gone", "slow"))
        if choice == "status":
            return failing_status(self._chance)
        if choice == "html":
            return Reply(headers={"Content-Type": "text/html"}, body=_HTML)
        if choice == "broken":
            return Reply(headers={}, body=json.dumps({"items": [{"id": 1}]}).encode()[:-3])
        if choice == "gone" and "after" in asked.params:
            return Reply(status=410, body=b'{"error": "the cursor has expired"}')
        if choice == "slow":
            return replace(reply, wait=self._chance.uniform(0.2, 1.0))
        return replace(reply, sending=self._chance.choice(_BROKEN_SENDING))

    def _page(self, asked: Asked, shown: _Shown) -> Reply:
        items = [self._content(entry) for entry in shown.entries]
        document: dict[str, Any] = {"data": {"items": items}} if self._plan.nested else {"items": items}
        document |= {"total": shown.total, "more": shown.next is not None}
        headers = {}
        kept = {name: value for name, value in asked.params.items() if name not in {"after", "page", "offset"}}
        target = f"/events?{urlencode({**kept, **shown.next})}" if shown.next else None
        if self._plan.style == "link_header" and target:
            headers["Link"] = f'<{target}>; rel="next"'
        elif self._plan.style == "next_url":
            document["next"] = target
        elif self._plan.style in {"cursor", "token"}:
            document["next"] = (shown.next or {}).get("after")
        if self._plan.style == "token" and shown.next is None:
            document["next"] = _token(int(_position(asked)) + len(items))
        body = json.dumps(document, ensure_ascii=self._plan.ascii_only).encode()
        if self._plan.gzip:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 1)
        return Reply(headers=headers, body=body)

    def _shown(self, asked: Asked) -> _Shown:
        size, style = self._plan.page_size, self._plan.style
        visible = self._visible(asked)
        if style in {"page", "offset"}:
            number = int(asked.params["page"]) if style == "page" else 0
            start = (number - 1) * size if style == "page" else int(asked.params["offset"])
            places = list(range(len(visible)))[start : start + size]
            following = {"page": str(number + 1)} if style == "page" else {"offset": str(start + size)}
            more = start + size < len(visible)
        else:
            first = _position(asked)
            places = [place for place, (index, _) in enumerate(visible) if index >= first][:size]
            more = bool(places) and places[-1] + 1 < len(visible)
            following = {"after": _token(visible[places[-1]][0] + 1)} if places else {}
        entries = [visible[place][1] for place in places]
        return _Shown(entries=entries, next=following if more else None, total=len(visible))

    def _visible(self, asked: Asked) -> list[tuple[int, Entry]]:
        """The entries that a request is about, each with its place in the order of all."""
        now = time.time() - self._begun
        since, until = self._bound(asked, "since"), self._bound(asked, "until")
        found = []
        for index, entry in enumerate(self._ordered[asked.params.get("stream", "")]):
            if entry.appears > now or (since is not None and entry.moment < since):
                continue
            if until is None or entry.moment < until or (entry.moment == until and self._plan.until_included):
                found.append((index, entry))
        return found

    def _bound(self, asked: Asked, name: str) -> float | None:
        text = asked.params.get(name)
        if text is None:
            return None
        if self._plan.since_format.startswith("epoch"):
            moment = float(text) / (1000 if self._plan.since_format == "epoch_ms" else 1)
        else:
            moment = datetime.fromisoformat(text).timestamp()
        return moment - self._begun

    def _rank(self, entry: Entry) -> tuple[float, float]:
        ranks = {
            "newest": -entry.moment,
            "oldest": entry.moment,
            "unsorted": entry.rank,
            "arrival": entry.appears,
        }
        return ranks[self._plan.order], entry.rank

    def _content(self, entry: Entry) -> dict[str, Any]:
        moment = datetime.fromtimestamp(self._begun + entry.moment, UTC)
        stream = {"stream": entry.stream} if entry.stream else {}
        return {"id": entry.number, "time": moment.isoformat(), **stream, **entry.content, **self._plan.beside}


def failing_status(chance: Random) -> Reply:
    """An answer that means "later"."""
    status = chance.choice((429, 500, 502, 503))
    told = chance.choice((None, None, "0", "1")) if status in {429, 503} else None
    return Reply(status=status, headers={"Retry-After": told} if told else {}, body=b'{"error": "later"}')


def _paging(plan: Plan) -> dict[str, Any]:
    if plan.style == "token":
        return {"pagination": "cursor", "next_path": "next", "next_parameter": "after", "resume": "token"}
    if plan.style == "cursor":
        return {"pagination": "cursor", "next_path": "next", "next_parameter": "after"}
    if plan.style == "next_url":
        return {"pagination": "next_url", "next_path": "next"}
    return {"pagination": plan.style}


def _token(place: int) -> str:
    return f"after-{place}"


def _position(asked: Asked) -> int:
    """The place from which the entries are asked for."""
    return int(asked.params.get("after", "after-0").removeprefix("after-"))
