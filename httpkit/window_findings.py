"""What a preview says about the window: which of its bounds go to the API, and whether the API keeps to them."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from httpkit.preview_facts import Facts
from httpkit.preview_report import Finding
from httpkit.record_findings import counted
from httpkit.suggestions import Suggestion
from httpkit.templates import placeholders
from httpkit.values import JsonValue

_BOUND_FORMAT = re.compile(r"\{(?:since|until|now):([^{}]+)\}")


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
    text += ": the API ignores it, or means another time."
    settings = [f"{name}_parameter" for name in ("since", "until") if {"since": early, "until": late}[name]]
    return Finding(
        topic="Window",
        verdict="warn",
        text=text,
        settings=["only_in_window", *settings, "since_format", "params"],
        suggestions=[Suggestion(setting="only_in_window", value="true", why="leaves out what is outside")],
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
