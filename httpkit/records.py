"""From an answer to its records, and from a record to the event that is delivered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from httpkit.documents import decode_json, encode_json
from httpkit.errors import HttpkitError, RefusedError, UnavailableError, UnexpectedShapeError
from httpkit.paths import Path, compile_path, is_plain_name
from httpkit.redaction import named
from httpkit.text import excerpt
from httpkit.throttle import asks_for_later, told_wait
from httpkit.values import JsonValue, Request, Response


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """A decoded answer and the records found in it."""

    content: JsonValue
    records: Sequence[JsonValue]


class RecordSelector:
    """Finds the records in an answer.

    Args:
        records_path: JMESPath of the records; "" is the whole document: a list, or one object.
    """

    def __init__(self, records_path: str) -> None:
        self._path = records_path
        self._find: Path = compile_path("records_path", records_path) if records_path else _itself

    def select(self, request: Request, response: Response) -> Selected:
        """Decode an answer and select its records.

        Raises:
            RefusedError, UnavailableError: the status is not a success.
            UnexpectedShapeError: it is not JSON, or the records are not where the setting says.
        """
        check_status(request, response)
        if not response.body.strip():
            return Selected(content=None, records=())
        content = _decoded(request, response)
        found = self._find(content)
        if found is None and not (self._path and _optional(self._path)):
            raise UnexpectedShapeError(f"{named(request)}: nothing at records_path {self._path!r}; {_seen(content)}")
        if isinstance(found, list):
            return Selected(content=content, records=found)
        if isinstance(found, dict):
            return Selected(content=content, records=(found,))
        if found is None:
            return Selected(content=content, records=())
        raise UnexpectedShapeError(
            f"{named(request)}: records_path {self._path!r} finds {type(found).__name__}, not records; "
            "it must lead to a list or an object"
        )


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


def event_text(value: JsonValue, source: str) -> str:
    """The event for a record: JSON on one line; text records stay as they are.

    Args:
        source: put into object records as `source`, unless empty or the record has one already.
    """
    if isinstance(value, str):
        return value
    if source and isinstance(value, dict) and "source" not in value:
        value = {**value, "source": source}
    return encode_json(value).decode()


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


def _decoded(request: Request, response: Response) -> JsonValue:
    try:
        return decode_json(response.body)
    except ValueError as error:
        if response.body.lstrip()[:1] == b"<":
            problem = "an HTML or XML page came instead of JSON; is this a login page, or is the url wrong?"
        else:
            problem = f"the answer is not valid JSON ({error}){excerpt(response)}; check the url"
        raise UnexpectedShapeError(f"{named(request)}: {problem}") from None


def _itself(document: JsonValue) -> JsonValue:
    return document


def _optional(path: str) -> bool:
    """An expression may find nothing on purpose; a plain name that is absent means that the API changed."""
    return not is_plain_name(path)


def _seen(content: JsonValue) -> str:
    if isinstance(content, dict):
        names = ", ".join(list(content)[:10])
        return f"the answer is an object with {names or 'no fields'}"
    if isinstance(content, list):
        return "the answer is a list; leave records_path empty to read it"
    return f"the answer is {type(content).__name__}"
