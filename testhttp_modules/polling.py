"""The one loop of the connector and the trigger: poll, wait, back off, report; what a poll does is not known here."""

import time
from binascii import Error as Base64Error
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import Protocol, TypeVar

from sekoia_automation.configuration.exception import MissingConfigurationError
from sekoia_automation.exceptions import AutomationSDKError

from httpkit import turns
from httpkit.errors import HttpkitError, RefusedError, SettingsError, UnavailableError
from httpkit.stopping import Stopped
from testhttp_modules.translation import sentence

Result = TypeVar("Result")

HEARTBEAT_SECONDS = 30.0
"""Longest time between two signs of life while waiting."""

DEAD_AFTER_SECONDS = 1800
"""A component that gives no sign of life for so long is restarted by the platform; a long poll gives one per page."""

_SHORTEST_PAUSE = 1.0
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 300.0


class Component(Protocol):
    """What the loop needs of a connector or a trigger of the SDK."""

    def log(self, message: str, *, level: str) -> None:
        """Send a line to the log of the component."""

    def heartbeat(self) -> None:
        """Give a sign of life."""


def run_every(minutes: float, poll: Callable[[], str], component: Component, stop: Event) -> None:
    """Poll until the stop event is set.

    After a failure the next poll comes after a pause that doubles from five seconds up to five minutes, but never
    later than the regular one, and never earlier than the server told.

    Args:
        poll: does one poll and says what came of it.

    Raises:
        SettingsError: only a human can help.
    """
    interval, failures, known = minutes * 60, 0, ""
    while not stop.is_set():
        component.heartbeat()
        start = time.monotonic()
        try:
            outcome = poll()
        except Stopped:
            return
        except SettingsError:
            raise
        except HttpkitError as error:
            pause = _pause_after(error, failures, interval)
            failures += 1
            # One error when it begins and one line when it ends; what lasts is told at a lower level.
            level = "info" if error.message == known else "error"
            known = error.message
            component.log(f"Poll failed, next try in {_spoken(pause)}: {error.message}", level=level)
        else:
            if failures:
                component.log(f"Polling works again after {failures} failed polls", level="info")
            failures, known = 0, ""
            pause = max(0.0, interval - (time.monotonic() - start))
            component.log(f"{outcome}, next poll in {_spoken(pause)}", level="info")
        wait(pause, component, stop)


def when_available(make: Callable[[], Result], component: Component, stop: Event) -> Result:
    """What is needed before the first poll, as soon as the disk or the store lets it be made.

    Raises:
        SettingsError: only a human can help.
        Stopped: the stop event was set.
    """
    failures = 0
    while not stop.is_set():
        try:
            return make()
        except UnavailableError as error:
            pause = min(_FIRST_PAUSE * 2.0 ** min(failures, 10), _LONGEST_PAUSE)
            level = "info" if failures else "error"
            component.log(f"Start failed, next try in {_spoken(pause)}: {error.message}", level=level)
            failures += 1
        wait(pause, component, stop)
    raise Stopped


def wait(seconds: float, component: Component, stop: Event) -> None:
    """Wait, with signs of life, until the time is over or the stop event is set; requests under way go on."""
    end = time.monotonic() + seconds
    with suppress(Stopped):
        while (left := end - time.monotonic()) > 0:
            turns.pause(min(left, HEARTBEAT_SECONDS), stop)
            component.heartbeat()


def run_or_report(run: Callable[[], None], component: Component, stop: Event) -> None:
    """Run; where only a human can help, say so in one critical line and wait to be stopped.

    Ending instead would make the platform restart the component for ever, with the same outcome.
    """
    try:
        run()
    except SettingsError as error:
        component.log(f"Configuration error: {error.message}", level="critical")
        wait(float("inf"), component, stop)
    except Stopped:
        pass
    finally:
        # The SDK starts a run that failed again at once, without any pause.
        stop.wait(_SHORTEST_PAUSE)


def check_configuration(form: str, load: Callable[[], object]) -> None:
    """Load a configuration of the SDK and turn each way in which that fails into one error.

    Args:
        form: the name of the configuration, for the error.

    Raises:
        SettingsError: it is missing, is not JSON, or does not fit the model.
    """
    try:
        load()
    except MissingConfigurationError as error:
        raise SettingsError(form, "is missing") from error
    except AutomationSDKError as error:
        raise SettingsError(form, sentence(error)) from error
    except (Base64Error, ValueError) as error:
        raise SettingsError(form, f"is not valid JSON ({error})") from error
    except AttributeError as error:  # the SDK takes for granted that the JSON is an object
        raise SettingsError(form, "is not a JSON object") from error


def _pause_after(error: HttpkitError, failures: int, interval: float) -> float:
    """Seconds until the next try; a server that said no is not asked again before the regular poll."""
    back_off = interval if isinstance(error, RefusedError) else _FIRST_PAUSE * 2.0 ** min(failures, 10)
    told = error.retry_after or 0.0 if isinstance(error, UnavailableError) else 0.0
    longest = interval if isinstance(error, RefusedError) else _LONGEST_PAUSE
    return max(_SHORTEST_PAUSE, min(interval, back_off, longest), told)


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes"
