"""An answer's body as text."""

import re

from httpkit.values import Response

_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)


def text_of(response: Response) -> str:
    """The body in its declared charset, else as UTF-8; bytes that do not fit are replaced, never an error."""
    declared = _CHARSET.search(response.headers.get("content-type", ""))
    try:
        return response.body.decode(declared[1] if declared else "utf-8", "replace")
    except LookupError:  # a charset that nobody knows
        return response.body.decode("utf-8", "replace")
