"""A folder in an object store (S3), as a memory uses it: few requests, and nobody else's writing is overwritten.

Protocol: the S3 API, with conditional writes (`If-Match` and `If-None-Match` of PutObject). A store that does not
know those is asked for the version of a document before it is replaced, which leaves a gap of one request.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar

from httpkit.folders import OvertakenError
from httpkit.stopping import run_until_stopped

Result = TypeVar("Result")

_GRACE_SECONDS = 1.0
"""What is under way when the process is asked to stop gets so long to end."""

_MOST_IN_MEMORY = 4 * 1024 * 1024
_NO_VERSION = '"00000000000000000000000000000000"'
_REFUSED = frozenset({404, 412})
_UNKNOWN_TO_STORE = frozenset({400, 501})


class ObjectFolder:
    """The objects below a path, which is an `S3Path`; it needs no making.

    Args:
        stop: once it is set, requests end soon.
    """

    can_append = False
    tail_keys = 8192
    is_shared = True

    def __init__(self, path: Path, *, stop: threading.Event) -> None:
        self._bucket, self._client = _place(path)
        self._prefix = "/".join(path.parts[2:]) + "/"
        self._stop = stop
        self._versions: dict[str, str | None] = {}
        # What was sent without an answer may have arrived, and is then no writing of somebody else.
        self._sent: dict[str, set[bytes]] = {}
        self._knows_conditions: bool | None = None

    def take(self, *, patience: float) -> bool:
        """Nothing can be held here; whoever writes first after a start takes over."""
        return True

    def release(self) -> None:
        """Nothing is held."""

    def read(self, name: str) -> bytes | None:
        """The content of a document, None when there is none."""
        try:
            answer = self._ask("get_object", Key=self._prefix + name)
        except self._client.exceptions.NoSuchKey:
            self._versions[name] = None
            return None
        with closing(answer["Body"]) as body:
            content: bytes = self._wait(body.read)
        self._versions[name] = answer["ETag"]
        return content

    def replace(self, name: str, content: bytes) -> None:
        """Replace a document, which is durable afterwards.

        Raises:
            OvertakenError: it is not the one that was read or written last; nothing was changed.
        """
        sent = self._sent.setdefault(name, set())
        digest = blake2b(content).digest()
        sent.add(digest)
        if self._knows_conditions is None and self._try_conditions(name, content):
            return
        if not self._put_unchanged(name, content):
            found = self.read(name)
            version = found and blake2b(found).digest()
            if version not in sent or (version != digest and not self._put_unchanged(name, content)):
                raise OvertakenError(name)
        self._sent[name] = {digest}

    def pieces(self, name: str, size: int) -> Iterator[bytes]:
        """The content of a file in pieces, all but the last of this size.

        Raises:
            FileNotFoundError: there is none.
        """
        try:
            answer = self._ask("get_object", Key=self._prefix + name)
        except self._client.exceptions.NoSuchKey as error:
            raise FileNotFoundError(name) from error
        with closing(answer["Body"]) as body:
            while piece := self._wait(lambda: body.read(size)):
                yield piece

    def append(self, name: str, place: int, content: bytes) -> None:
        """Objects do not grow."""
        raise NotImplementedError

    def write(self, name: str, contents: Iterable[bytes]) -> None:
        """Write a new file, which is durable afterwards."""
        with SpooledTemporaryFile(max_size=_MOST_IN_MEMORY) as file:
            for content in contents:
                file.write(content)
            file.seek(0)
            self._ask("put_object", Key=self._prefix + name, Body=file)

    def create(self, name: str, content: bytes) -> bool:
        """Write a whole file, unless there is one of this name; was it written?"""
        if self._version_now(name) is not None:
            return False
        self._ask("put_object", Key=self._prefix + name, Body=content)
        return True

    def names(self, below: str = "") -> list[str]:
        """The files that are there, or those in a folder of it."""
        prefix = f"{self._prefix}{below}/" if below else self._prefix
        names: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = self._ask("list_objects_v2", Prefix=prefix, Delimiter="/", **more)
            names += [found["Key"].removeprefix(prefix) for found in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                return names
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self._ask("delete_object", Key=self._prefix + name)

    def _put_unchanged(self, name: str, content: bytes) -> bool:
        """Replace a document if it still has the version that is known here."""
        known = self._versions.get(name)
        condition = {}
        if self._knows_conditions:
            condition = {"IfMatch": known} if known else {"IfNoneMatch": "*"}
        elif self._version_now(name) != known:
            return False
        try:
            self._put(name, content, condition)
        except self._client.exceptions.ClientError as error:
            if _status(error) not in _REFUSED or not condition:
                raise
            return False
        return True

    def _try_conditions(self, name: str, content: bytes) -> bool:
        """Find out whether the store knows conditions, by one that does not hold; has it replaced the document?"""
        try:
            self._put(name, content, {"IfMatch": _NO_VERSION})
        except self._client.exceptions.ClientError as error:
            if _status(error) not in _REFUSED | _UNKNOWN_TO_STORE:
                raise
            self._knows_conditions = _status(error) in _REFUSED
            return False
        self._knows_conditions = False
        return True

    def _put(self, name: str, content: bytes, condition: dict[str, str]) -> None:
        answer = self._ask("put_object", Key=self._prefix + name, Body=content, **condition)
        self._versions[name] = answer["ETag"]

    def _version_now(self, name: str) -> str | None:
        try:
            version: str = self._ask("head_object", Key=self._prefix + name)["ETag"]
        except self._client.exceptions.ClientError as error:
            if _status(error) != 404:
                raise
            return None
        return version

    def _ask(self, operation: str, **arguments: Any) -> Any:
        return self._wait(lambda: getattr(self._client, operation)(Bucket=self._bucket, **arguments))

    def _wait(self, call: Callable[[], Result]) -> Result:
        return run_until_stopped(call, self._stop, grace=_GRACE_SECONDS)


def put_object(path: Path, content: bytes) -> None:
    """Write an object in one request, where a path of the store would take three."""
    bucket, client = _place(path)
    client.put_object(Bucket=bucket, Key="/".join(path.parts[2:]), Body=content)


def _place(path: Path) -> tuple[str, Any]:
    """The bucket of a path and the client that its library has for it."""
    # Whoever has such a path has loaded the library, which takes too long for those who have none.
    resource, _ = import_module("s3path").configuration_map.get_configuration(path)
    return path.parts[1], resource.meta.client


def _status(error: Any) -> int:
    """The HTTP status of an error of the store."""
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status
