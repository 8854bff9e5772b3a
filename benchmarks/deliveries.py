"""What an intake received in one run, counted while it runs and judged after it: each event once, and unchanged.

While a run is measured only ids are kept, and one push in fifty whole, so that checking slows nothing down.
"""

import json
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from isal import isal_zlib

from benchmarks.pages import ID_LENGTH, ID_MARK, Pages, page_of

_WHOLE_EVERY = 50
_ADDED_FIELDS = frozenset({"source"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """How one run went, as its counterpart saw it; moments are those of the monotonic clock.

    Attributes:
        first_request: moment of the first request for a page.
        last_push: moment at which the last push was acknowledged.
        own_cpu: seconds of processor time that the counterpart itself took between the two.
        requests: for pages.
        pushes: that were acknowledged.
        events: in all of them.
        faults: what was lost, came twice or was changed; empty when the delivery is right.
        errors: lines that the connector logged as errors.
    """

    first_request: float
    last_push: float
    own_cpu: float
    requests: int
    pushes: int
    events: int
    faults: list[str]
    errors: list[str]


@dataclass(kw_only=True, slots=True)
class Deliveries:
    """The pushes of one run."""

    pushes: int = 0
    events: int = 0
    last_push: float = 0.0
    cpu_at_last_push: float = 0.0
    _identities: list[bytes] = field(default_factory=list)
    _whole: list[bytes] = field(default_factory=list)

    def take(self, body: bytes, *, compressed: bool) -> int:
        """Note a push and tell how many events it holds."""
        if compressed:
            body = isal_zlib.decompress(body, zlib.MAX_WBITS | 32)
        _, *parts = body.split(ID_MARK)
        self._identities.append(b"".join([part[:ID_LENGTH] for part in parts]))
        if self.pushes % _WHOLE_EVERY == 0:
            self._whole.append(body)
        self.pushes += 1
        self.events += len(parts)
        return len(parts)

    def acknowledged(self) -> None:
        """Note that the answer to a push has been sent."""
        self.last_push = time.monotonic()
        self.cpu_at_last_push = time.process_time()

    def faults(self, pages: Pages) -> Iterator[str]:
        """What is wrong with all that came, measured by what the API gave."""
        expected = pages.identities()
        received = {
            chunk[place : place + ID_LENGTH] for chunk in self._identities for place in range(0, len(chunk), ID_LENGTH)
        }
        if lost := len(expected - received):
            yield f"{lost} of {len(expected)} events did not arrive"
        if repeated := self.events - len(received):
            yield f"{repeated} events arrived again"
        if unknown := len(received - expected):
            yield f"{unknown} events arrived that the API never gave"
        changed = sum(not _is_faithful(event, pages) for body in self._whole for event in json.loads(body)["jsons"])
        if changed:
            yield f"{changed} events arrived changed, of those that were compared in full"


def _is_faithful(text: str, pages: Pages) -> bool:
    """Does an event hold what the API gave, and nothing more than a tag?"""
    event = json.loads(text)
    identity = event["id"].encode().removeprefix(ID_MARK)
    page = pages.records(page_of(identity))
    if not page:
        return False
    original = page[int(identity[:3])]
    added = event.keys() - original.keys()
    return added <= _ADDED_FIELDS and all(event.get(name) == value for name, value in original.items())
