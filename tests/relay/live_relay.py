"""A relay that is really listening, as the tests talk to it; the rules are in the test files."""

from dataclasses import dataclass

import requests

from relay.store import Store

TOKEN = "token-of-the-run-7f3a"
INTAKE_KEY = "key-of-the-intake-91bc"
MODULE_SECRET = "secret-of-the-module-c0de"


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveRelay:
    """A running relay with one run and one intake opened."""

    url: str
    store: Store
    run_id: int
    intake_id: int
    token: str = TOKEN
    intake_key: str = INTAKE_KEY

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def key_header(self) -> dict[str, str]:
        return {"X-SEKOIAIO-INTAKE-KEY": self.intake_key}

    def call(self, method: str, path: str, **options: object) -> requests.Response:
        return requests.request(method, f"{self.url}{path}", timeout=20, **options)  # type: ignore[arg-type]
