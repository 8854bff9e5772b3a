"""Where a value goes in a request: a query parameter, a body field or a header; which values is not known here."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from httpkit.errors import SettingsError
from httpkit.values import JsonValue, Request


def with_parameter(request: Request, place: str, value: JsonValue) -> Request:
    """The request with a value put in its place.

    Args:
        place: `name` for a query parameter, `body:a.b` for a field of the JSON body, `header:Name` for a header.

    Raises:
        SettingsError: the body is not an object, so that it has no fields.
    """
    kind, separator, name = place.partition(":")
    if separator and kind == "body":
        return replace(request, body=_with_field(request.body, name.split("."), value))
    if separator and kind == "header":
        return replace(request, headers={**request.headers, name: str(value)})
    return replace(request, params={**request.params, place: value})


def check_place(field: str, place: str) -> None:
    """Check that a place names something.

    Args:
        field: the setting it came from, for the error.

    Raises:
        SettingsError: there is no name, or an empty one on the way to a field of the body.
    """
    kind, separator, name = place.partition(":")
    names = name.split(".") if separator and kind == "body" else [name if kind == "header" else place]
    if not all(names):
        raise SettingsError(field, f"{place!r} names no parameter; use a name, body:a.b or header:NAME")


def _with_field(body: JsonValue, names: list[str], value: JsonValue) -> dict[str, JsonValue]:
    if body is not None and not isinstance(body, Mapping):
        raise SettingsError("body", f"must be an object so that {'.'.join(names)} can be set in it")
    fields: dict[str, Any] = dict(body or {})
    fields[names[0]] = value if len(names) == 1 else _with_field(fields.get(names[0]), names[1:], value)
    return fields
