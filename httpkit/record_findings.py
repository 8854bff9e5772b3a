"""What a preview says about the records themselves: order, identity, time, window, details and events."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from httpkit.exchange_findings import said
from httpkit.exchanges import DETAIL
from httpkit.freshness import key_of
from httpkit.paths import compile_path
from httpkit.preview import Facts
from httpkit.preview_report import Finding, Verdict
from httpkit.suggestions import identities, time_formats, times_of
from httpkit.templates import placeholders
from httpkit.values import JsonValue

_LARGE = 0.8
_BOUND_FORMAT = re.compile(r"\{(?:since|until|now):([^{}]+)\}")
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
    records, path = facts.records, facts.settings.id_path
    if not records:
        return None
    if not facts.settings.deduplicate:
        text = "Not used, since deduplicate is false: what the API shows twice is delivered twice."
        return Finding(topic="Identity", verdict="pass", text=text)
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
            f"{without} of {counted(records)} have nothing at id_path {path!r}; they are told apart by all they hold."
        )
        return Finding(
            topic="Identity", verdict="warn", text=text, settings=["id_path"], suggestions=identities(records)
        )
    text = f"Each of {len(contents):,} records has an identity of its own (id_path {path!r})."
    return Finding(topic="Identity", verdict="pass", text=text)


def _without_identity(records: Sequence[JsonValue], path: str) -> Finding:
    why = f"No record has anything at id_path {path!r}" if path else "id_path is empty"
    text = f"{why}, so each one is told apart by all it holds."
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
    find = compile_path("timestamp_path", path)
    unread = [find(record) for record, moment in zip(records, facts.moments, strict=True) if moment is None]
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


def window(facts: Facts) -> Finding | None:
    """Does the API keep to the bounds of the window that were sent?"""
    known = [moment for moment in facts.moments if moment is not None]
    if not facts.pages:
        return None
    sent = _bounds_sent(facts)
    if not sent:
        return _without_bounds(facts, known)
    if not known:
        return None
    slack = _slack(facts)
    early = sum(moment < facts.windows[0].since - slack for moment in known) if "since" in sent else 0
    late = sum(moment > facts.windows[-1].until + slack for moment in known) if "until" in sent else 0
    bounds = " and ".join({"since": "start", "until": "end"}[name] for name in ("since", "until") if name in sent)
    if not early and not late:
        text = f"The {bounds} of the window {'are' if len(sent) > 1 else 'is'} sent, and all records are within."
        return Finding(topic="Window", verdict="pass", text=text)
    beyond = [f"{early} are before its start"] * bool(early) + [f"{late} are after its end"] * bool(late)
    text = f"The {bounds} of the window {'are' if len(sent) > 1 else 'is'} sent, but of {counted(known)} "
    text += " and ".join(beyond)
    if facts.settings.windows.only_in_window:
        return Finding(topic="Window", verdict="pass", text=f"{text}; only_in_window leaves them out.")
    text += ": the API ignores it, or means another time. Check the name and form, or leave out what is outside."
    settings = [f"{name}_parameter" for name in ("since", "until") if {"since": early, "until": late}[name]]
    return Finding(
        topic="Window", verdict="warn", text=text, settings=["only_in_window", *settings, "since_format", "params"]
    )


def _without_bounds(facts: Facts, known: Sequence[datetime]) -> Finding | None:
    settings = facts.settings
    if settings.resume == "token":
        text = "No bound of the window is sent; each poll goes on from the token of the last one."
        return Finding(topic="Window", verdict="pass", text=text)
    text = "No bound of the window is sent, so each poll reads everything from the beginning."
    if settings.windows.only_in_window:
        return Finding(topic="Window", verdict="pass", text=f"{text} What lies outside is left out (only_in_window).")
    if known and settings.paging.pagination != "none":
        text += " If the API can filter by time, name its parameter."
        return Finding(topic="Window", verdict="warn", text=text, settings=["since_parameter", "only_in_window"])
    return Finding(topic="Window", verdict="pass", text=text)


def _bounds_sent(facts: Facts) -> frozenset[str]:
    """Which bounds go to the API: as parameters or by placeholders."""
    request = facts.settings.request
    named = placeholders(_templates(facts))
    given = {"since": request.since_parameter, "until": request.until_parameter}
    return frozenset(name for name, parameter in given.items() if parameter or name in named)


def _templates(facts: Facts) -> list[JsonValue]:
    request, prepare = facts.settings.request, facts.settings.prepare
    parts = [request.headers, request.params, request.next_params or {}]
    texts = [request.url, request.body, request.next_body, prepare.prepare_url, prepare.prepare_body]
    return [*(dict(part) for part in parts), *texts]


def _slack(facts: Facts) -> timedelta:
    """How far a bound may be off because its form leaves out the smaller units."""
    forms = [facts.settings.request.since_format, *_BOUND_FORMAT.findall(str(_templates(facts)))]
    slack = timedelta(seconds=1)
    for form in (form for form in forms if "%" in form):
        if not re.search(r"%[HIXTcs]", form):
            slack = max(slack, timedelta(days=1))
        elif not re.search(r"%[MXTcs]", form):
            slack = max(slack, timedelta(hours=1))
        elif not re.search(r"%[SXTcs]", form):
            slack = max(slack, timedelta(minutes=1))
    return slack


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


def counted(things: Sequence[object], name: str = "record") -> str:
    """How many there are: `1 record`, `1,000 records`."""
    return f"{len(things):,} {name}{'' if len(things) == 1 else 's'}"


def spoken(moment: datetime) -> str:
    """A moment for reading."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _named(form: str) -> str:
    return {"auto": "ISO 8601 or a number of seconds", "iso8601": "ISO 8601"}.get(form, f"of the form {form!r}")
