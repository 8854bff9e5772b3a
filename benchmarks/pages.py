"""The pages of the API that all connectors read: audit records of about 1.15 KB, cut from one template.

Only the place of a page differs from page to page: the end of each id and the second of each time. So a page costs one
join, the API is never what a connector waits for, and any record can be told again when its delivery is checked.
"""

import json
import random
from datetime import UTC, datetime, timedelta
from functools import lru_cache

PAGE_SIZE = 1000
ID_MARK = b"evt-"
"""Stands in each record once, and nowhere else, so that an intake counts events without decoding them."""

ID_LENGTH = 10
SPAN = timedelta(hours=24)
_PLACE = "@place@"
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
_NAMES = ("ada", "grace", "linus", "margaret", "dennis", "barbara", "ken", "radia", "alan", "hedy")
_ACTIONS = ("user.login", "user.logout", "file.download", "file.share", "role.assign", "token.create", "policy.update")
_CITIES = ("Rennes", "Oslo", "Lisbon", "Québec", "Kraków", "Athens", "Dakar", "Osaka")


_KEPT_PAGES = 4


class Pages:
    """All pages of one run.

    Args:
        events: how many records the API holds, a multiple of the page size.
        start: time of the oldest record; the newest is a day younger.
    """

    def __init__(self, events: int, start: datetime) -> None:
        self.count = events // PAGE_SIZE
        self._start = start
        self._step = SPAN / max(1, self.count)
        self._pieces = ('{"items":[' + _template_of_a_page()).encode().split(_PLACE.encode())
        self._decoded = lru_cache(_KEPT_PAGES)(lambda number: json.loads(self.body(number))["items"])

    def body(self, number: int) -> bytes:
        """The answer that holds a page; empty and without a cursor beyond the last one."""
        if number >= self.count:
            return b'{"items":[],"next_cursor":null}'
        following = f'"{number + 1}"' if number + 1 < self.count else "null"
        *pieces, last = self._pieces
        place = self._place(number)
        return place.join([*pieces, last + b'],"next_cursor":' + following.encode() + b"}"])

    def records(self, number: int) -> list[dict[str, object]]:
        """The records of a page, as values."""
        records: list[dict[str, object]] = self._decoded(number)
        return records

    def identities(self) -> set[bytes]:
        """What follows the mark in each id that this API holds."""
        return {b"%03d-%06d" % (index, number) for number in range(self.count) for index in range(PAGE_SIZE)}

    def _place(self, number: int) -> bytes:
        moment = self._start + self._step * number
        return f'{number:06d}","time":"{moment:%Y-%m-%dT%H:%M:%S}'.encode()


def page_of(identity: bytes) -> int:
    """The number of the page that holds a record, from what follows the mark in its id."""
    return int(identity[4:])


def a_day_ago() -> datetime:
    """Where the records of a run begin, so that the newest are of now."""
    return datetime.now(UTC).replace(microsecond=0) - SPAN


@lru_cache(1)
def _template_of_a_page() -> str:
    return ",".join(_template(index) for index in range(PAGE_SIZE))


def _template(index: int) -> str:
    """One record, with a gap where the place of its page goes; the same for an index in every run."""
    chance = random.Random(index)
    name = chance.choice(_NAMES)
    record = {
        "id": f"{ID_MARK.decode()}{index:03d}-{_PLACE}.{index:03d}Z",
        "version": "2.4",
        "action": chance.choice(_ACTIONS),
        "outcome": chance.choice(("success", "success", "success", "failure")),
        "severity": chance.randint(1, 10),
        "actor": {
            "id": f"{chance.getrandbits(64):016x}",
            "name": f"{name}.{chance.randint(100, 999)}@corp.example",
            "type": "user",
            "roles": chance.sample(("reader", "editor", "auditor", "owner", "operator"), 2),
            "mfa": chance.random() < 0.8,
        },
        "client": {
            "ip": f"198.51.{chance.randint(0, 255)}.{chance.randint(1, 254)}",
            "port": chance.randint(1024, 65535),
            "user_agent": _AGENT.format(version=chance.randint(100, 140)),
            "geo": {"city": chance.choice(_CITIES), "lat": round(chance.uniform(-90, 90), 4), "country": "FR"},
        },
        "target": {
            "id": f"{chance.getrandbits(128):032x}",
            "type": "document",
            "path": f"/shares/{name}/reports/{chance.getrandbits(40):010x}/q{chance.randint(1, 4)}.xlsx",
            "size": chance.randint(1_000, 90_000_000),
            "labels": {"confidentiality": chance.choice(("public", "internal", "restricted")), "owner": name},
        },
        "request": {
            "id": f"{chance.getrandbits(128):032x}",
            "trace": f"00-{chance.getrandbits(128):032x}-{chance.getrandbits(64):016x}-01",
            "duration_ms": round(chance.expovariate(1 / 40), 3),
            "bytes_sent": chance.randint(200, 2_000_000),
        },
        "session": {"id": f"{chance.getrandbits(64):016x}", "age_seconds": chance.randint(1, 40_000), "fresh": True},
        "policies": [
            {"name": f"dlp-{chance.randint(1, 40)}", "matched": chance.random() < 0.3, "rule": chance.randint(1, 900)}
            for _ in range(3)
        ],
        "message": f'{name} used "{chance.getrandbits(48):012x}" on a document of another team; policy checked twice',
        "error": None,
    }
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)
