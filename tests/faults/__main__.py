"""The command line: many seeded runs, several at a time; `make faults` calls it."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.faults.plan import plan_of
from tests.faults.run import Outcome, Run


async def run_all(seeds: Sequence[int], workers: int) -> list[Outcome]:
    """Run the seeds, `workers` at a time, and tell how each of them ended."""
    outcomes: list[Outcome] = []
    waiting = iter(seeds)

    async def work() -> None:
        for seed in waiting:
            with tempfile.TemporaryDirectory() as folder:
                outcome = await Run(plan_of(seed), Path(folder)).outcome()
            outcomes.append(outcome)
            sys.stdout.write(f"{len(outcomes)}/{len(seeds)} {line_of(outcome)}\n")
            sys.stdout.flush()

    await asyncio.gather(*(work() for _ in range(workers)))
    return outcomes


def line_of(outcome: Outcome) -> str:
    """How a run ended: one line when it went well, all that helps when it did not."""
    plan, verdict = outcome.plan, outcome.verdict
    line = (
        f"seed {plan.seed}: {'FAILED' if outcome.problems else 'ok'}, {outcome.seconds:.1f} s, "
        f"{len(plan.entries)} events in {outcome.pushes} pushes by {outcome.processes} processes, "
        f"{verdict.lost} lost, {verdict.repeated} repeated"
    )
    if not outcome.problems:
        return line
    details = [f"  plan: {plan}", *(f"  problem: {problem}" for problem in outcome.problems)]
    output = [f"  | {text}" for text in outcome.last_lines]
    return "\n".join([line, *details, *output, f"  repeat it: python -m tests.faults --runs 1 --seed {plan.seed}"])


def summary_of(outcomes: list[Outcome]) -> str:
    """The totals over all runs."""
    failed = sorted(outcome.plan.seed for outcome in outcomes if outcome.problems)
    events = sum(len(outcome.plan.entries) for outcome in outcomes)
    stops = sorted(outcome.slowest_stop for outcome in outcomes)
    kills = sum(crash.signal is signal.SIGKILL for outcome in outcomes for crash in outcome.plan.crashes)
    return (
        f"{len(outcomes)} runs, {events} events, {kills} kills: "
        f"{sum(outcome.verdict.lost for outcome in outcomes)} lost, "
        f"{sum(outcome.verdict.repeated for outcome in outcomes)} repeated, "
        f"stopped after {stops[len(stops) // 2]:.1f} s (median) to {stops[-1]:.1f} s, "
        f"{len(failed)} runs failed{': seeds ' + ', '.join(map(str, failed)) if failed else ''}"
    )


async def main() -> int:
    """Read the command line, run, and give the exit status."""
    parser = argparse.ArgumentParser(prog="make faults", description="Seeded runs of the connector under faults.")
    parser.add_argument("--runs", type=int, default=200, help="number of runs (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first run; the next ones follow")
    parser.add_argument("--workers", type=int, default=4, help="runs at a time (default: 4)")
    given = parser.parse_args()
    task = asyncio.current_task()
    assert task is not None, "main is the task of the loop"
    # Ended in any other way, the components would be left behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    outcomes = await run_all(range(given.seed, given.seed + given.runs), given.workers)
    sys.stdout.write(summary_of(outcomes) + "\n")
    return any(outcome.problems for outcome in outcomes)


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("interrupted")
