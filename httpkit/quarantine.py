"""Events that cannot be delivered: a file for each, with its reason and its beginning, so that a person can look."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import msgspec

from httpkit.clocks import SYSTEM_CLOCKS
from httpkit.documents import decode_json, encode_json
from httpkit.folders import Folder

HEAD_CHARACTERS = 2048
FOLDER = "quarantine"


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an event in quarantine.

    Attributes:
        key: identity of its record, in hexadecimal digits.
        when: when it was put there, UTC; None for one of an older version.
        source: what it was read from, in words.
        reason: why it cannot be delivered.
        size: in bytes of UTF-8.
        digest: BLAKE2b of the whole event, 16 bytes in hexadecimal digits, to find it again at its source.
        head: its first characters, without secrets.
    """

    key: str
    when: datetime | None
    source: str
    reason: str
    size: int
    digest: str
    head: str


class Quarantine:
    """The quarantine of a memory.

    Args:
        clean: masks the secrets in a text.
        now: the time of day, in UTC.
    """

    def __init__(
        self,
        folder: Folder,
        *,
        source: str,
        clean: Callable[[str], str],
        now: Callable[[], datetime] = SYSTEM_CLOCKS.now,
    ) -> None:
        self._now = now
        self._folder = folder
        self._source = source
        self._clean = clean
        self._count: int | None = None

    def __len__(self) -> int:
        if self._count is None:
            self._count = sum(name.endswith(".json") for name in self._folder.names(FOLDER))
        return self._count

    def put(self, key: bytes, event: str, reason: str) -> None:
        """Keep an event; the same one a second time changes nothing."""
        whole = event.encode("utf-8", "surrogatepass")
        digest = blake2b(whole, digest_size=16).hexdigest()
        # A record may give several events.
        name = f"{FOLDER}/{key.hex()}-{digest[:8]}.json"
        # A secret must not be cut in two before it is found.
        head = self._clean(event)[:HEAD_CHARACTERS]
        record = Quarantined(
            key=key.hex(),
            when=self._now(),
            source=self._source,
            reason=self._clean(reason),
            size=len(whole),
            digest=digest,
            head=head,
        )
        count = len(self)
        if self._folder.create(name, encode_json(msgspec.to_builtins(record))):
            self._count = count + 1


def quarantined_in(data: Path) -> Iterator[Quarantined]:
    """What is in quarantine in any memory below a folder, oldest first; nothing is changed.

    Raises:
        OSError: the folder cannot be read.
    """
    found = [_read(path) for path in sorted(data.glob(f"**/{FOLDER}/*.json"))]
    yield from sorted(found, key=lambda one: one.when or datetime.min.replace(tzinfo=UTC))


def _read(path: Path) -> Quarantined:
    """One event; of a file that is no such record, what can be said about it."""
    content = path.read_bytes()
    with suppress(ValueError):
        fields = decode_json(content)
        with suppress(msgspec.ValidationError):
            return msgspec.convert(fields, Quarantined)
        if isinstance(fields, dict) and isinstance(fields.get("event"), str):
            return _from_format_1(path, fields["event"], str(fields.get("reason")))
    return _described(path, reason="this file is damaged", content=content, head="")


def _from_format_1(path: Path, event: str, reason: str) -> Quarantined:
    """It had the reason and the whole event."""
    content = event.encode("utf-8", "surrogatepass")
    return _described(path, reason=reason, content=content, head=event[:HEAD_CHARACTERS])


def _described(path: Path, *, reason: str, content: bytes, head: str) -> Quarantined:
    digest = blake2b(content, digest_size=16).hexdigest()
    return Quarantined(key=path.stem, when=None, source="", reason=reason, size=len(content), digest=digest, head=head)
