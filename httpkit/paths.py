"""JMESPath expressions: compiled once, with an error that names the setting."""

import re
from collections.abc import Callable

import jmespath
from jmespath.exceptions import JMESPathError

from httpkit.documents import decode_json
from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.values import JsonValue, Response

Path = Callable[[JsonValue], JsonValue]
"""A compiled path: gives the value found in a document, None when there is none."""


AnswerPath = Callable[[JsonValue, Response, JsonValue], JsonValue]
"""A compiled path over an answer: takes its document, the response and the last record of the page."""

OF_LAST_RECORD = "last:"
"""Begins a path of an answer that is read from its last record."""

_HEADER = re.compile(r"header:(.+)")
_JSON_HEADER = re.compile(r"json\(\s*header:([^)]+)\)")


def compile_path(field: str, expression: str) -> Path:
    """Compile a JMESPath expression (https://jmespath.org/specification.html).

    Args:
        field: the setting it came from, for the error.

    Raises:
        SettingsError: the expression is not valid JMESPath.
    """
    if is_plain_name(expression):
        return _by_names(expression.split("."))
    try:
        compiled = jmespath.compile(expression)
    except JMESPathError as error:
        raise SettingsError(field, f"{expression!r} is not a JMESPath expression: {_first_line(error)}") from None

    def find(document: JsonValue) -> JsonValue:
        try:
            return compiled.search(document)
        except (JMESPathError, TypeError, ValueError) as error:  # a function or operator met a type it does not take
            raise UnexpectedShapeError(
                f"{field} {expression!r} does not fit the answer: {_first_line(error)}"
            ) from None

    return find


def compile_answer_path(field: str, expression: str) -> AnswerPath:
    """Compile a path that reads a whole answer, not only its document.

    Args:
        expression: JMESPath on the document; `header:NAME` is a response header, `json(header:NAME)` the JSON in one,
            `last:PATH` is read from the last record of the page.

    Raises:
        SettingsError: the expression is not valid.
    """
    if header := _HEADER.fullmatch(expression):
        name = header[1].strip()
        return lambda content, response, last: response.headers.get(name)
    if header := _JSON_HEADER.fullmatch(expression):
        name = header[1].strip()
        return lambda content, response, last: _json_or_none(response.headers.get(name, ""))
    if expression.startswith(OF_LAST_RECORD):
        find_in_record = compile_path(field, expression.removeprefix(OF_LAST_RECORD))
        return lambda content, response, last: None if last is None else find_in_record(last)
    find = compile_path(field, expression)
    # Nothing can be found in an answer without a body, and functions do not take null.
    return lambda content, response, last: None if content is None else find(content)


def _json_or_none(text: str) -> JsonValue:
    try:
        return decode_json(text.encode())
    except ValueError:
        return None


def is_plain_name(expression: str) -> bool:
    """Is the path only names with dots between, without indexes, wildcards or functions?"""
    return expression.isascii() and all(part.isidentifier() for part in expression.split("."))


def _by_names(names: list[str]) -> Path:
    """As JMESPath reads names with dots between, many times faster."""

    def find(document: JsonValue) -> JsonValue:
        for name in names:
            if not isinstance(document, dict):
                return None
            document = document.get(name)
        return document

    return find


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
