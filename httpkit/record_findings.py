"""What a preview says about the records themselves: order, identity, time, details and events."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from httpkit.exchange_findings import said
from httpkit.exchanges import DETAIL
from httpkit.freshness import key_of
from httpkit.preview_facts import IDENTITY, Facts
from httpkit.preview_report import Finding, Verdict
from httpkit.suggestions import identities, time_formats, times_of
from httpkit.values import JsonValue

_LARGE = 0.8
_FUTURE = timedelta(days=1)
_EARLIEST_YEAR = 1990


def order(facts: Facts) -> Finding | None:
    """In which order do the records come?"""
    known = [moment for moment in facts.moments if moment is not None]
    if len(known) < 2:
        return None
    steps = [(later - earlier).total_seconds() for earlier, later in pairwise(known)]
    if max(steps) <= 0:
        name = "Newest first" if min(steps) < 0 else "All at the same time"
    else:
        name = "Oldest first" if min(steps) >= 0 else "Unsorted"
    return Finding(topic="Order", verdict="pass", text=f"{name}; any order is fine.")


def identity(facts: Facts) -> Finding | None:
    """Does the identity tell the records apart?"""
    if facts.trouble and facts.trouble.place == IDENTITY:
        return Finding(topic="Identity", verdict="fail", text=said(facts.trouble.error, None), settings=["id_path"])
    if not facts.records:
        return None
    if not facts.settings.deduplicate:
        text = "Not used, since deduplicate is false: what the API shows twice is delivered twice."
        return Finding(topic="Identity", verdict="pass", text=text)
    return _told_apart(facts.records, facts.settings.id_path)


def _told_apart(records: Sequence[JsonValue], path: str) -> Finding:
    key, whole = key_of(path), key_of("")
    without = sum(key(record) == whole(record) for record in records)
    if without == len(records):
        return _without_identity(records, path)
    contents: dict[bytes, set[bytes]] = {}
    for record in records:
        contents.setdefault(key(record), set()).add(whole(record))
    lost = sum(len(distinct) - 1 for distinct in contents.values())
    if lost:
        return _shared_identity(records, path, lost)
    if without:
        text = (
            f"{without} of {counted(records)} have nothing at id_path {path!r}; their whole content tells them apart."
        )
        return Finding(
            topic="Identity", verdict="warn", text=text, settings=["id_path"], suggestions=identities(records)
        )
    text = f"{counted(list(contents), 'identity', 'identities')} in {counted(records)} (id_path {path!r})."
    return Finding(topic="Identity", verdict="pass", text=text)


def _without_identity(records: Sequence[JsonValue], path: str) -> Finding:
    why = f"No record has anything at id_path {path!r}" if path else "id_path is empty"
    text = f"{why}, so each one is told apart by its whole content."
    if not any(isinstance(record, dict) for record in records):
        return Finding(topic="Identity", verdict="pass", text=text)
    text += " One that changes in any field is delivered again."
    # The default path is a guess of ours; another one is a mistake.
    verdict: Verdict = "warn" if path in {"id", ""} else "fail"
    return Finding(
        topic="Identity",
        verdict=verdict,
        text=text,
        settings=["id_path"],
        suggestions=identities(records),
    )


def _shared_identity(records: Sequence[JsonValue], path: str, lost: int) -> Finding:
    text = (
        f"{lost} of {counted(records)} have the same id_path {path!r} as a different one and would not be delivered; "
        "choose what tells them apart."
    )
    guesses = [guess for guess in identities(records) if guess.value != path]
    settings = ["id_path"] if guesses else ["id_path", "deduplicate"]
    return Finding(topic="Identity", verdict="fail", text=text, settings=settings, suggestions=guesses)


def time(facts: Facts) -> Finding | None:
    """Can the times of the records be read, and are they plausible?"""
    records, path, form = facts.records, facts.settings.timestamp_path, facts.settings.timestamp_format
    if not records:
        return None
    if not path:
        guesses = times_of(records)
        text = "timestamp_path is empty, so whether the window is kept and how late records come cannot be seen."
        return Finding(
            topic="Time",
            verdict="warn" if guesses else "pass",
            text=text,
            settings=["timestamp_path"] if guesses else [],
            suggestions=guesses,
        )
    moments = facts.moments
    known = [moment for moment in moments if moment is not None]
    if len(known) < len(records):
        return _unreadable(facts, len(known))
    first, last = min(known), max(known)
    span = f"from {spoken(first)} to {spoken(last)}"
    if last > facts.begun + _FUTURE or first.year < _EARLIEST_YEAR:
        text = f"All can be read (timestamp_path {path!r} as {form}), but they go {span}, which is hardly right."
        return Finding(topic="Time", verdict="warn", text=text, settings=["timestamp_format", "timestamp_path"])
    text = f"{len(known):,} of {len(records):,} can be read (timestamp_path {path!r}), {span}."
    return Finding(topic="Time", verdict="pass", text=text)


def _unreadable(facts: Facts, readable: int) -> Finding:
    records, path, form = facts.records, facts.settings.timestamp_path, facts.settings.timestamp_format
    unread = [value for value, moment in zip(facts.time_values, facts.moments, strict=True) if moment is None]
    there = [value for value in unread if value is not None]
    if not there:
        text = f"{len(unread)} of {counted(records)} have nothing at timestamp_path {path!r}."
        guesses = [guess for guess in times_of(records) if guess.value != path]
        settings = ["timestamp_path"]
    else:
        example = repr(there[0] if len(str(there[0])) <= 40 else f"{str(there[0])[:40]}…")
        text = (
            f"{len(unread)} of {counted(records)} have a time that is not {_named(form)}, for example {example} "
            f"at timestamp_path {path!r}."
        )
        guesses = time_formats(there)
        settings = ["timestamp_format"] if guesses else ["timestamp_format", "timestamp_path"]
    return Finding(
        topic="Time",
        verdict="warn" if readable else "fail",
        text=text,
        settings=settings,
        suggestions=guesses,
    )


def details(facts: Facts) -> Finding | None:
    """Can a record be completed by its further request?"""
    if not facts.settings.detail.detail_url:
        return None
    if trouble := facts.detail_trouble:
        text = f"The request for a single record failed: {said(trouble.error, trouble.sent)}"
        return Finding(topic="Details", verdict="fail", text=text, settings=["detail_url", "detail_params"])
    if not any(sent.step == DETAIL for sent in facts.sent):
        return None
    text = "The first record was completed by a further request; a poll does so for each new record."
    return Finding(topic="Details", verdict="pass", text=text)


def events(facts: Facts) -> Finding | None:
    """Can the records be made into events, and are those such as the receiver takes?"""
    if trouble := facts.event_trouble:
        settings = ["transform"] if "transform" in trouble.error.message else ["dates"]
        if "drop" in trouble.error.message:
            settings = ["drop"]
        return Finding(topic="Events", verdict="fail", text=said(trouble.error, None), settings=settings)
    if not facts.events:
        return _no_events(facts)
    wrong = [event for event in facts.events if event.problem]
    if wrong:
        text = (
            f"{len(wrong)} of {counted(facts.events, 'event')} are no entries of a playbook run: {wrong[0].problem}."
        )
        return Finding(topic="Events", verdict="fail", text=text, settings=["transform", "rename"])
    return _sizes(facts)


def _no_events(facts: Facts) -> Finding | None:
    if not facts.dropped:
        return None
    text = f"All {counted(facts.records)} are left out by drop or only_in_window."
    return Finding(topic="Events", verdict="warn", text=text, settings=["drop", "only_in_window"])


def _sizes(facts: Facts) -> Finding:
    sizes = sorted(len(event.text.encode("utf-8", "surrogatepass")) for event in facts.events)
    limit, largest = facts.delivery.limit_bytes, sizes[-1]
    made = f"{counted(facts.events, 'event')} from {counted(range(facts.looked_at))}"
    left_out = f", {facts.dropped} left out" if facts.dropped else ""
    text = f"{made}{left_out}; the largest has {largest:,} bytes"
    if not limit:
        return Finding(topic="Events", verdict="pass", text=f"{text}.")
    over = sum(size > limit for size in sizes)
    if over:
        text += f". An intake takes at most {limit:,}, so {over} would go to quarantine; make them smaller."
        return Finding(topic="Events", verdict="fail", text=text, settings=["explode", "transform", "drop"])
    text += f" of the {limit:,} that an intake takes."
    if largest > limit * _LARGE:
        text += " That is close: larger ones would go to quarantine."
        return Finding(topic="Events", verdict="warn", text=text, settings=["explode", "transform"])
    return Finding(topic="Events", verdict="pass", text=text)


def counted(things: Sequence[object], name: str = "record", several: str = "") -> str:
    """How many there are: `1 record`, `1,000 records`."""
    return f"{len(things):,} {name if len(things) == 1 else several or f'{name}s'}"


def spoken(moment: datetime) -> str:
    """A moment for reading."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _named(form: str) -> str:
    return {"auto": "ISO 8601 or a number of seconds", "iso8601": "ISO 8601"}.get(form, f"of the form {form!r}")
