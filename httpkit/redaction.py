"""Secrets kept out of everything that a person may read: by their value, and by the names of headers and fields."""

import base64
import html
import json
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit, urlunsplit

from httpkit.values import Request

MASK = "***"
_PLACEHOLDER = re.compile(r"\{[a-z_]+(\.[A-Za-z0-9_]+)?\}")
SHORTEST_SECRET = 4
"""Shorter values are not masked: they are no secrets, and masking them would make every text unreadable."""

_SECRET_NAMES = re.compile(
    r"authorization|cookie|token|secret|passw|api[-_]?key|apikey|access[-_]?key|private[-_]?key|credential|signature"
    r"|intake[-_]?key|client_key|client-key",
    re.IGNORECASE,
)


# What those who write URLs do not escape: everything; Python; the components of JavaScript; paths and queries of
# urllib3; whole URLs of requests and JavaScript.
_LEFT_AS_THEY_ARE = (
    "",
    "/",
    "!~*'()",
    "/:@!$&'()*+,;=~",
    "/?:@!$&'()*+,;=~",
    "!#$%&'()*+,/:;=?@[]~",
    "#$&+,/:;=?@!~*'()",
)


class Redactor:
    """Masks secrets in texts.

    Each secret is known in the forms in which it travels: as it is, base64, URL-encoded and JSON-escaped. Longer forms
    are masked first, so that a secret inside another one leaves nothing behind.

    Args:
        secrets: known from the start; more can be added, for example a token that was fetched.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._forms = frozenset[str]()
        self._pattern: re.Pattern[str] | None = None
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Mask these values from now on."""
        with self._lock:
            forms = self._forms.union(*(forms_of(secret) for secret in secrets if len(secret) >= SHORTEST_SECRET))
            if forms != self._forms:
                self._forms = forms
                self._pattern = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))

    def clean(self, text: str) -> str:
        """The text with every known secret masked."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def clean_value(self, value: Any) -> Any:
        """A value of dicts, lists and texts with the secrets in its texts and keys masked."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, bytes):
            return self.clean(value.decode("utf-8", "replace"))
        if isinstance(value, Mapping):
            return {self.clean_value(name): self.clean_value(part) for name, part in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.clean_value(part) for part in value]
        return value


def forms_of(secret: str) -> frozenset[str]:
    """The forms in which a secret can appear in a text."""
    raw = secret.encode("utf-8", "surrogatepass")
    quoted = {quote_plus(raw), *(quote(raw, safe=safe) for safe in _LEFT_AS_THEY_ARE)}
    return frozenset(
        {
            secret,
            *_base64_forms(raw),
            *quoted,
            *(form.replace("%20", "+") for form in quoted),
            *(re.sub("%..", lambda found: found[0].lower(), form) for form in quoted),
            *(re.sub("%..", lambda found: found[0].lower(), form.replace("%20", "+")) for form in quoted),
            *_escaped_forms(secret),
        }
    )


def _base64_forms(raw: bytes) -> Iterable[str]:
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        text = encode(raw).decode()
        yield text
        yield text.rstrip("=")
        yield quote(text, safe="")


def _escaped_forms(secret: str) -> Iterable[str]:
    for once in _json_forms(secret):
        yield once
        # An event is JSON inside JSON.
        yield from _json_forms(once)
        # Some encoders escape what could end a script in a page.
        yield re.sub("[<>&'\"+]", lambda found: f"\\u{ord(found[0]):04x}", once)
    yield html.escape(secret)
    yield html.escape(secret, quote=False)
    # A text of several lines may be shown on one.
    yield " ".join(secret.split())
    yield repr(secret)[1:-1]
    # In a text with both kinds of quotes the single ones are escaped.
    yield repr(f"'\"{secret}")[4:-1]


def _json_forms(text: str) -> Iterable[str]:
    for ascii_only in (True, False):
        form = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield form
        yield form.replace("/", "\\/")


def is_secret_name(name: str) -> bool:
    """Does a header or field of this name usually hold a secret? A second net, for values that nobody announced."""
    return bool(_SECRET_NAMES.search(name))


def named_secrets(fields: Any) -> Iterable[str]:
    """The texts in headers or a body whose names say that they are secrets; placeholders are not."""
    if not isinstance(fields, Mapping):
        return
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from named_secrets(value)
        elif is_secret_name(str(name)):
            texts = value if isinstance(value, (list, tuple)) else [value]
            yield from (text for text in texts if isinstance(text, str) and not _PLACEHOLDER.search(text))


def request_secrets(url: str, *parts: Any) -> Iterable[str]:
    """What looks like a secret in a request: in its URL, and by name in its headers, parameters and body.

    Args:
        parts: objects, or a query string as text.
    """
    try:
        address = urlsplit(url)
    except ValueError:  # not a URL; that is told where it is used
        address = urlsplit("")
    yield unquote(address.netloc.rpartition("@")[0].partition(":")[2])
    texts = [address.query, *(part for part in parts if isinstance(part, str))]
    queries = [{name: value} for text in texts for name, value in parse_qsl(text)]
    for fields in (*parts, *queries):
        for secret in named_secrets(fields):
            yield secret
            # A scheme such as `Bearer` may come first; a server that echoes the secret leaves it out.
            yield secret.rpartition(" ")[2]


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as they may be shown: those that usually hold a secret are masked."""
    return {name: MASK if is_secret_name(name) else value for name, value in headers.items()}


def without_query(url: str) -> str:
    """The URL without user, password, query and fragment, since each of those can hold a secret.

    What is no URL cannot be taken apart, so nothing is shown of it where there may be a password in it.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # there is none where a password that was not escaped is taken for one
    except ValueError:
        parts = urlsplit("")
    if not parts.netloc:
        return MASK if "@" in url else re.split("[?#]", url, maxsplit=1)[0]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def named(request: Request) -> str:
    """A request as errors name it: `GET https://api.example.com/v1/events`."""
    return f"{request.method} {without_query(request.url)}"
