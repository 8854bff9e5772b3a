"""What one run delivered, as a value and as the user reads it; how the run was made lives in `runner.py`."""

import json
import signal
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from relay.sekoia.manifests import Component, Kind
from relay.store import Store

SHOWN = 5
LISTED = 20
GOOD_ENDINGS = (0, -signal.SIGTERM)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnd:
    """How and when a run ended: after `seconds`, for a `reason` in words; a negative `exit_status` is a signal."""

    seconds: float
    reason: str
    told_to_stop: bool
    exit_status: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """One run of a component: how it ended and what the relay holds of it."""

    component: Component
    end: RunEnd
    events: int
    playbook_runs: int
    logs: dict[str, int]
    results: object
    error: str | None
    latest_events: tuple[str, ...]
    latest_playbook_runs: tuple[object, ...]

    @property
    def delivered(self) -> bool:
        """Whether anything of use reached the relay; an action must have finished without an error."""
        if self.component.kind is Kind.ACTION:
            return self.error is None
        return self.events + self.playbook_runs > 0

    @property
    def ended_as_told(self) -> bool:
        """Whether it ended when it should, and in order: an action by itself, the others when told to."""
        wanted = self.component.kind is not Kind.ACTION
        return self.end.told_to_stop == wanted and self.end.exit_status in GOOD_ENDINGS

    @property
    def succeeded(self) -> bool:
        """What the exit code of the command says."""
        return self.delivered and self.ended_as_told

    @property
    def status_code(self) -> int | None:
        """The HTTP status among an action's results, if it is there."""
        code = self.results.get("status_code") if isinstance(self.results, dict) else None
        return code if isinstance(code, int) else None


def report_of(store: Store, *, component: Component, run_id: int, end: RunEnd) -> RunReport:
    """Collect the report of a run that had `store` to itself."""
    totals = store.totals()
    run = next(run for run in store.runs() if run.id == run_id)
    return RunReport(
        component=component,
        end=end,
        events=totals.events,
        playbook_runs=totals.playbook_runs,
        logs=store.logs_by_level(run_id),
        results=run.results,
        error=run.error,
        latest_events=tuple(event.text for event in store.latest_events(LISTED)),
        latest_playbook_runs=tuple(run.event for run in store.latest_playbook_runs(LISTED)),
    )


def to_json(report: RunReport) -> dict[str, Any]:
    """The report as one JSON document; events that are JSON are given as such."""
    return {
        "component": report.component.name,
        "kind": report.component.kind.value,
        "seconds": round(report.end.seconds, 3),
        "exit_status": report.end.exit_status,
        "ended": report.end.reason,
        "succeeded": report.succeeded,
        "events": report.events,
        "playbook_runs": report.playbook_runs,
        "log_lines": report.logs,
        "results": report.results,
        "error": report.error,
        "latest_events": [_as_json(text) for text in report.latest_events],
        "latest_playbook_runs": list(report.latest_playbook_runs),
    }


def show(report: RunReport, console: Console) -> None:
    """Print the report as a table, each line cut to the width of the terminal."""
    table = Table(title=f"{report.component.name} ({report.component.kind})", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(report):
        table.add_row(name, value)
    console.print()
    console.print(table)
    _show_latest(report, console)


def counted(count: int, thing: str) -> str:
    """A count with its thing: `1 event`, `2,000 events`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def log_levels(logs: dict[str, int]) -> str:
    """Log lines by level as a phrase: `12 info, 1 error`."""
    return ", ".join(f"{count} {level}" for level, count in sorted(logs.items())) or "0"


def one_line(value: object) -> str:
    """Any value on one line, texts as they are and the rest as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split())


def _rows(report: RunReport) -> list[tuple[str, Text]]:
    rows = [
        ("result", Text("delivered", "green") if report.succeeded else Text(_why_not(report), "red")),
        ("seconds", Text(f"{report.end.seconds:.1f}")),
        ("exit status", Text(f"{_exit_words(report.end.exit_status)} ({report.end.reason})")),
    ]
    if report.component.kind is Kind.ACTION:
        rows += [("status code", Text("none" if report.status_code is None else str(report.status_code)))]
        rows += [("error", Text(_last_line(report.error), "red"))] if report.error else []
    else:
        rows += [
            ("events", Text(f"{report.events:,}")),
            ("playbook runs", Text(f"{report.playbook_runs:,}")),
            ("log lines", Text(log_levels(report.logs))),
        ]
    return rows


def _why_not(report: RunReport) -> str:
    if not report.delivered:
        return "failed" if report.component.kind is Kind.ACTION else "nothing arrived"
    return "delivered, but it did not end in order"


def _exit_words(status: int) -> str:
    if status == -signal.SIGKILL:
        return "killed, because it did not end when told to"
    return str(status) if status >= 0 else f"ended by {signal.Signals(-status).name}"


def _show_latest(report: RunReport, console: Console) -> None:
    if isinstance(report.results, dict):
        _show_lines("Results", [f"{name}: {one_line(value)}" for name, value in report.results.items()], console)
    _show_lines("Latest events", [one_line(text) for text in report.latest_events[:SHOWN]], console)
    _show_lines("Latest playbook runs", [one_line(event) for event in report.latest_playbook_runs[:SHOWN]], console)


def _show_lines(title: str, lines: list[str], console: Console) -> None:
    if lines:
        console.print(Text(title, "bold"))
    for line in lines:
        console.print(Text(f"  {line}"), no_wrap=True, overflow="ellipsis", crop=True)


def _last_line(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    return lines[-1] if lines else ""


def _as_json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
