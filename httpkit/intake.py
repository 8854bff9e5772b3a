"""Delivery to a Sekoia intake: batches within its limits, each one acknowledged or raised as an error.

Protocol: `POST <intake>/batch` with `{"intake_key": "…", "jsons": ["<event>", …]}`, answered by one id per event in
`event_ids`; a payload holds at most 10 MiB and an event at most 250 000 bytes.
"""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from httpkit.client import Client
from httpkit.documents import decode_json, encode_json
from httpkit.errors import SettingsError, UnavailableError, UnexpectedShapeError
from httpkit.records import check_status
from httpkit.values import Request, Response

EVENT_BYTES = 250_000
_PAYLOAD_BYTES = 10 * 1024 * 1024
_GZIP_LEVEL = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A record in the form in which it is delivered.

    Attributes:
        key: identity of the record, 16 bytes; None for all but the last event of a record that gives several.
        text: what the intake stores.
    """

    key: bytes | None
    text: str

    @property
    def too_large(self) -> bool:
        """Is it over the limit of the intake, which counts UTF-8 bytes?"""
        # A character takes at most four bytes, so most events need no encoding to be judged.
        return len(self.text) * 4 > EVENT_BYTES and len(self.text.encode("utf-8", "surrogatepass")) > EVENT_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """Events that travel in one request.

    Attributes:
        count: number of events.
        keys: of the records that are delivered whole with this push, in order.
        payload: the encoded request body, without compression.
    """

    count: int
    keys: Sequence[bytes]
    payload: bytes


class Intake:
    """One intake of Sekoia.io.

    Args:
        client: sends the pushes; the intake key is in the body, so it needs no credentials.
        url: base of the intake, without `/batch`.
        key: the intake key.
        batch_size: most events in one request.
        compress: send with gzip.
    """

    def __init__(self, client: Client, *, url: str, key: str, batch_size: int = 1000, compress: bool = True) -> None:
        if batch_size < 1:
            raise SettingsError("batch_size", f"{batch_size} is too small; use 1 or more")
        self._client = client
        self._url = f"{url.rstrip('/')}/batch"
        self._head = b'{"intake_key":' + msgspec.json.encode(key) + b',"jsons":['
        self._batch_size = batch_size
        self._compress = compress

    def pushes(self, events: Iterable[Event]) -> Iterator[Push]:
        """Pack events into as few requests as the limits allow, in order; none may be too large."""
        room = _PAYLOAD_BYTES - len(self._head) - 2
        keys: list[bytes] = []
        parts: list[bytes] = []
        size = 0
        for event in events:
            # The limit counts the encoded form, in which quotes and backslashes take two bytes.
            part = encode_json(event.text)
            if parts and (len(parts) == self._batch_size or size + len(part) > room):
                yield self._push(keys, parts)
                keys, parts, size = [], [], 0
            if event.key is not None:
                keys.append(event.key)
            parts.append(part)
            size += len(part) + 1
        if parts:
            yield self._push(keys, parts)

    def deliver(self, push: Push) -> None:
        """Send a push; returns when the intake has acknowledged each of its events.

        Raises:
            SettingsError: the intake key was refused, or the intake is at another address.
            RefusedError: the intake will not take this push.
            UnavailableError: the intake cannot be reached, is busy, or acknowledged only a part.
            UnexpectedShapeError: what answered is not an intake.
        """
        request = self._request(push)
        response = self._client.send(request)
        if response.status in {401, 403}:
            raise SettingsError(
                "intake_key", f"the intake refused it ({response.status}); copy it from Sekoia.io again"
            )
        if 300 <= response.status < 400:
            raise SettingsError(
                "intake_server", f"it answers with a redirect ({response.status}); use its final address"
            )
        check_status(request, response, self._client.clean)
        acknowledged = _acknowledged(response)
        if acknowledged < push.count:
            raise UnavailableError(
                f"the intake acknowledged {acknowledged} of {push.count} events; they are sent again later"
            )

    def _request(self, push: Push) -> Request:
        headers = {"Content-Type": "application/json"}
        if self._compress:
            headers["Content-Encoding"] = "gzip"
        return Request(
            method="POST",
            url=self._url,
            headers=headers,
            body=gzip.compress(push.payload, _GZIP_LEVEL, mtime=0) if self._compress else push.payload,
            body_format="raw",
            follow_redirects=False,  # the body holds the intake key, which must not go to another server
        )

    def _push(self, keys: Sequence[bytes], parts: Sequence[bytes]) -> Push:
        return Push(count=len(parts), keys=tuple(keys), payload=self._head + b",".join(parts) + b"]}")


def _acknowledged(response: Response) -> int:
    """How many events an answer of the intake acknowledges."""
    try:
        answer = decode_json(response.body)
    except ValueError:
        answer = None
    ids = answer.get("event_ids") if isinstance(answer, dict) else None
    if not isinstance(ids, list):
        raise UnexpectedShapeError(
            "the answer to the push is not that of a Sekoia intake (no event_ids); check intake_server"
        )
    return len(ids)
