"""A connector in the style that the SDK offers with `next_run`: `iterate` yields pages of dictionaries.

Called as `python sdk_next_run.py DATA_FOLDER` in a folder with a manifest; the platform gives its values in the
environment.
It remembers no ids and keeps no state.
"""

import sys
from collections.abc import Generator
from datetime import datetime

import orjson
import requests
from sekoia_automation import constants
from sekoia_automation.connector import Connector, DefaultConnectorConfiguration
from sekoia_automation.module import Module

FREQUENCY_SECONDS = 3600


class Configuration(DefaultConnectorConfiguration):
    """What is read."""

    url: str


class NextRunConnector(Connector):
    """Reads all pages once."""

    configuration: Configuration
    cursor: str | None = "0"

    @property
    def frequency(self) -> int:
        return FREQUENCY_SECONDS

    def iterate(self) -> Generator[tuple[list[dict], datetime | None], None]:
        session = requests.Session()
        while self.cursor:
            query = {"cursor": self.cursor, "limit": "1000"}
            response = session.get(self.configuration.url, params=query, timeout=60)
            response.raise_for_status()
            page = orjson.loads(response.content)
            self.cursor = page["next_cursor"]
            items = page["items"]
            yield items, datetime.fromisoformat(items[-1]["time"]).replace(tzinfo=None) if items else None


if __name__ == "__main__":
    constants.DATA_STORAGE = sys.argv[1]
    sys.argv = ["main.py", "Connector"]
    module = Module()
    module.register(NextRunConnector, "Connector")
    module.run()
