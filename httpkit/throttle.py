"""When to ask again: what the server says about waiting, how often a failed request is repeated, the own pace.

Nothing waits here; the client does, so that a stop ends every wait.
"""

import math
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct

from httpkit.times import http_date
from httpkit.values import Request, Response

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that only read, so that asking twice changes nothing (RFC 9110 §9.2.1)."""

_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_THROTTLED = frozenset({403, 429, 503})
_RESET_HEADERS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset", "x-ratelimit-reset-after")
_REMAINING_HEADERS = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
_LIMIT_HEADERS = ("ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit")
_EPOCH_SECONDS, _EPOCH_MILLISECONDS = 1e9, 1e11
_RATELIMIT_RESET = re.compile(r"(?:^|[;,\s])(?:reset|t)=(\d+)")
_RATELIMIT_REMAINING = re.compile(r"(?:^|[;,\s])(?:remaining|r)=(\d+)")

_FIRST_BACK_OFF = 1.0
_LONGEST_BACK_OFF = 60.0
_LONGEST_TOLD = 86_400.0


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """How often a request is repeated by itself.

    Attributes:
        retries: tries after the first one.
        retry_unsafe: are methods repeated that may change something, when the server may have seen the request?
        longest_wait: seconds; a server that asks for more gets no repeat, so that the caller can plan.
    """

    retries: int = 3
    retry_unsafe: bool = False
    longest_wait: float = 120.0

    def may_repeat(self, request: Request, *, never_opened: bool) -> bool:
        """May this request be sent again after a failure?

        Args:
            never_opened: the server cannot have seen it.
        """
        if never_opened or self.retry_unsafe or request.safe or request.method in SAFE_METHODS:
            return True
        return any(name.lower() == "idempotency-key" for name in request.headers)

    def wait_before(self, attempt: int, told: float | None, random: Callable[[], float]) -> float | None:
        """Seconds to wait before the next try: never less than told, plus back-off with full jitter.

        Args:
            attempt: number of tries so far.
            told: seconds that the server asked for, None when it did not.
            random: a number from 0 to 1.

        Returns:
            None when there is no next try.
        """
        if attempt > self.retries or (told is not None and told > self.longest_wait):
            return None
        back_off = random() * min(_LONGEST_BACK_OFF, _FIRST_BACK_OFF * 2.0 ** (attempt - 1))
        return back_off if told is None else told + min(back_off, 1.0)


def asks_for_later(response: Response) -> bool:
    """Does the answer mean that the same request may succeed later?"""
    return response.status in _LATER or (response.status == 403 and _nothing_remains(response.headers))


def told_wait(response: Response) -> float | None:
    """Seconds that an answer asks to wait; None when it does not say, or is a success.

    Read from Retry-After (seconds or a date), RateLimit-Reset and its older spellings (seconds, or a moment in seconds
    or milliseconds since 1970), and the RateLimit header of the IETF drafts. Moments are compared with the server's
    own clock, its Date header, where it sends one.
    """
    if response.ok or (response.status not in _THROTTLED and "retry-after" not in response.headers):
        return None
    headers = response.headers
    here = http_date(headers.get("date", "")) or response.received_at
    waits = [_retry_after(headers.get("retry-after", ""), here)]
    if waits == [None]:
        waits = [_reset(headers.get(name, ""), here) for name in _RESET_HEADERS]
        waits.append(_first_number(_RATELIMIT_RESET, headers.get("ratelimit", "")))
    told = max((wait for wait in waits if wait is not None), default=None)
    # A wait of years is a mistake of the server, and would silence a source for ever.
    return None if told is None else min(told, _LONGEST_TOLD)


class RateLimit(Struct, frozen=True, kw_only=True):
    """What an answer says about the requests that are left.

    Attributes:
        most: requests per period, None when it does not say.
        reset: seconds until there are as many again, None when it does not say.
    """

    remaining: int
    most: int | None
    reset: float | None


def rate_limit_of(response: Response) -> RateLimit | None:
    """The rate limit that the headers of an answer tell, in their old or new spelling; None without one."""
    headers, now = response.headers, response.received_at
    fields = headers.get("ratelimit", "")
    counts = [_number(headers.get(name, "")) for name in _REMAINING_HEADERS]
    remaining = next(
        (count for count in [*counts, _first_number(_RATELIMIT_REMAINING, fields)] if count is not None), None
    )
    if remaining is None:
        return None
    limits = [_leading_number(headers.get(name, "")) for name in _LIMIT_HEADERS]
    resets = [_reset(headers.get(name, ""), http_date(headers.get("date", "")) or now) for name in _RESET_HEADERS]
    most = next((int(limit) for limit in limits if limit is not None), None)
    reset = next((wait for wait in [*resets, _first_number(_RATELIMIT_RESET, fields)] if wait is not None), None)
    return RateLimit(remaining=int(remaining), most=most, reset=reset)


class Pace:
    """The rate that a user imposes on himself: requests are spread evenly.

    Args:
        per_minute: requests per minute; 0 is no limit.
    """

    def __init__(self, per_minute: float) -> None:
        self._spacing = 60.0 / per_minute if per_minute else 0.0
        self._next = float("-inf")
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Take the next place in the row; seconds to wait until it is there.

        Args:
            now: a clock in seconds that never goes back.
        """
        with self._lock:
            start = max(now, self._next)
            self._next = start + self._spacing
            return start - now


def _retry_after(text: str, now: datetime) -> float | None:
    number = _number(text)
    if number is not None:
        return max(0.0, number)
    moment = http_date(text)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def _reset(text: str, now: datetime) -> float | None:
    """A reset header: a number of seconds, or a moment."""
    number = _number(text)
    if number is None:
        return _retry_after(text, now)
    if number >= _EPOCH_MILLISECONDS:
        number /= 1000
    if number >= _EPOCH_SECONDS:
        number -= now.timestamp()
    return max(0.0, number)


def _nothing_remains(headers: Mapping[str, str]) -> bool:
    if any(headers.get(name, "").strip() == "0" for name in _REMAINING_HEADERS):
        return True
    return _first_number(_RATELIMIT_REMAINING, headers.get("ratelimit", "")) == 0 or "retry-after" in headers


def _first_number(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return _number(found[1]) if found else None


def _leading_number(text: str) -> float | None:
    """The number before what some servers add: `100, 100;w=60`."""
    return _number(text.partition(",")[0].partition(";")[0])


def _number(text: str) -> float | None:
    """A finite number; a server may send anything, and a wait without end must not come of it."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
