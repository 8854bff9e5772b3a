"""The digest scheme (RFC 7616): an answer to the server's challenge instead of the password itself."""

import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from httpkit.auth import Flow, with_headers
from httpkit.values import Request

_DIGEST = re.compile(r"(?:^|,)\s*Digest\s+", re.IGNORECASE)
_PARAMETER = re.compile(r'\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
# Strongest first; a server may offer several.
_HASHES: Mapping[str, Callable[[bytes], "hashlib._Hash"]] = {
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data),
    "SHA-256": hashlib.sha256,
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False),
}


class Challenge(Struct, frozen=True, kw_only=True):
    """What a server asks for in WWW-Authenticate."""

    realm: str
    nonce: str
    opaque: str | None
    algorithm: str
    session: bool
    quality: bool

    @property
    def strength(self) -> int:
        """Smaller is stronger."""
        return list(_HASHES).index(self.algorithm)


class DigestCredentials:
    """User and password of the digest scheme.

    The challenge is kept, so that only the first request needs two exchanges. `headers` are added to each request.
    """

    def __init__(
        self,
        *,
        user: str,
        password: str,
        headers: Mapping[str, str] | None = None,
        new_nonce: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._user = user
        self._password = password
        self._headers = headers or {}
        self._new_nonce = new_nonce
        self._lock = threading.Lock()
        self._challenge: Challenge | None = None
        self._client_nonce = ""
        self._count = 0

    def flow(self, request: Request) -> Flow:
        """Yield the request with an answer to the last challenge, and once more when there is a new one."""
        request = replace(request, headers=with_headers(self._headers, request.headers))
        response = yield self._answering(request) if self._challenge else request
        if response.status != 401:
            return
        challenge = strongest_challenge(response.headers.get("www-authenticate", ""))
        if challenge is None:
            return
        with self._lock:
            # Requests side by side may be given the same nonce, and its count must not fall back.
            if self._challenge is None or challenge.nonce != self._challenge.nonce:
                self._count, self._client_nonce = 0, self._new_nonce()
            self._challenge = challenge
        yield self._answering(request)

    def sign_in(self) -> Flow:
        """Yield nothing: only a server can give a challenge."""
        yield from ()

    def _answering(self, request: Request) -> Request:
        with self._lock:
            challenge, self._count = self._challenge, self._count + 1
            # One for all answers to a challenge: the -sess variants compute their secret with the first one.
            count, client_nonce = self._count, self._client_nonce
        assert challenge is not None, "there is a challenge to answer"
        parts = urlsplit(request.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        answer = self.answer(challenge, request.method, target, count=count, client_nonce=client_nonce)
        return replace(request, headers=with_headers(request.headers, {"Authorization": answer}))

    def answer(self, challenge: Challenge, method: str, target: str, *, count: int, client_nonce: str) -> str:
        """The value of the Authorization header.

        Args:
            target: path and query, as in the request line.
            count: how often the challenge was answered, this time included.
        """

        def digest(text: str) -> str:
            return _HASHES[challenge.algorithm](text.encode()).hexdigest()

        secret = digest(f"{self._user}:{challenge.realm}:{self._password}")
        if challenge.session:
            secret = digest(f"{secret}:{challenge.nonce}:{client_nonce}")
        action = digest(f"{method}:{target}")
        middle = f"{challenge.nonce}:{count:08x}:{client_nonce}:auth" if challenge.quality else challenge.nonce
        name = challenge.algorithm + ("-sess" if challenge.session else "")
        fields = [
            f'username="{_quoted(self._user)}"',
            f'realm="{_quoted(challenge.realm)}"',
            f'nonce="{_quoted(challenge.nonce)}"',
            f'uri="{target}"',
            f'response="{digest(f"{secret}:{middle}:{action}")}"',
            f"algorithm={name}",
        ]
        if challenge.opaque is not None:
            fields.append(f'opaque="{_quoted(challenge.opaque)}"')
        if challenge.quality:
            fields += ["qop=auth", f"nc={count:08x}", f'cnonce="{client_nonce}"']
        return "Digest " + ", ".join(fields)


def strongest_challenge(header: str) -> Challenge | None:
    """The digest challenge in a WWW-Authenticate header that is answered; None when there is none that can be."""
    found = (_challenge(header[match.end() :]) for match in _DIGEST.finditer(header))
    return min((challenge for challenge in found if challenge), key=lambda one: one.strength, default=None)


def _challenge(text: str) -> Challenge | None:
    fields: dict[str, str] = {}
    position = 0
    while match := _PARAMETER.match(text, position):
        name = match[1].lower()
        if name in fields:
            break
        fields[name] = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        position = match.end()
    algorithm = fields.get("algorithm", "MD5").upper()
    session = algorithm.endswith("-SESS")
    algorithm = algorithm.removesuffix("-SESS")
    qualities = [quality.strip().lower() for quality in fields.get("qop", "").split(",") if quality.strip()]
    if "nonce" not in fields or algorithm not in _HASHES or (qualities and "auth" not in qualities):
        return None
    if not all(value.isprintable() for value in fields.values()):  # could not be sent back in a header
        return None
    return Challenge(
        realm=fields.get("realm", ""),
        nonce=fields["nonce"],
        opaque=fields.get("opaque"),
        algorithm=algorithm,
        session=session,
        quality=bool(qualities),
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
