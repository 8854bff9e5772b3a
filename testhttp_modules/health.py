"""How a component is: well, or in trouble with its reason, told once when it begins and once when it ends."""

from datetime import UTC, datetime
from typing import Literal, Protocol

from msgspec import Struct

State = Literal["ok", "degraded", "failing"]


class Log(Protocol):
    """Where a line of the log goes."""

    def log(self, message: str, *, level: str) -> None:
        """Send a line to the log of the component."""


class _Trouble(Struct, frozen=True, kw_only=True):
    """What is wrong, why, since when, and whether somebody else logs it."""

    state: State
    reason: str
    since: datetime
    silent: bool


class Health:
    """The health of one component; each kind of trouble begins and ends by itself."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._troubles: dict[str, _Trouble] = {}

    def begins(
        self, what: str, reason: str, *, state: State = "degraded", level: str = "error", silent: bool = False
    ) -> None:
        """A trouble is there; only a new one, or one with another reason, is logged.

        Args:
            what: what is in trouble, for the log.
            reason: one sentence, without secrets.
            level: of the line that tells of it.
            silent: does somebody else log it?
        """
        known = self._troubles.get(what)
        if known and known.reason == reason:
            return
        since = known.since if known else datetime.now(UTC)
        self._troubles[what] = _Trouble(state=state, reason=reason, since=since, silent=silent)
        if not silent:
            self._log.log(f"{what} failed: {reason}", level=level)

    def ends(self, what: str) -> None:
        """The trouble is over, if there was any."""
        known = self._troubles.pop(what, None)
        if known and not known.silent:
            seconds = (datetime.now(UTC) - known.since).total_seconds()
            self._log.log(f"{what} works again after {seconds:.0f} s", level="info")

    def context(self) -> dict[str, object]:
        """What the health endpoint shows: the worst state, and each trouble with its reason and its beginning."""
        troubles = dict(self._troubles)
        states = [trouble.state for trouble in troubles.values()]
        return {
            "state": "failing" if "failing" in states else "degraded" if states else "ok",
            "troubles": [
                {"what": what, "reason": trouble.reason, "since": trouble.since.isoformat(timespec="seconds")}
                for what, trouble in troubles.items()
            ],
        }
