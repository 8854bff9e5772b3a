"""What a component needs around it: an API, an intake and the platform, as a plan says, and the component itself."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from tests.faults.api import Api
from tests.faults.component import Component
from tests.faults.faulty_server import Asked, FaultyServer, Reply
from tests.faults.intake import KEY, Intake
from tests.faults.plan import Moment, Plan
from tests.faults.verdict import Verdict, missing, verdict_on

LOOK_SECONDS = 0.05
STOP_SECONDS = 2.0
"""How long a component may take to end when it is asked to."""

_ACCOUNT = {"api_key": "placeholder", "allow_private_networks": True, "timeout_seconds": 10}
_INTERVAL_MINUTES = 0.003


class Platform:
    """What the component needs of the platform: it gives secrets and takes log lines."""

    def __init__(self) -> None:
        self._logs: list[dict[str, str]] = []

    def answer(self, asked: Asked) -> Reply:
        """Play the runtime API."""
        if asked.path.endswith("/logs"):
            self._logs += json.loads(asked.body)["logs"]
            return Reply(body=b"{}")
        return Reply(body=json.dumps({"value": {"api_key": "secret-of-the-run"}}).encode())

    def messages(self, level: str) -> list[str]:
        """The lines of a level, oldest first."""
        return [line["message"] for line in self._logs if line["level"] == level]


class Stage:
    """An asynchronous context manager: servers that listen, and a component that is ready to be started.

    Args:
        folder: an empty one of its own.
        meet: called at each moment that a crash may wait for.
    """

    def __init__(self, plan: Plan, folder: Path, meet: Callable[[Moment], None] = lambda _: None) -> None:
        self.plan = plan
        self.platform = Platform()
        self.api = Api(plan, time.time(), lambda: meet("page answered"))
        self.intake = Intake(plan, read=lambda: meet("push read"), answered=lambda: meet("push answered"))
        self.intake_server = FaultyServer(self.intake.answer)
        self._api_server = FaultyServer(self.api.answer)
        self._platform_server = FaultyServer(self.platform.answer)
        self._servers = (self._api_server, self.intake_server, self._platform_server)
        self._folder = folder
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for server in self._servers:
            await self._stack.enter_async_context(server)
        self.component = Component(
            self._folder,
            account=_ACCOUNT,
            settings=self._settings(),
            platform_url=self._platform_server.url,
            intake_url=self.intake_server.url,
        )
        self._stack.push_async_callback(self.component.end)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def verdict(self) -> Verdict:
        """Judge what has arrived so far."""
        return verdict_on(
            self.api.contents(),
            self.intake.pushes,
            source=self.plan.source,
            batch_size=self.plan.batch_size,
            at_once=self.intake.at_once,
        )

    def mistakes(self) -> Sequence[str]:
        """What went wrong that has nothing to do with what arrived."""
        mistakes = [f"the intake got {what}" for what in self.intake.strange]
        mistakes += [f"in the output: {line}" for line in self.component.output() if line.startswith("Traceback")]
        return mistakes + [f"the harness itself: {server.failure!r}" for server in self._servers if server.failure]

    async def all_arrived_and_quiet(self, give_up: Callable[[], bool]) -> bool:
        """Wait until everything has arrived and a whole poll brings nothing more; False when that is given up."""
        pushes, rounds = -1, 0
        while not give_up():
            await asyncio.sleep(LOOK_SECONDS)
            if not self.component.alive:
                return False
            if pushes != len(self.intake.pushes):
                pushes, rounds = len(self.intake.pushes), self.api.rounds
            # After the round that was under way at the last push there was a whole one.
            elif self.api.rounds - rounds > 2 * len(self.plan.streams) and not self._missing():
                return True
        return False

    def _missing(self) -> bool:
        return bool(missing(self.api.contents(), self.intake.pushes))

    def _settings(self) -> dict[str, Any]:
        plan = self.plan
        return {
            **self.api.configuration(self._api_server.url),
            "intake_key": KEY,
            "batch_size": plan.batch_size,
            "compress": plan.compress,
            "source": plan.source,
            "polling_interval": _INTERVAL_MINUTES,
        }
