"""One run: a process that dies as the plan says and is started again, until all has arrived, and then the verdict."""

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.plan import Crash, Moment, Plan
from tests.faults.stage import Stage
from tests.faults.verdict import Verdict

PATIENCE_SECONDS = 60.0
"""How long after the last thing that went wrong everything must have arrived."""

_CRASH_SECONDS = 6.0
_STOP_SECONDS = 10.0
"""When a process that was asked to stop is taken for one that does not; with many at work two seconds say nothing."""

_LAST_LINES = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a run, and what helps to find out why.

    Attributes:
        problems: of the verdict and of the processes; empty is good.
        seconds: how long it took.
        processes: how many were started.
        pushes: how many the intake has read.
        slowest_stop: seconds from a SIGTERM to the end of the process, at most.
        last_lines: of the component's output.
    """

    plan: Plan
    problems: Sequence[str]
    verdict: Verdict
    seconds: float
    processes: int
    pushes: int
    slowest_stop: float
    last_lines: Sequence[str]


class Run:
    """The course of a run.

    Args:
        folder: an empty one of its own.
        patience: seconds after the last thing that went wrong.
    """

    def __init__(self, plan: Plan, folder: Path, *, patience: float = PATIENCE_SECONDS) -> None:
        self._plan = plan
        self._patience = patience
        self._problems: list[str] = []
        self._armed: Crash | None = None
        self._count = 0
        self._signalled = self._slowest_stop = 0.0
        self._begun = self._last_start = time.monotonic()
        self.stage = Stage(plan, folder, self._meet)

    async def outcome(self) -> Outcome:
        """Run, and judge."""
        async with self.stage:
            for crash in self._plan.crashes:
                await self._live_until(crash)
            await self._live_until_quiet()
            return self._judged()

    async def _live_until(self, crash: Crash) -> None:
        """Start a process and let it die as the plan says."""
        component = self.stage.component
        self._armed, self._count, self._signalled = crash, crash.count, 0.0
        await component.start()
        # What it waits for may not happen any more.
        seconds = crash.delay if crash.moment == "time" else _CRASH_SECONDS
        timer = asyncio.get_running_loop().call_later(seconds, self._fire, crash)
        status = await component.ended(within=seconds + _STOP_SECONDS)
        timer.cancel()
        # Before a process has said what SIGTERM does, it ends a process as any other signal does.
        good = {-signal.SIGKILL} if crash.signal is signal.SIGKILL else {0, -signal.SIGTERM}
        if not self._signalled or status not in good:
            self._problems.append(f"process {component.number}, {crash.signal.name}: ended with status {status}")
        elif crash.signal is signal.SIGTERM:
            self._slowest_stop = max(self._slowest_stop, time.monotonic() - self._signalled)
        await component.end()
        await asyncio.sleep(crash.pause)

    def _meet(self, moment: Moment) -> None:
        crash = self._armed
        if crash is None or crash.moment != moment:
            return
        self._count -= 1
        if self._count > 0:
            return
        if crash.delay:
            asyncio.get_running_loop().call_later(crash.delay, self._fire, crash)
        else:
            self._fire(crash)

    def _fire(self, crash: Crash) -> None:
        if self._armed is crash:
            self._armed, self._signalled = None, time.monotonic()
            self.stage.component.send(crash.signal)

    async def _live_until_quiet(self) -> None:
        """Start the last process, wait until everything has arrived and nothing more comes, and stop it."""
        component = self.stage.component
        await component.start()
        self._last_start = time.monotonic()
        if not await self.stage.all_arrived_and_quiet(self._patience_is_over):
            self._problems.append(
                f"not all had arrived, or more still came, {self._patience:g} s after the last fault"
                if component.alive
                else f"the last process ended unasked, with status {await component.ended(within=1)}"
            )
        status, seconds = await component.stop(_STOP_SECONDS)
        self._slowest_stop = max(self._slowest_stop, seconds)
        if status != 0:
            self._problems.append(f"SIGTERM at the end: status {status} after {seconds:.1f} s")

    def _patience_is_over(self) -> bool:
        if not self.stage.component.alive:
            return True
        last_arrival = self._begun + max(entry.appears for entry in self._plan.entries)
        last = max(self._last_start, self.stage.api.last_fault, self.stage.intake.last_fault, last_arrival)
        return time.monotonic() - last > self._patience

    def _judged(self) -> Outcome:
        stage, verdict = self.stage, self.stage.verdict()
        critical = [f"critical: {message}" for message in stage.platform.messages("critical")]
        # Hundreds of polls find nothing.
        lines = [line for line in stage.component.output() if " 0 events collected" not in line]
        return Outcome(
            plan=self._plan,
            problems=[*self._problems, *verdict.problems, *critical, *stage.mistakes()],
            verdict=verdict,
            seconds=time.monotonic() - self._begun,
            processes=stage.component.number,
            pushes=len(stage.intake.pushes),
            slowest_stop=self._slowest_stop,
            last_lines=lines[-_LAST_LINES:],
        )
