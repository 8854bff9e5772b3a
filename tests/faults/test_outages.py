"""Outages that take longer than a request: what the connector does meanwhile, and that nothing is lost in the end."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.faults.faulty_server import Reply
from tests.faults.intake import KEY, Treatment
from tests.faults.plan import Moment, Plan, plan_of
from tests.faults.stage import LOOK_SECONDS, STOP_SECONDS, Stage

PATIENCE_SECONDS = 30.0


def calm_plan(**changes: Any) -> Plan:
    """A run in which nothing goes wrong by chance: about two hundred events, in pushes of five."""
    calm = {"api_faults": 0, "intake_faults": 0, "crashes": (), "batch_size": 5}
    return replace(plan_of(651), **{**calm, **changes})


def play(stage: Stage, course: Callable[[Stage], Awaitable[None]]) -> None:
    """Let a course take place on a stage, and fail the test with whatever else went wrong there."""

    async def whole() -> None:
        async with stage:
            await course(stage)
            assert stage.mistakes() == []

    asyncio.run(whole())


async def eventually(condition: Callable[[], Any], what: str) -> None:
    end = monotonic() + PATIENCE_SECONDS
    while not condition():
        assert monotonic() < end, f"not within {PATIENCE_SECONDS:g} s: {what}"
        await asyncio.sleep(LOOK_SECONDS)


async def all_arrive(stage: Stage) -> None:
    end = monotonic() + PATIENCE_SECONDS
    assert await stage.all_arrived_and_quiet(lambda: monotonic() > end), stage.component.output()[-20:]


def test_what_an_intake_that_was_down_could_not_take_arrives_when_it_is_back(tmp_path: Path) -> None:
    async def course(stage: Stage) -> None:
        await stage.component.start()
        await eventually(lambda: len(stage.intake.pushes) > 3, "the first pushes")
        await stage.intake_server.close()
        await asyncio.sleep(3)
        assert stage.verdict().lost > 0
        await stage.intake_server.open()
        await all_arrive(stage)
        assert stage.verdict().lost == 0
        assert stage.verdict().repeated <= stage.plan.batch_size, "closing broke off one acknowledgement at most"

    play(Stage(calm_plan(), tmp_path), course)


def test_a_refused_key_ends_in_one_critical_line_and_nothing_is_remembered(tmp_path: Path) -> None:
    async def course(stage: Stage) -> None:
        stage.intake.key = "another key"
        await stage.component.start()
        await eventually(lambda: stage.platform.messages("critical"), "the refusal is told")
        pushes = len(stage.intake.pushes)
        await asyncio.sleep(2)
        assert len(stage.intake.pushes) == pushes, "asking again is useless"
        assert len(stage.platform.messages("critical")) == 1
        status, seconds = await stage.component.stop(STOP_SECONDS)
        assert status == 0, f"it was not over after {seconds:.1f} s"

        stage.intake.key = KEY
        await stage.component.start()
        await all_arrive(stage)
        assert stage.verdict().problems == []
        assert stage.verdict().repeated == 0

    play(Stage(calm_plan(), tmp_path), course)


def test_sigterm_in_a_slow_push_ends_it_within_two_seconds_and_the_next_start_delivers_it(tmp_path: Path) -> None:
    async def course(stage: Stage) -> None:
        # Nothing of it is stored, so it is lost if it is remembered.
        stage.intake.next_treatments.append(Treatment(reply=Reply(status=503, wait=8)))
        await stage.component.start()
        await eventually(lambda: stage.intake.pushes, "the slow push")
        await asyncio.sleep(0.3)
        status, seconds = await stage.component.stop(STOP_SECONDS)
        assert status == 0, f"it was not over after {seconds:.1f} s"

        await stage.component.start()
        await all_arrive(stage)
        assert stage.verdict().problems == []

    play(Stage(calm_plan(), tmp_path), course)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder for data that holds 256 KiB."""
    data = tmp_path / "data"
    data.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", data], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a file system that can be full needs root on Linux: {error}")
    yield data
    subprocess.run(["umount", "--lazy", data], check=True)


async def outlive_a_full_disk(stage: Stage, filler: Path) -> None:
    """Run while the disk is full, and on when there is room again."""
    await stage.component.start()
    await eventually(filler.exists, "the disk is full")
    await asyncio.sleep(3)
    assert stage.component.alive
    assert stage.platform.messages("error"), "it is told"
    make_room(filler)
    await all_arrive(stage)
    await stage.component.stop(STOP_SECONDS)


def make_room(filler: Path) -> None:
    filler.unlink()


def filling(filler: Path) -> Callable[[Moment], None]:
    """Fills the disk while the fourth push is under way, so that its keys cannot be remembered."""
    reads: list[Moment] = []

    def fill(moment: Moment) -> None:
        reads.append(moment)
        if moment != "push read" or reads.count(moment) != 4:
            return
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"x" * 512):
                pass

    return fill


def test_a_full_disk_loses_nothing_and_leaves_a_whole_state(tmp_path: Path, small_disk: Path) -> None:
    filler = small_disk / "filler"

    async def course(stage: Stage) -> None:
        await outlive_a_full_disk(stage, filler)
        assert stage.verdict().lost == 0
        pushes = len(stage.intake.pushes)
        await stage.component.start()
        await all_arrive(stage)
        assert len(stage.intake.pushes) == pushes, "everything is remembered"
        assert stage.platform.messages("critical") == []

    play(Stage(calm_plan(), tmp_path, filling(filler)), course)


@pytest.mark.xfail(reason="what was acknowledged and could not be remembered is pushed again with each poll")
def test_a_full_disk_repeats_one_batch_at_most(tmp_path: Path, small_disk: Path) -> None:
    filler = small_disk / "filler"

    async def course(stage: Stage) -> None:
        await outlive_a_full_disk(stage, filler)
        assert stage.verdict().repeated <= stage.plan.batch_size

    play(Stage(calm_plan(), tmp_path, filling(filler)), course)
