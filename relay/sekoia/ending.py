"""When a run that would go on for ever has shown enough; stopping it is the caller's affair."""

from collections.abc import Callable
from dataclasses import dataclass

from relay.sekoia.manifests import Kind

QUIET_SECONDS = 1.5
PATIENCE_WITH_ERRORS_SECONDS = 8.0
LONGEST_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run is: seconds since its start, things delivered, log lines of level error or worse."""

    elapsed: float
    arrived: int
    errors: int


EndingRule = Callable[[Progress], str | None]
"""Gives the reason to stop now, or None to go on."""


def rule_for(kind: Kind, *, once: bool, seconds: float | None) -> EndingRule:
    """The rule of one run: a duration if one is given, else one delivery if asked for, else none.

    An action needs none to run once: it ends by itself.
    """
    if seconds is not None:
        return _after(seconds)
    return OnceQuiet() if once and kind is not Kind.ACTION else _never


def _never(_progress: Progress) -> str | None:
    return None


def _after(seconds: float) -> EndingRule:
    def rule(progress: Progress) -> str | None:
        return f"{seconds:g} s were over" if progress.elapsed >= seconds else None

    return rule


class OnceQuiet:
    """Stop when something arrived and then nothing more for a moment, or when nothing is going to arrive."""

    def __init__(self) -> None:
        self._arrived = 0
        self._changed_at = 0.0

    def __call__(self, progress: Progress) -> str | None:
        """Give the reason to stop now; called again and again with a growing `elapsed`."""
        if progress.arrived != self._arrived:
            self._arrived, self._changed_at = progress.arrived, progress.elapsed
        if self._arrived and progress.elapsed - self._changed_at >= QUIET_SECONDS:
            return "all of the first delivery had arrived"
        if not self._arrived and progress.errors and progress.elapsed >= PATIENCE_WITH_ERRORS_SECONDS:
            return f"it logged an error and delivered nothing in {PATIENCE_WITH_ERRORS_SECONDS:g} s"
        if progress.elapsed >= LONGEST_SECONDS:
            return f"{LONGEST_SECONDS:g} s were over"
        return None
