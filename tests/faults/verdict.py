"""Was everything delivered, as it was shown, and nothing more often than the promise allows? Nothing is run here."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

_MOST_NAMED = 5

Key = tuple[str, int]
"""Identity of an event: its stream, "" when there is only one, and its id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """A push as an intake read it.

    Attributes:
        process: the number of the process that sent it.
        events: its events, as texts.
        stored: how many of them, from the first, were stored.
        acknowledged: was the whole of it acknowledged, in an answer that arrives if the process lives?
    """

    process: int
    events: Sequence[str]
    stored: int
    acknowledged: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What came of a run.

    Attributes:
        problems: what breaks the promise, in words; empty is good.
        lost: number of entries that never arrived.
        repeated: number of deliveries beyond the first one of an entry.
        again: the entries that came more than once.
    """

    problems: Sequence[str]
    lost: int
    repeated: int
    again: frozenset[Key]


def verdict_on(
    shown: Mapping[Key, Any], pushes: Sequence[Push], *, source: str, batch_size: int, at_once: int
) -> Verdict:
    """Compare what an API showed with what its intake stored.

    Args:
        shown: each entry by its stream and id.
        pushes: in the order in which they arrived. Each process but the last one has crashed or was stopped.
        source: what the component adds to each event.
        batch_size: most events of a push.
        at_once: most pushes that are under way at one moment, so that a crash can interrupt so many.
    """
    deliveries: dict[Key, list[int]] = {key: [] for key in shown}
    problems: list[str] = []
    for place, push in enumerate(pushes):
        for text in push.events[: push.stored]:
            key = _key(text)
            if key is None or key not in shown:
                problems.append(f"an event that was never shown: {text[:200]}")
            else:
                deliveries[key].append(place)
                if not _same(json.loads(text), shown[key], source):
                    problems.append(f"the event {key} was changed on its way: {text[:200]}")
    lost = [key for key, places in deliveries.items() if not places]
    if lost:
        problems.append(f"{len(lost)} of {len(shown)} events were lost: {_named(lost)}")
    problems += _unexplained(deliveries, pushes, batch_size, at_once)
    again = frozenset(key for key, places in deliveries.items() if len(places) > 1)
    repeated = sum(len(deliveries[key]) - 1 for key in again)
    return Verdict(problems=problems, lost=len(lost), repeated=repeated, again=again)


def missing(shown: Mapping[Key, Any], pushes: Sequence[Push]) -> set[Key]:
    """The entries that were not stored yet."""
    stored = {_key(text) for push in pushes for text in push.events[: push.stored]}
    return {key for key in shown if key not in stored}


def _unexplained(
    deliveries: Mapping[Key, Sequence[int]], pushes: Sequence[Push], batch_size: int, at_once: int
) -> list[str]:
    """The repeats that neither a lost acknowledgement nor a crash explains."""
    by_crash: Counter[int] = Counter()
    without_reason: list[Key] = []
    for key, places in deliveries.items():
        for earlier, later in pairwise(places):
            push = pushes[earlier]
            if not push.acknowledged:
                continue
            crashed = push.process != pushes[later].process
            following = sum(1 for other in pushes[earlier + 1 :] if other.process == push.process)
            # What was acknowledged before the pushes that a crash interrupted should have been remembered.
            if crashed and following < at_once:
                by_crash[push.process] += 1
            else:
                without_reason.append(key)
    problems = [
        f"{count} events came again after the end of process {process}, more than a batch of {batch_size}"
        for process, count in by_crash.items()
        if count > batch_size * at_once
    ]
    if without_reason:
        problems.append(f"{len(without_reason)} events came again without a reason: {_named(without_reason)}")
    return problems


def _key(text: str) -> Key | None:
    """The identity of an event, None when it is none that an API of ours shows."""
    try:
        event = json.loads(text)
        return event.get("stream", ""), event["id"]
    except (ValueError, AttributeError, KeyError):
        return None


def _same(event: Any, entry: Any, source: str) -> bool:
    """Is an event what was shown? Compared as text, in which 1, 1.0 and True differ."""
    expected = {**entry, "source": source} if source else entry
    return json.dumps(event, sort_keys=True) == json.dumps(expected, sort_keys=True)


def _named(keys: Sequence[Key]) -> str:
    return ", ".join(map(str, keys[:_MOST_NAMED])) + (" …" if len(keys) > _MOST_NAMED else "")
