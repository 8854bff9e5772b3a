"""How a component is: well, or in trouble with its reason, told once when it begins and once when it ends."""

from datetime import UTC, datetime
from typing import Literal, Protocol

State = Literal["ok", "degraded", "failing"]


class Log(Protocol):
    """Where a line of the log goes."""

    def log(self, message: str, *, level: str) -> None:
        """Send a line to the log of the component."""


class Health:
    """The health of one component; each kind of trouble begins and ends by itself."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._troubles: dict[str, tuple[State, str, datetime]] = {}

    def begins(self, what: str, reason: str, *, state: State = "degraded", level: str = "error") -> None:
        """A trouble is there; only a new one, or one with another reason, is logged.

        Args:
            what: what is in trouble, for the log.
            reason: one sentence, without secrets.
        """
        known = self._troubles.get(what)
        if known and known[1] == reason:
            return
        self._troubles[what] = (state, reason, known[2] if known else datetime.now(UTC))
        self._log.log(f"{what} failed: {reason}", level=level)

    def ends(self, what: str) -> None:
        """The trouble is over, if there was any."""
        known = self._troubles.pop(what, None)
        if known:
            seconds = (datetime.now(UTC) - known[2]).total_seconds()
            self._log.log(f"{what} works again after {seconds:.0f} s", level="info")

    def context(self) -> dict[str, object]:
        """What the health endpoint shows: the worst state, and each trouble with its reason and its beginning."""
        states = [state for state, _, _ in self._troubles.values()]
        return {
            "state": "failing" if "failing" in states else "degraded" if states else "ok",
            "troubles": [
                {"what": what, "reason": reason, "since": since.isoformat(timespec="seconds")}
                for what, (_, reason, since) in self._troubles.items()
            ],
        }
