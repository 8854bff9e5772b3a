"""A few of the seeded runs; `make faults` does two hundred."""

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.faults.__main__ import line_of, run_all
from tests.faults.intake import Treatment, taken
from tests.faults.plan import plan_of
from tests.faults.run import Run

SEEDS = (101, 111, 116, 125, 132, 152, 176)
"""Short ones; together they page in each style but two, and end in each way."""


def test_nothing_is_lost_and_a_crash_repeats_one_batch_at_most() -> None:
    outcomes = asyncio.run(run_all(SEEDS, workers=4))

    failed = [line_of(outcome) for outcome in outcomes if outcome.problems]
    assert not failed, "\n".join(failed)
    assert len(outcomes) == len(SEEDS)
    assert any(outcome.verdict.repeated for outcome in outcomes), "without crashes in pushes it shows nothing"


def test_a_run_notices_an_intake_that_forgets(tmp_path: Path) -> None:
    run = Run(replace(plan_of(651), crashes=(), intake_faults=0, api_faults=0), tmp_path, patience=3)
    run.stage.intake.next_treatments.append(Treatment(reply=taken(1000).reply, stored=0, acknowledged=True))

    outcome = asyncio.run(run.outcome())

    assert outcome.verdict.lost > 0
    assert any("were lost" in problem for problem in outcome.problems)
