"""A connector in the style of the SDK's `AsyncConnector`: `async_iterate` yields pages of dictionaries.

Called as `python sdk_async.py DATA_FOLDER plain|tuned` in a folder with a manifest; the platform's values are in the
environment. Its limit of one request per second is lifted; `tuned` also fetches the next page while one is pushed. It
remembers no ids and keeps no state.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import orjson
from aiohttp import ClientSession
from aiolimiter import AsyncLimiter
from sekoia_automation import constants
from sekoia_automation.aio.connector import AsyncConnector
from sekoia_automation.connector import DefaultConnectorConfiguration
from sekoia_automation.module import Module

FREQUENCY_SECONDS = 3600
NO_LIMIT = 1_000_000


class Configuration(DefaultConnectorConfiguration):
    """What is read."""

    url: str


class PlainConnector(AsyncConnector):
    """Reads all pages once, one after the other."""

    configuration: Configuration
    cursor: str | None = "0"

    @property
    def frequency(self) -> int:
        return FREQUENCY_SECONDS

    def get_rate_limiter(self) -> AsyncLimiter:
        if self._rate_limiter is None:
            self._rate_limiter = AsyncLimiter(NO_LIMIT, 1)
        return self._rate_limiter

    async def page(self, session: ClientSession) -> list[dict]:
        """The records of the next page."""
        query = {"cursor": self.cursor or "", "limit": "1000"}
        async with session.get(self.configuration.url, params=query) as response:
            response.raise_for_status()
            page: dict[str, Any] = orjson.loads(await response.read())
        self.cursor = page["next_cursor"]
        return page["items"]

    async def async_iterate(self) -> AsyncGenerator[tuple[list[dict], datetime | None], None]:
        async with ClientSession() as session:
            while self.cursor:
                items = await self.page(session)
                yield items, date_of(items)


class TunedConnector(PlainConnector):
    """Fetches the next page while one is pushed."""

    async def async_iterate(self) -> AsyncGenerator[tuple[list[dict], datetime | None], None]:
        async with ClientSession() as session:
            fetching = asyncio.create_task(self.page(session)) if self.cursor else None
            while fetching:
                items = await fetching
                fetching = asyncio.create_task(self.page(session)) if self.cursor else None
                yield items, date_of(items)


def date_of(items: list[dict]) -> datetime | None:
    """The date of the last record."""
    return datetime.fromisoformat(items[-1]["time"]).replace(tzinfo=None) if items else None


if __name__ == "__main__":
    constants.DATA_STORAGE = sys.argv[1]
    connector = TunedConnector if sys.argv[2] == "tuned" else PlainConnector
    sys.argv = ["main.py", "Connector"]
    module = Module()
    module.register(connector, "Connector")
    module.run()
