"""What Prometheus is told beside the metrics of the SDK; no label holds a secret or anything a server chose."""

from functools import cache

from prometheus_client import Counter, Gauge

_PREFIX = "testhttp"
_THROTTLING = frozenset({"403", "429", "503"})


@cache
def throttled_seconds() -> Counter:
    """Seconds waited because a server asked for it, or to keep the own pace."""
    return Counter(f"{_PREFIX}_throttle_seconds", "Seconds waited before a request was repeated")


@cache
def retries() -> Counter:
    """Requests that were repeated, by reason: an HTTP status, `connection` or `answer`."""
    return Counter(f"{_PREFIX}_retries", "Requests repeated, by reason", ["reason"])


@cache
def duplicates() -> Counter:
    """Records that were recognised as delivered before."""
    return Counter(f"{_PREFIX}_duplicates", "Records recognised as delivered before")


@cache
def late() -> Counter:
    """Records older than what had been read already."""
    return Counter(f"{_PREFIX}_late_records", "Records that appeared in a time already read")


@cache
def quarantined() -> Counter:
    """Events that an intake does not take."""
    return Counter(f"{_PREFIX}_quarantined", "Events put into quarantine")


@cache
def gaps() -> Gauge:
    """Spans of time that could not be read and are tried again, by stream."""
    return Gauge(f"{_PREFIX}_gaps", "Spans of time that could not be read yet", ["stream"])


def repeating(reason: str, seconds: float) -> None:
    """A request is sent again.

    Args:
        reason: an HTTP status, `connection` or `answer`.
        seconds: that are waited before.
    """
    retries().labels(reason).inc()
    if reason in _THROTTLING:
        throttled_seconds().inc(seconds)
