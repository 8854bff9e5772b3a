"""The demonstration: this module's three components at work at once on the sample API, and a table of what arrived."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from relay.foreground import Foreground
from relay.sekoia.manifests import Kind, Module, read_module
from relay.sekoia.report import counted, log_levels
from relay.sekoia.run_file import read_run_file
from relay.sekoia.runner import RunningComponent, Workshop, end_component, start_component
from relay.server import RunningServer, create_app
from relay.store import Run, Store

LONGEST_SECONDS = 60.0
SUMMARY_SECONDS = 10.0
TICK_SECONDS = 0.2
LEVEL_STYLES = {"error": "red", "critical": "bold red", "fatal": "bold red", "warning": "yellow"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One component of the demonstration; its configuration is `examples/<example>`."""

    component: str
    example: str
    colour: str


PARTS = (
    Part(component="Request", example="demo_request.json", colour="cyan"),
    Part(component="TesthttpConnector", example="demo_connector.json", colour="green"),
    Part(component="NewEntriesTrigger", example="demo_trigger.json", colour="magenta"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How far one component is, as a row of the table; `stuck` says that nothing more will come of it."""

    component: str
    delivered: bool
    stuck: bool
    detail: str
    logs: dict[str, int]


def run_demo(foreground: Foreground, *, repository: Path, port: int, once: bool) -> bool:
    """Show the three components at work until interrupted, or with `once` until all have delivered.

    Gives whether all three delivered. RunError when a component cannot be started at all.
    """
    started = foreground.clock()
    console = foreground.console
    with (
        TemporaryDirectory(prefix="relay-demo-") as folder,
        _store(folder) as store,
        RunningServer(create_app(store), port=port) as server,
    ):
        _announce(console, server, port)
        workshop = Workshop(store=store, relay_url=server.url, folder=Path(folder), environment=dict(os.environ))
        with _components(workshop, repository, foreground) as running:
            _watch(running, store, foreground, once=once)
        outcomes = [_outcome(one, store) for one in running]
        _show(outcomes, console)
    late = [one.component for one in outcomes if not one.delivered]
    if late:
        console.print(f"Nothing delivered by: {', '.join(late)}.", style="red")
    else:
        console.print(f"All three delivered ({foreground.clock() - started:.1f} s).", style="green")
    return not late


@contextmanager
def _store(folder: str) -> Iterator[Store]:
    store = Store(f"sqlite:///{folder}/relay.sqlite3")
    try:
        yield store
    finally:
        store.close()


def _announce(console: Console, server: RunningServer, wanted_port: int) -> None:
    if wanted_port not in (0, server.port):
        console.print(f"Port {wanted_port} is taken; port {server.port} is used instead.", style="yellow")
    console.print(
        Panel.fit(
            Text.assemble("Watch it at  ", (f"{server.url}/", "bold underline"), "\nCtrl-C ends the demonstration."),
            title="TestHTTP demonstration",
            padding=(1, 4),
        )
    )


@contextmanager
def _components(workshop: Workshop, repository: Path, foreground: Foreground) -> Iterator[list[RunningComponent]]:
    """All parts at work; at the end all are told to stop first and waited for afterwards."""
    module = read_module(repository)
    running: list[RunningComponent] = []
    try:
        for part in PARTS:
            one = _start(part, workshop, module, repository, foreground.console)
            # One at a time: when a start fails, those before it are stopped.
            running.append(one)
        yield running
    finally:
        for one in running:
            one.child.ask_to_stop()
        for one in running:
            end_component(workshop.store, one, hurry=foreground.interruption.insisted)


def _start(part: Part, workshop: Workshop, module: Module, repository: Path, console: Console) -> RunningComponent:
    width = max(len(one.component) for one in PARTS)
    prefix = Text(f"{part.component:<{width}} │ ", style=part.colour)
    return start_component(
        workshop,
        module=module,
        component=module.component(part.component),
        run_file=read_run_file(repository / "examples" / part.example),
        python=Path(sys.executable),
        on_line=lambda line: console.print(prefix + Text.from_ansi(line, style="dim"), soft_wrap=True),
    )


def _watch(running: list[RunningComponent], store: Store, foreground: Foreground, *, once: bool) -> None:
    started = foreground.clock()
    next_summary = SUMMARY_SECONDS
    announced: set[str] = set()
    while not foreground.interruption.wait(TICK_SECONDS):
        elapsed = foreground.clock() - started
        outcomes = [_outcome(one, store) for one in running]
        for one in outcomes:
            if one.delivered and one.component not in announced:
                announced.add(one.component)
                foreground.console.print(f"✓ {one.component} {one.detail}", style="bold green", highlight=False)
        if once and (all(one.delivered or one.stuck for one in outcomes) or elapsed >= LONGEST_SECONDS):
            return
        if elapsed >= next_summary:
            _show(outcomes, foreground.console)
            next_summary += SUMMARY_SECONDS


def _outcome(running: RunningComponent, store: Store) -> Outcome:
    run = next(run for run in store.runs() if run.id == running.run_id)
    status = running.child.exit_status()
    delivered, detail = _delivery(running.component.kind, run, store)
    return Outcome(
        component=running.component.name,
        delivered=delivered,
        stuck=status is not None and not delivered,
        detail=detail,
        logs=store.logs_by_level(running.run_id),
    )


def _delivery(kind: Kind, run: Run, store: Store) -> tuple[bool, str]:
    """Whether something arrived, and in words; the totals tell the connector from the trigger: one of each runs."""
    if kind is Kind.CONNECTOR:
        events = store.totals().events
        return events > 0, f"{counted(events, 'event')} collected"
    if kind is Kind.TRIGGER:
        playbook_runs = store.totals().playbook_runs
        return playbook_runs > 0, f"{counted(playbook_runs, 'playbook run')} started"
    return _action_delivery(run)


def _action_delivery(run: Run) -> tuple[bool, str]:
    if run.status != "finished":
        return False, "running"
    if run.error is not None:
        return False, f"failed: {run.error.strip().splitlines()[-1]}"
    if not isinstance(run.results, dict):
        return False, "finished without results"
    length = len(str(run.results.get("text", "")))
    return True, f"answered {run.results.get('status_code')}, {counted(length, 'character')}"


def _show(outcomes: list[Outcome], console: Console) -> None:
    table = Table(title="What arrived", title_justify="left")
    table.add_column("Component", no_wrap=True)
    table.add_column("Result", overflow="fold")
    table.add_column("Log lines", overflow="fold")
    for one, part in zip(outcomes, PARTS, strict=True):
        table.add_row(
            Text(one.component, part.colour),
            Text(one.detail, "red" if one.stuck else "green" if one.delivered else ""),
            Text(log_levels(one.logs), _worst_style(one.logs)),
        )
    console.print(table)


def _worst_style(logs: dict[str, int]) -> str:
    return next((style for level, style in LEVEL_STYLES.items() if logs.get(level)), "")
