"""The intake of a run: stores what is pushed, and remembers what it stored and whether it could say so."""

import gzip
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.faults.api import failing_status
from tests.faults.faulty_server import Asked, Reply, Sending
from tests.faults.plan import Plan
from tests.faults.verdict import Push

KEY = "intake-key-of-the-run"
_PAYLOAD_BYTES = 10 * 1024 * 1024

_ANSWER_LOST = (
    Sending.RESET_INSTEAD,
    Sending.RESET_HALFWAY,
    Sending.CUT,
    Sending.CUT_CHUNKS,
    Sending.THEN_RESET,
)
_WRONG = (b'{"ok": true}', b"[]", b'{"event_ids": null}', b"")


@dataclass(frozen=True, kw_only=True, slots=True)
class Treatment:
    """What is done with a push.

    Attributes:
        stored: how many of its events, from the first, are stored.
        acknowledged: does the reply acknowledge all of them, and arrive if the process lives?
    """

    reply: Reply
    stored: int = 0
    acknowledged: bool = False


class Intake:
    """The intake, at the other end of the component.

    Args:
        read: called when a push was read, before it is answered.
        answered: called when it was answered.
    """

    def __init__(self, plan: Plan, read: Callable[[], None], answered: Callable[[], None]) -> None:
        self._plan = plan
        self._read = read
        self._answered = answered
        self._chance = Random(f"intake {plan.seed}")
        self._faults_left = plan.intake_faults
        self._under_way = (0, 0)
        self.key = KEY
        """The key that is accepted."""
        self.next_treatments: list[Treatment] = []
        """What is done with the next pushes, before chance decides again."""
        self.at_once = 1
        """Most pushes of a process that were under way at one moment."""
        self.pushes: list[Push] = []
        self.strange: list[str] = []
        """What no intake should be sent."""
        self.last_fault = 0.0

    def answer(self, asked: Asked) -> Reply:
        """Store a push, or not, and say so, or not."""
        process = int(asked.path.split("/")[1])
        self._count(process, 1)
        self.at_once = max(self.at_once, self._under_way[1])
        document = json.loads(gzip.decompress(asked.body) if "content-encoding" in asked.headers else asked.body)
        events = document["jsons"]
        self._look_at(asked, events)
        treatment = self._treatment(document["intake_key"], len(asked.body), len(events))
        push = Push(process=process, events=events, stored=treatment.stored, acknowledged=treatment.acknowledged)
        self.pushes.append(push)
        self._read()

        def done() -> None:
            self._count(process, -1)
            self._answered()

        return replace(treatment.reply, then=done)

    def _treatment(self, key: str, size: int, count: int) -> Treatment:
        if key != self.key:
            return Treatment(reply=Reply(status=401, body=b'{"message": "unknown key"}'))
        if size > _PAYLOAD_BYTES:
            return Treatment(reply=Reply(status=413, body=b'{"message": "too large"}'))
        if self.next_treatments:
            return self.next_treatments.pop(0)
        if self._faults_left and self._chance.random() < self._plan.intake_fault_rate:
            self._faults_left -= 1
            self.last_fault = time.monotonic()
            return self._failing(count)
        return taken(count)

    def _failing(self, count: int) -> Treatment:
        stored = self._chance.choice((0, count))
        choice = self._chance.choice(("lost", "lost", "status", "html", "wrong", "partly", "slow"))
        if choice == "lost":
            sending = self._chance.choice(_ANSWER_LOST)
            # An answer that may arrive whole must be true.
            stored = count if sending is Sending.THEN_RESET else stored
            return Treatment(reply=replace(taken(count).reply, sending=sending), stored=stored)
        if choice == "status":
            return Treatment(reply=failing_status(self._chance), stored=stored)
        if choice == "html":
            reply = Reply(headers={"Content-Type": "text/html"}, body=b"<html>Maintenance</html>")
            return Treatment(reply=reply, stored=stored)
        if choice == "wrong":
            return Treatment(reply=Reply(body=self._chance.choice(_WRONG)), stored=stored)
        if choice == "partly" and count > 1:
            return replace(taken(self._chance.randint(0, count - 1)), acknowledged=False)
        sending = self._chance.choice((Sending.DRIPPING, Sending.THEN_CLOSED))
        reply = replace(taken(count).reply, wait=self._chance.uniform(0, 0.8), sending=sending)
        return replace(taken(count), reply=reply)

    def _count(self, process: int, change: int) -> None:
        """Count the pushes under way; those of a process that has died are not answered any more."""
        counted, number = self._under_way
        if process > counted:
            self._under_way = (process, change)
        elif process == counted:
            self._under_way = (process, number + change)

    def _look_at(self, asked: Asked, events: Sequence[str]) -> None:
        if asked.method != "POST" or not asked.path.endswith("/batch"):
            self.strange.append(f"{asked.method} {asked.path}")
        if not 0 < len(events) <= self._plan.batch_size:
            self.strange.append(f"a push of {len(events)} events")


def taken(count: int) -> Treatment:
    """The first `count` events are stored and acknowledged."""
    body = json.dumps({"event_ids": [f"id-{number}" for number in range(count)]}).encode()
    return Treatment(reply=Reply(body=body), stored=count, acknowledged=True)
