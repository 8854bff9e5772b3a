"""What a preview tells a person or a program, as values; how they come about is not known here."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from httpkit.suggestions import Suggestion
from httpkit.values import JsonValue

Verdict = Literal["pass", "warn", "fail"]


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    Attributes:
        topic: what it is about, one or two words.
        text: one or two sentences.
        settings: what to change, the likeliest first; empty when nothing is.
        suggestions: values for them, the likeliest first.
    """

    topic: str
    verdict: Verdict
    text: str
    settings: Sequence[str] = ()
    suggestions: Sequence[Suggestion] = ()


class RequestLine(Struct, frozen=True, kw_only=True):
    """A request that was sent, and what came.

    Attributes:
        body: None when there is none, or when it is there to sign in.
        outcome: a status and its reason, or a few words.
    """

    step: str
    method: str
    url: str
    body: JsonValue
    outcome: str
    seconds: float | None
    records: int | None


class Report(Struct, frozen=True, kw_only=True):
    """All that a preview tells.

    Attributes:
        begun: when, as ISO 8601.
        window: both ends of what was asked for, as ISO 8601.
        findings: in the order in which an exchange goes.
        not_checked: topics that nothing could be said about.
        events: a few, as they would be delivered, shortened.
    """

    begun: str
    window: Sequence[str]
    most_requests: int
    requests: Sequence[RequestLine]
    findings: Sequence[Finding]
    not_checked: Sequence[str]
    receiver: str
    events: Sequence[JsonValue]
    events_in_all: int

    @property
    def verdict(self) -> Verdict:
        """The worst of all findings."""
        verdicts = {finding.verdict for finding in self.findings}
        return "fail" if "fail" in verdicts else "warn" if "warn" in verdicts else "pass"
