"""Pages whose records are long enough to be cut where the page before tells."""

import json
from collections.abc import Sequence

from httpkit.values import JsonValue

LONG = "x" * 600
"""Of shorter records the seams are not looked at."""


def records(*numbers: int, **more: JsonValue) -> list[JsonValue]:
    """Records as an API writes them."""
    return [
        {"id": f"e-{number}", "time": number, "text": LONG + "x" * (number % 7 * 10), **more} for number in numbers
    ]


def page(items: Sequence[JsonValue], **beside: JsonValue) -> bytes:
    """A page as an API writes it."""
    return json.dumps({"total": len(items), "items": items, **beside}, separators=(",", ":")).encode()
