"""One further request per new record, for APIs whose lists hold less than their single records."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Literal

import msgspec

from httpkit.answers import answer_of
from httpkit.client import Client
from httpkit.errors import SettingsError
from httpkit.paths import compile_path
from httpkit.records import RecordSelector, RecordSettings
from httpkit.request_templates import RequestSettings
from httpkit.templates import Scope, render, render_text
from httpkit.values import JsonValue, Record, Request, Response

_AT_ONCE = 4
_GONE = frozenset({404, 410})


class DetailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The request per record; the fields are those of the configuration, and `detail_url` is absolute or empty."""

    detail_url: str = ""
    detail_params: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    detail_mode: Literal["merge", "replace", "records"] = "merge"


class Details:
    """Completes records.

    Args:
        request: the settings of the source, from which headers and authentication are taken.
        scope: placeholders that never change.

    Raises:
        SettingsError: parameters are given without a URL.
    """

    def __init__(
        self, settings: DetailSettings, request: RequestSettings, scope: Scope, client: Client, *, id_path: str
    ) -> None:
        if settings.detail_params and not settings.detail_url:
            raise SettingsError("detail_url", "is needed by detail_params: where a single record is")
        self._settings = settings
        self._request = request
        self._scope = scope
        self._client = client
        self._id = compile_path("id_path", id_path) if id_path else None
        self._selector = RecordSelector(RecordSettings(response_format="json"), clean=client.clean)

    def complete(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records with their details, in the same order; a few are asked for side by side.

        Raises:
            HttpkitError: a detail could not be read; one that is gone meanwhile leaves the record as it is.
        """
        if not self._settings.detail_url or not records:
            return records
        completed: list[Record] = []
        under_way: deque[tuple[Record, Request, Callable[[], Response]]] = deque()
        left = iter(records)
        try:
            while len(completed) < len(records):
                for record in islice(left, _AT_ONCE - len(under_way)):
                    request = self._request_for(record.value)
                    under_way.append((record, request, self._client.begin(request)))
                record, request, answer = under_way.popleft()
                completed.append(self._completed(record, request, answer_of(request, answer, chosen_by_api=True)))
        finally:
            # An error would keep those that nobody waits for any more.
            under_way.clear()
        return completed

    def _completed(self, record: Record, request: Request, response: Response) -> Record:
        if response.status in _GONE:
            return record
        selected = self._selector.select(request, response)
        if self._settings.detail_mode == "records":
            return msgspec.structs.replace(record, parts=tuple(selected.records))
        detail = selected.content
        if self._settings.detail_mode == "merge" and isinstance(record.value, dict) and isinstance(detail, dict):
            detail = {**record.value, **detail}
        return msgspec.structs.replace(record, parts=(detail,))

    def _request_for(self, value: JsonValue) -> Request:
        own: dict[str, JsonValue] = {"id": self._id(value) if self._id else None}
        if isinstance(value, dict):
            own |= {f"record.{name}": part for name, part in value.items()}
        scope = {**self._scope, **own}
        headers = render(dict(self._request.headers), scope)
        return Request(
            method="GET",
            url=render_text(self._settings.detail_url, scope),
            params=render(dict(self._settings.detail_params), scope),
            headers={name: str(text) for name, text in headers.items()},
            authenticate=self._request.authenticate,
            safe=True,
        )
