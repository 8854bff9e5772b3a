"""From an answer to the results of the action: text, JSON, an extracted value, or a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal
from uuid import uuid4

from httpkit.documents import decode_json
from httpkit.errors import UnexpectedShapeError
from httpkit.files import write_whole
from httpkit.paths import compile_path
from httpkit.redaction import Redactor
from httpkit.text import encoding_of, is_text
from httpkit.values import JsonValue
from httpkit.values import Response as HttpResponse
from testhttp_modules.models import Response
from testhttp_modules.sendable import DEEPEST_JSON, is_flat_enough, sendable

LARGEST_TEXT_BYTES = 1024 * 1024
_NOT_JSON = object()


class Reading:
    """How the playbook wants to read the answer.

    Args:
        output: `auto` puts text up to 1 MiB into the results and everything else into a file.
        extract: JMESPath on the JSON answer, "" for none.

    Raises:
        SettingsError: the path is not valid.
    """

    def __init__(self, *, output: Literal["auto", "text", "json", "file"], extract: str) -> None:
        self.output = output
        self.extract = extract
        self._find = compile_path("extract", extract) if extract else None

    @property
    def reads_json(self) -> bool:
        """Must the answer be decoded, wherever its body goes?"""
        return self._find is not None or self.output == "json"

    def to_file(self, response: HttpResponse) -> bool:
        """Does the body go into a file?"""
        if self.output != "auto":
            return self.output == "file"
        return len(response.body) > LARGEST_TEXT_BYTES or not (is_text(response) or not response.body)

    def extracted(self, document: object) -> JsonValue:
        """What the path finds.

        Raises:
            UnexpectedShapeError: there is a path, but the answer is not JSON.
        """
        if self._find is None:
            return None
        if document is _NOT_JSON:
            raise UnexpectedShapeError(f"extract {self.extract!r} needs a JSON answer, and this one is not JSON")
        found = self._find(document)
        if not is_flat_enough(found):
            raise UnexpectedShapeError(f"extract {self.extract!r} finds a value of more than {DEEPEST_JSON} levels")
        return found


def results_of(response: HttpResponse, reading: Reading, storage: Callable[[], Path], redactor: Redactor) -> Response:
    """The results of the action; secrets that the server echoed are masked, except inside a file.

    Args:
        storage: gives the folder of the run, asked for only when a file is written.

    Raises:
        UnexpectedShapeError: JSON was wanted and something else came.
        UnavailableError: the file could not be written.
    """
    in_file = reading.to_file(response)
    # What goes into a file whole is not taken apart before.
    document = _document(response) if reading.reads_json or not in_file else _NOT_JSON
    # An error page is seldom JSON; the playbook shall read of the error, not of its page.
    if reading.output == "json" and document is _NOT_JSON and response.status < 400:
        raise UnexpectedShapeError("output 'json' needs a JSON answer, and this one is not; use 'auto' or 'text'")
    extracted = reading.extracted(document) if response.ok else None
    encoding = None if in_file else encoding_of(response)
    text = response.body.decode(encoding, "replace") if encoding else ""
    return Response(
        status_code=response.status,
        headers=redactor.clean_value(dict(response.headers)),
        text=sendable(redactor.clean(text)),
        url=redactor.clean(response.url),
        reason=redactor.clean(response.reason),
        encoding=encoding,
        elapsed=round(response.elapsed, 3),
        json_body=None if in_file or document is _NOT_JSON else sendable(redactor.clean_value(document)),
        extracted=sendable(redactor.clean_value(extracted)),
        file_path=_kept(response, storage()) if in_file else None,
    )


def _document(response: HttpResponse) -> object:
    """The body as JSON, whatever type the server says it has; all JSON types are named differently."""
    start = response.body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if not start or start not in b'{["-0123456789tfn':
        return _NOT_JSON
    try:
        document = decode_json(response.body)
    except ValueError:
        return _NOT_JSON
    return document if is_flat_enough(document) else _NOT_JSON


def _kept(response: HttpResponse, folder: Path) -> str:
    """Write the body to a file under a name of ours: a name that a server gives could lead anywhere."""
    path = folder / f"response-{uuid4().hex}"
    write_whole(path, response.body)
    return path.name
