"""JMESPath expressions: compiled once, with an error that names the setting."""

from collections.abc import Callable

import jmespath
from jmespath.exceptions import JMESPathError

from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.values import JsonValue

Path = Callable[[JsonValue], JsonValue]
"""A compiled path: gives the value found in a document, None when there is none."""


def compile_path(field: str, expression: str) -> Path:
    """Compile a JMESPath expression (https://jmespath.org/specification.html).

    Args:
        field: the setting it came from, for the error.

    Raises:
        SettingsError: the expression is not valid JMESPath.
    """
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


def is_plain_name(expression: str) -> bool:
    """Is the path only names with dots between, without indexes, wildcards or functions?"""
    return all(part.isidentifier() for part in expression.split("."))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
