"""From an answer to its records."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from httpkit.columns import UnreadRecords
from httpkit.errors import HttpkitError, RefusedError, UnavailableError, UnexpectedShapeError, WrongFormatError
from httpkit.formats import Format, decode, kind_of
from httpkit.paths import OF_LAST_RECORD, compile_answer_path, is_plain_name
from httpkit.redaction import named
from httpkit.slicing import Cut, Slicer, Slices
from httpkit.text import excerpt
from httpkit.throttle import asks_for_later, told_wait
from httpkit.values import JsonValue, Request, Response, SlicedRecord, value_of


class RecordSettings(Struct, frozen=True, kw_only=True):
    """Where the records are; the fields are those of the configuration, where each is explained.

    Attributes:
        feeds: are RSS and Atom feeds read as their entries, where no path says what the records are?
    """

    response_format: Format = "auto"
    records_path: Sequence[str] = ()
    required_path: str = ""
    feeds: bool = False


class Selected(Struct, frozen=True, kw_only=True):
    """A decoded answer and the records found in it.

    Attributes:
        path_numbers: for each record, by which of the record paths it was found.
        guessed: may it turn out to be something else when it is read?
    """

    content: JsonValue
    records: Sequence[JsonValue | SlicedRecord]
    path_numbers: Sequence[int]
    guessed: bool = False


class RecordSelector:
    """Finds the records in an answer.

    Args:
        limit: bytes that a compressed body may grow to.
        clean: masks secrets in what an error shows of an answer.
        slicer: cuts the records out of their pages, where nothing needs them decoded.

    Raises:
        SettingsError: a path is not valid.
    """

    def __init__(
        self,
        settings: RecordSettings,
        *,
        limit: int = 64 * 1024 * 1024,
        clean: Callable[[str], str] = str,
        slicer: Slicer | None = None,
    ) -> None:
        self._slicer = slicer
        self._clean = clean
        self._format: Format = settings.response_format
        self._limit = limit
        self._paths = [(path, compile_answer_path("records_path", path)) for path in settings.records_path if path]
        self._feeds = settings.feeds and not self._paths
        self._required_path = settings.required_path
        self._required = compile_answer_path("required_path", settings.required_path or "@")

    def select(self, request: Request, response: Response) -> Selected:
        """Decode an answer and select its records.

        Raises:
            RefusedError, UnavailableError: the status is not a success.
            UnexpectedShapeError: it is not in the format, or the records are not where the setting says.
        """
        check_status(request, response, self._clean)
        return self._checked(request, response, self._sliced(response) or self._decoded_records(request, response))

    def read(self, request: Request, response: Response, selected: Selected) -> Selected:
        """What was selected, with records that are read as far as is needed.

        That takes longer than selecting them, and the next page is known before. The content is another one only if
        what was selected was a guess, and a wrong one, or has to be decoded after all.

        Raises:
            UnexpectedShapeError: as `select`.
        """
        if not (self._slicer and isinstance(selected.records, UnreadRecords)):
            return selected
        slices = self._slicer.read(Cut(content=selected.content, records=selected.records, guessed=selected.guessed))
        read = _of_slices(slices) if slices else self._decoded_records(request, response)
        return read if read.content is selected.content else self._checked(request, response, read)

    def _checked(self, request: Request, response: Response, selected: Selected) -> Selected:
        """What was selected, if what is required is there."""
        content = selected.content
        if content is not None and self._required_path and not self._has_required(response, selected):
            raise UnexpectedShapeError(
                f"{named(request)}: nothing at required_path {self._required_path!r}; {_seen(content)}"
            )
        return selected

    def _sliced(self, response: Response) -> Selected | None:
        if not self._slicer or kind_of(response) not in {"auto", "json"}:
            return None
        cut = self._slicer.cut(response.body)
        if cut and cut.guessed and self._required_path and self._lacks_required(response, cut):
            cut = self._slicer.cut_again(cut)
        return _of_slices(cut, guessed=cut.guessed) if cut else None

    def _decoded_records(self, request: Request, response: Response) -> Selected:
        content = self._decoded(request, response)
        if content is None:
            return Selected(content=None, records=(), path_numbers=())
        if not self._required_path:
            self._check_paths(request, content)
        return self._selected(request, response, content)

    def _check_paths(self, request: Request, content: JsonValue) -> None:
        """Without a `required_path`, records paths that are plain names must lead somewhere; of several, one does."""
        paths = [path for path, _ in self._paths]
        if paths and all(is_plain_name(path) and not _exists(content, path) for path in paths):
            listed = " or ".join(repr(path) for path in paths)
            raise UnexpectedShapeError(f"{named(request)}: nothing at records_path {listed}; {_seen(content)}")

    def _lacks_required(self, response: Response, guessed: Cut) -> bool:
        try:
            return not self._has_required(response, _of_slices(guessed))
        except UnexpectedShapeError:
            return True

    def _has_required(self, response: Response, selected: Selected) -> bool:
        path, content, records = self._required_path, selected.content, selected.records
        if is_plain_name(path):
            return _exists(content, path)
        if path.startswith(OF_LAST_RECORD) and not records:
            return True
        return self._required(content, response, value_of(records[-1]) if records else None) is not None

    def _selected(self, request: Request, response: Response, content: JsonValue) -> Selected:
        if not self._paths:
            records = _as_records(request, "", content)
            return Selected(content=content, records=records, path_numbers=[0] * len(records))
        found = [_as_records(request, path, find(content, response, None)) for path, find in self._paths]
        return Selected(
            content=content,
            records=[record for records in found for record in records],
            path_numbers=[number for number, records in enumerate(found) for _ in records],
        )

    def _decoded(self, request: Request, response: Response) -> JsonValue:
        try:
            return decode(response, self._format, limit=self._limit, feeds=self._feeds)
        except ValueError as error:
            expected = {"auto": "JSON", "text": "text"}.get(self._format, self._format.upper())
            if response.body.lstrip()[:1] == b"<" and self._format != "xml":
                problem = "an HTML or XML page came instead of JSON; is this a login page, or is the url wrong?"
            else:
                shown = excerpt(response, self._clean)
                problem = f"the answer is not valid {expected} ({error}){shown}; check the url"
            raise WrongFormatError(f"{named(request)}: {problem}") from None


def _of_slices(slices: Cut | Slices, *, guessed: bool = False) -> Selected:
    records = slices.records
    return Selected(content=slices.content, records=records, path_numbers=[0] * len(records), guessed=guessed)


def _as_records(request: Request, path: str, found: JsonValue) -> Sequence[JsonValue]:
    if found is None:
        return ()
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return (found,)
    raise UnexpectedShapeError(
        f"{named(request)}: records_path {path!r} finds {type(found).__name__}, not records; "
        "it must lead to a list or an object"
    )


def _exists(content: JsonValue, path: str) -> bool:
    """Is there something at a plain path? A name that is there with null is: some servers write an empty list so."""
    for name in path.split("."):
        if not isinstance(content, dict) or name not in content:
            return False
        content = content[name]
    return True


def check_status(request: Request, response: Response, clean: Callable[[str], str] = str) -> None:
    """Raise the error that a status other than a success means.

    Args:
        clean: masks secrets in what the error shows of the answer.

    Raises:
        UnavailableError: 408, 425, 429, 5xx, and a 403 that says that the rate limit is used up.
        RefusedError: everything else that is not 2xx.
    """
    if response.ok:
        return
    raise _status_error(request, response, clean)


def _status_error(request: Request, response: Response, clean: Callable[[str], str]) -> HttpkitError:
    status = response.status
    what = f"{named(request)}: {status} {response.reason}{excerpt(response, clean)}"
    if asks_for_later(response) or status >= 500:
        return UnavailableError(what, status=status, retry_after=told_wait(response))
    if status in {401, 403}:
        return RefusedError(f"{what}; check the api_key of the account and its rights", status=status)
    if status == 404:
        return RefusedError(f"{what}; check the url", status=status)
    return RefusedError(f"{what}; check url, params and body", status=status)


def _seen(content: JsonValue) -> str:
    if isinstance(content, dict):
        names = ", ".join(list(content)[:10])
        return f"the answer is an object with {names or 'no fields'}"
    if isinstance(content, list):
        return "the answer is a list; leave records_path empty to read it"
    return f"the answer is {type(content).__name__}"
