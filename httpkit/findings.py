"""From what a preview saw to its report: the findings in their order, the requests, and a few events."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from httpkit import exchange_findings, page_findings, record_findings, window_findings
from httpkit.documents import decode_json
from httpkit.exchanges import SIGN_IN, Sent
from httpkit.preview_facts import Facts
from httpkit.preview_report import Finding, Report, RequestLine
from httpkit.recordings import shown_body, shown_url
from httpkit.redaction import MASK, Redactor, is_secret_name
from httpkit.values import JsonValue

_SHOWN_EVENTS = 3
_LONGEST_TEXT = 200
_LONGEST_LIST = 10

_FINDINGS: Mapping[str, Callable[[Facts], Finding | None]] = {
    "Connection": exchange_findings.connection,
    "Authentication": exchange_findings.authentication,
    "Answer": exchange_findings.answer_format,
    "Records": page_findings.records,
    "Paging": page_findings.paging,
    "Overlap": page_findings.overlap,
    "Order": record_findings.order,
    "Identity": record_findings.identity,
    "Time": record_findings.time,
    "Window": window_findings.window,
    "Details": record_findings.details,
    "Events": record_findings.events,
    "Rate limit": exchange_findings.rate_limit,
}
_ONLY_WHERE_THEY_APPLY = frozenset({"Details"})


def report_of(facts: Facts, *, most_requests: int, redactor: Redactor) -> Report:
    """The report, without secrets."""
    found = {topic: judge(facts) for topic, judge in _FINDINGS.items()}
    report = Report(
        begun=facts.begun.isoformat(),
        window=[facts.windows[0].since.isoformat(), facts.windows[-1].until.isoformat()] if facts.windows else [],
        most_requests=most_requests,
        requests=[_line(facts, sent) for sent in facts.sent],
        findings=[finding for finding in found.values() if finding],
        not_checked=[topic for topic, finding in found.items() if not finding and topic not in _ONLY_WHERE_THEY_APPLY],
        receiver=facts.delivery.receiver,
        events=[_shown(_parsed(event.text), redactor) for event in facts.events[:_SHOWN_EVENTS]],
        events_in_all=len(facts.events),
    )
    return msgspec.convert(redactor.clean_value(msgspec.to_builtins(report)), Report)


def _line(facts: Facts, sent: Sent) -> RequestLine:
    response = sent.response
    records = {f"page {number}": len(read.page.records) for number, read in enumerate(facts.pages, 1)}
    # A redirect or a new token may take several exchanges; the last one brought the records.
    last = next(one for one in reversed(facts.sent) if one.step == sent.step)
    return RequestLine(
        step=sent.step,
        method=sent.request.method,
        url=shown_url(sent.request.url),
        body=None if sent.step == SIGN_IN else shown_body(sent.request.body),
        outcome=f"{response.status} {response.reason}".strip() if response else "no answer",
        seconds=round(response.elapsed, 3) if response else None,
        records=records.get(sent.step) if sent is last else None,
    )


def _parsed(text: str) -> JsonValue:
    try:
        return decode_json(text.encode("utf-8", "surrogatepass"))
    except ValueError:
        return text


def _shown(value: JsonValue, redactor: Redactor) -> Any:
    """A value as it may be read: secrets masked, by name too, and what is long cut."""
    if isinstance(value, dict):
        return {
            name: MASK if isinstance(part, str) and is_secret_name(name) else _shown(part, redactor)
            for name, part in value.items()
        }
    if isinstance(value, list):
        shown = [_shown(part, redactor) for part in value[:_LONGEST_LIST]]
        return [*shown, f"… {len(value) - _LONGEST_LIST} more"] if len(value) > _LONGEST_LIST else shown
    if isinstance(value, str):
        text = redactor.clean(value)
        return f"{text[:_LONGEST_TEXT]}… ({len(text):,} characters)" if len(text) > _LONGEST_TEXT else text
    return value
