"""One run of one component against a relay of its own; starting and reporting live in `relay/sekoia/`."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.text import Text

from relay.foreground import Foreground
from relay.sekoia.ending import EndingRule, Progress
from relay.sekoia.manifests import Component, Module, read_module
from relay.sekoia.report import RunEnd, RunReport, report_of
from relay.sekoia.run_errors import RunError
from relay.sekoia.run_file import RunFile, read_run_file
from relay.sekoia.runner import RunningComponent, Workshop, end_component, start_component
from relay.server import RunningServer, create_app
from relay.store import Store

TICK_SECONDS = 0.1
ERROR_LEVELS = ("error", "critical", "fatal")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOrder:
    """What the user asked to run, checked as far as it can be without starting anything."""

    module: Module
    component: Component
    run_file: RunFile
    python: Path


def read_order(*, component: str, config: Path, module: Path, python: Path | None) -> RunOrder:
    """Check what the user asked for; RunError says in one sentence what is wrong."""
    described = read_module(module)
    known = described.component(component)
    run_file = read_run_file(config)
    run_file.settings(known)
    return RunOrder(module=described, component=known, run_file=run_file, python=find_python(python))


def find_python(asked: Path | None) -> Path:
    """The interpreter to use: the one asked for, by path or by name, or the one that runs the relay."""
    if asked is None:
        return Path(sys.executable)
    found = shutil.which(asked)
    if found is None:
        raise RunError(f"{asked} is not a program that can be run; choose an interpreter with --python.")
    # Not resolved: the interpreter of a virtual environment is a link, and works by the link's own place.
    return Path.cwd() / found


def run_once(order: RunOrder, foreground: Foreground, *, port: int, rule: EndingRule) -> RunReport:
    """Run the component until it ends, `rule` says so or the user interrupts, and report what arrived."""
    with TemporaryDirectory(prefix="relay-run-") as folder:
        store = Store(f"sqlite:///{folder}/relay.sqlite3")
        try:
            with RunningServer(create_app(store), port=port) as server:
                foreground.console.print(f"Relay at {server.url}", highlight=False)
                workshop = Workshop(
                    store=store, relay_url=server.url, folder=Path(folder), environment=dict(os.environ)
                )
                return _run_in(workshop, order, foreground, rule)
        finally:
            store.close()


def _run_in(workshop: Workshop, order: RunOrder, foreground: Foreground, rule: EndingRule) -> RunReport:
    started = foreground.clock()
    running = start_component(
        workshop,
        module=order.module,
        component=order.component,
        run_file=order.run_file,
        python=order.python,
        on_line=lambda line: foreground.console.print(Text.from_ansi(line, style="dim"), soft_wrap=True),
    )
    reason = None
    try:
        reason = _until_end(running, workshop.store, foreground, rule)
    finally:
        running.child.ask_to_stop()
        status = end_component(workshop.store, running, hurry=foreground.interruption.insisted)
    end = RunEnd(
        seconds=foreground.clock() - started,
        reason=reason or "it ended by itself",
        told_to_stop=reason is not None,
        exit_status=status,
    )
    return report_of(workshop.store, component=order.component, run_id=running.run_id, end=end)


def _until_end(running: RunningComponent, store: Store, foreground: Foreground, rule: EndingRule) -> str | None:
    """Watch until there is a reason to stop the component; None when it ended by itself."""
    started = foreground.clock()
    while running.child.exit_status() is None:
        if foreground.interruption.wait(TICK_SECONDS):
            return "stopped by the user"
        if reason := rule(_progress(running, store, foreground.clock() - started)):
            return reason
    return None


def _progress(running: RunningComponent, store: Store, elapsed: float) -> Progress:
    totals = store.totals()
    logs = store.logs_by_level(running.run_id)
    return Progress(
        elapsed=elapsed,
        arrived=totals.events + totals.playbook_runs,
        errors=sum(count for level, count in logs.items() if level.lower() in ERROR_LEVELS),
    )
