"""The report of a preview as a person reads it."""

from typing import Any
from urllib.parse import unquote_plus

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from relay.sekoia.report import counted, one_line

STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red"}
LONGEST_EVENT = 1500
LONGEST_BODY = 300

Document = dict[str, Any]


def show_preview(report: Document, console: Console) -> None:
    """Print a report."""
    console.print(Text(_title(report), "bold"))
    for line in _about(report):
        console.print(Text(line))
    console.print()
    _show_requests(report, console)
    _show_findings(report, console)
    _show_events(report, console)
    console.print(_result(report))


def _title(report: Document) -> str:
    stream = f", stream {report['stream']}" if report["stream"] else ""
    return f"Preview of {report['component']}{stream}"


def _about(report: Document) -> list[str]:
    lines = []
    if report["window"]:
        since, until = (text[:19].replace("T", " ") for text in report["window"])
        lines.append(f"Window: {since} to {until} UTC")
    if report["other_streams"]:
        lines.append(f"Other streams: {', '.join(report['other_streams'])}; look at one with --stream NAME")
    return lines


def _show_requests(report: Document, console: Console) -> None:
    sent = report["requests"]
    console.print(Text(f"Requests sent: {len(sent)} of at most {report['most_requests']}", "bold"))
    before: Document = {"url": "", "body": None}
    for line in sent:
        seconds = "" if line["seconds"] is None else f", {_took(line['seconds'])}"
        records = "" if line["records"] is None else f", {counted(line['records'], 'record')}"
        console.print(Padding(Text(f"{line['step']}: {line['outcome']}{seconds}{records}"), (0, 1)))
        # Escapes are for machines; --json has them.
        address = unquote_plus(_without_repeats(line["url"], before["url"]))
        asked = f"{line['method']} {address}{_news_of(line['body'], before['body'])}"
        console.print(Padding(Text(asked, "dim"), (0, 1, 0, 3)))
        before = line
    console.print()


def _show_findings(report: Document, console: Console) -> None:
    console.print(Text("Findings", "bold"))
    table = Table(box=None, show_header=False, padding=(0, 1))
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for finding in report["findings"]:
        text = Text(finding["text"])
        for line in _remedies(finding):
            text.append(f"\n→ {line}", "cyan")
        table.add_row(Text(finding["verdict"], STYLES[finding["verdict"]]), Text(finding["topic"]), text)
    console.print(table)
    if report["not_checked"]:
        what = ", ".join(topic.lower() for topic in report["not_checked"])
        console.print(Padding(Text(f"Not checked, for want of data: {what}.", "dim"), (0, 1)))
    console.print()


def _remedies(finding: Document) -> list[str]:
    """What to change, one per line: with values where there are any to propose."""
    proposed = [f"{one['setting']}: {one['value'] or 'empty'}  ({one['why']})" for one in finding["suggestions"]]
    named = {one["setting"] for one in finding["suggestions"]}
    others = [setting for setting in finding["settings"] if setting not in named]
    return [*proposed, f"change {' or '.join(others)}"] if others else proposed


def _show_events(report: Document, console: Console) -> None:
    events = report["events"]
    if not events:
        return
    console.print(
        Text(f"Events as {report['receiver']} would get them, {len(events)} of {report['events_in_all']:,}", "bold")
    )
    for event in events:
        console.print(Padding(Text(_cut(one_line(event), LONGEST_EVENT)), (0, 1)))
    console.print()


def _without_repeats(url: str, before: str) -> str:
    """An address without the parameters at its beginning that the one before has too."""
    fields, earlier = url.split("&"), before.split("&")
    same = next((place for place, pair in enumerate(zip(fields, earlier, strict=False)) if pair[0] != pair[1]), None)
    if same is None:
        same = min(len(fields), len(earlier))
    return f"…&{'&'.join(fields[same:])}" if 0 < same < len(fields) else url


def _news_of(body: object, before: object) -> str:
    """A body without the fields that the one before has too; nothing when there is none."""
    if isinstance(body, dict) and isinstance(before, dict):
        body = {name: value for name, value in body.items() if before.get(name) != value}
    return "" if body is None else f" {_cut(one_line(body), LONGEST_BODY)}"


def _took(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _cut(text: str, longest: int) -> str:
    return f"{text[:longest]}…" if len(text) > longest else text


def _result(report: Document) -> str:
    verdicts = [finding["verdict"] for finding in report["findings"]]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in STYLES if verdict in verdicts)
    style = STYLES[report["verdict"]]
    meaning = {
        "pass": "Ready to run.",
        "warn": "It would run; look at the warnings first.",
        "fail": "Not ready: mend what fails, from the top.",
    }[report["verdict"]]
    return f"[{style}]{escape(f'Result: {counts}.')}[/] {escape(meaning)} Nothing was delivered or remembered."
