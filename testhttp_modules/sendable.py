"""What of a JSON value the SDK can send on, and what the platform can read; what it is for is not known here."""

import math
from collections.abc import Iterable

from httpkit.values import JsonValue

DEEPEST_JSON = 90
"""Levels of nesting in what is sent; the SDK's encoder and others behind it give up on deeper values."""


def sendable(value: JsonValue) -> JsonValue:
    """The value without what the SDK refuses to send, which would cost the playbook everything else, too.

    Numbers that no JSON encoder takes become text, so that no digit is lost; lone surrogates become question marks.
    """
    if isinstance(value, dict):
        return {sendable(name): sendable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [sendable(part) for part in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def is_flat_enough(value: JsonValue, most: int = DEEPEST_JSON) -> bool:
    """Has the value no more levels than can be sent on? It is walked level by level, not by recursion."""
    level = [value]
    for _ in range(most):
        level = [part for container in level for part in _parts(container)]
        if not level:
            return True
    return False


def _parts(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
