"""One poll of an HTTP API: from the first page to the last, what is new on each."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from httpkit.client import Client
from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.freshness import SeenKeys, key_of
from httpkit.pagination import Paging, PagingSettings
from httpkit.records import RecordSelector
from httpkit.redaction import named
from httpkit.values import Batch, JsonValue, Page, Record, Request, Response


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceSettings:
    """What is read, and how.

    Attributes:
        request: the request for the first page, before paging parameters.
        records_path: JMESPath of the records in an answer; "" is the whole document.
        id_path: JMESPath of a record's identity.
    """

    request: Request
    paging: PagingSettings = field(default_factory=PagingSettings)
    records_path: str = ""
    id_path: str = "id"


class Source:
    """An API that is polled for records.

    Args:
        settings: checked here.

    Raises:
        SettingsError: a setting is wrong or contradicts another one.
    """

    def __init__(self, settings: SourceSettings, client: Client) -> None:
        self._settings = settings
        self._client = client
        self._select = RecordSelector(settings.records_path).select
        self._key = key_of(settings.id_path)
        self._new_paging().first_request()

    def poll(self, seen: SeenKeys) -> Iterator[Batch]:
        """Read all pages; give the new records of each before the next one is asked for.

        The caller delivers a batch and adds its keys to `seen` before it takes the next one. A batch can be empty.

        Raises:
            HttpkitError: a page could not be read; the batches given before stay valid.
            httpkit.stopping.Stopped: the stop event was set.
        """
        paging = self._new_paging()
        seen.begin_poll()
        request: Request | None = paging.first_request()
        first = True
        while request:
            page, keys = self._read(request, seen, first=first)
            first = False
            request = paging.next_request(page)
            yield Batch(records=_new_records(page, keys, seen), received=len(keys), complete=request is None)
            seen.show(keys)

    def _new_paging(self) -> Paging:
        return Paging(self._settings.paging, self._settings.request)

    def _read(self, request: Request, seen: SeenKeys, *, first: bool) -> tuple[Page, list[bytes]]:
        response = self._answer(request, first=first)
        selected = self._select(request, response)
        keys = [self._key(record) for record in selected.records]
        page = Page(
            request=request,
            response=response,
            content=selected.content,
            records=selected.records,
            all_repeats=bool(keys) and all(seen.shown_in_poll(key) for key in keys),
        )
        return page, keys

    def _answer(self, request: Request, *, first: bool) -> Response:
        try:
            return self._client.send(request)
        except SettingsError as error:
            if first:
                raise
            # The API chose what this request consists of, so no setting of the user's is wrong.
            raise UnexpectedShapeError(f"{named(request)}: the next page cannot be asked for: {error}") from None


def _new_records(page: Page, keys: list[bytes], seen: SeenKeys) -> list[Record]:
    fresh: dict[bytes, JsonValue] = {}
    for key, value in zip(keys, page.records, strict=True):
        if key not in seen:
            fresh.setdefault(key, value)
    return [Record(key=key, value=value) for key, value in fresh.items()]
