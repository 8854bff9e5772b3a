"""An answer's body as text."""

import re
from collections.abc import Callable

from charset_normalizer import from_bytes

from httpkit.values import Response

_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_UTF8 = re.compile(r"utf[-_]?8", re.IGNORECASE)
_TEXT_TYPES = re.compile(
    r"^(text/|application/([\w.+-]*(json|xml|javascript|yaml|graphql|csv)|x-www-form-urlencoded))"
)
_EXCERPT_CHARACTERS = 200
_DETECTED_BYTES = 64 * 1024


def encoding_of(response: Response) -> str:
    """The charset of the body: the declared one if it exists, else UTF-8 if it fits, else what it looks like."""
    declared = _CHARSET.search(response.headers.get("content-type", ""))
    unicode = "utf-8-sig" if response.body[:3] == b"\xef\xbb\xbf" else "utf-8"
    if declared and not _UTF8.fullmatch(declared[1]) and _decodes(response.body, declared[1], strict=False):
        return declared[1]
    if _decodes(response.body, unicode, strict=True):
        return unicode
    best = from_bytes(response.body[:_DETECTED_BYTES]).best()
    return best.encoding if best else "utf-8"


def text_of(response: Response) -> str:
    """The body as text; bytes that do not fit the charset are replaced, never an error."""
    return response.body.decode(encoding_of(response), "replace")


def is_text(response: Response) -> bool:
    """Is the body meant for reading? Decided by its type, or by its bytes when there is none."""
    kind = response.headers.get("content-type", "").lower()
    if _TEXT_TYPES.match(kind) or "charset=" in kind:
        return True
    if kind and not kind.startswith(("application/octet-stream", "binary/")):
        return False
    return b"\0" not in response.body[:_DETECTED_BYTES] and _decodes(response.body, "utf-8", strict=True)


def excerpt(response: Response, clean: Callable[[str], str] = str) -> str:
    """The beginning of the body in brackets, on one line, for an error; empty when there is nothing to read.

    Args:
        clean: masks secrets; it must happen before the cut, since the first half of a secret is not recognised.
    """
    text = " ".join(clean(response.body[:_DETECTED_BYTES].decode("utf-8", "replace")).split())
    if not text or not is_text(response):
        return ""
    return f" ({text[:_EXCERPT_CHARACTERS]}{'…' if len(text) > _EXCERPT_CHARACTERS else ''})"


def _decodes(body: bytes, charset: str, *, strict: bool) -> bool:
    try:
        body.decode(charset, "strict" if strict else "replace")
    except (LookupError, ValueError):  # no such charset, one that is not for text, or bytes that do not fit
        return False
    return True
