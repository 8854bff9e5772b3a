"""How libraries that know no intake push to it: events as text, a thousand in a request, over one connection."""

from collections.abc import Iterable, Mapping

import orjson
import requests

BATCH_SIZE = 1000
_HEADERS = {"Content-Type": "application/json"}


class Intake:
    """The intake, and the events that wait for their batch to be full."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/batch"
        self._session = requests.Session()
        self._waiting: list[str] = []

    def add(self, record: Mapping[str, object]) -> None:
        """Take a record; when a batch is full it is pushed."""
        # Singer's numbers are decimals.
        self._waiting.append(orjson.dumps(record, default=float).decode())
        if len(self._waiting) == BATCH_SIZE:
            self.flush()

    def add_all(self, records: Iterable[Mapping[str, object]]) -> None:
        """Take records."""
        for record in records:
            self.add(record)

    def flush(self) -> None:
        """Push what waits."""
        if not self._waiting:
            return
        body = orjson.dumps({"intake_key": "benchmark", "jsons": self._waiting})
        answer = self._session.post(self._url, data=body, headers=_HEADERS, timeout=60)
        answer.raise_for_status()
        if len(orjson.loads(answer.content)["event_ids"]) != len(self._waiting):
            raise RuntimeError("the intake acknowledged another number of events")
        self._waiting = []
