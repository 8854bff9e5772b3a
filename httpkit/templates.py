"""Placeholders in configured text, such as `{username}` or `{since:%Y-%m-%d}`; whose values they are is not known."""

import re
from collections.abc import Mapping
from typing import Final

from httpkit.times import Moment
from httpkit.values import JsonValue

_PLACEHOLDER = re.compile(r"\{(?P<name>[a-z_]+(?:\.[A-Za-z0-9_-]+)?)(?::(?P<format>[^{}]+))?\}")

Scope = Mapping[str, JsonValue]
"""The value of each placeholder by its name, prefix included: `username`, `login.token`."""


class _LeftOut:
    """Stands for a field that is not sent."""


_LEFT_OUT: Final = _LeftOut()


def render(template: JsonValue, scope: Scope) -> JsonValue:
    """A template with its placeholders replaced.

    A text that is one placeholder and nothing else takes the value with its JSON type; a field of an object or an
    element of a list whose only placeholder has no value is left out. Braces that form no known placeholder stay.

    Args:
        template: a text, or an object or list with texts in it; keys of objects count too.
    """
    rendered = _render(template, scope)
    return None if isinstance(rendered, _LeftOut) else rendered


def render_text(template: str, scope: Scope) -> str:
    """A text with its placeholders replaced, as text."""
    return _PLACEHOLDER.sub(lambda found: _replacement(found, scope), template)


def placeholders(template: JsonValue) -> frozenset[str]:
    """The names in a template that have the form of a placeholder."""
    if isinstance(template, str):
        return frozenset(found["name"] for found in _PLACEHOLDER.finditer(template))
    if isinstance(template, Mapping):
        return frozenset().union(*(placeholders(part) for pair in template.items() for part in pair))
    if isinstance(template, list):
        return frozenset().union(*(placeholders(part) for part in template))
    return frozenset()


def _render(template: JsonValue, scope: Scope) -> JsonValue | _LeftOut:
    if isinstance(template, str):
        return _render_one(template, scope)
    if isinstance(template, Mapping):
        fields = ((render_text(str(name), scope), _render(value, scope)) for name, value in template.items())
        return {name: value for name, value in fields if not isinstance(value, _LeftOut)}
    if isinstance(template, list):
        return [value for value in (_render(part, scope) for part in template) if not isinstance(value, _LeftOut)]
    return template


def _render_one(template: str, scope: Scope) -> JsonValue | _LeftOut:
    alone = _PLACEHOLDER.fullmatch(template)
    if alone and _known(alone["name"], scope):
        value = _formatted(scope.get(alone["name"]), alone["format"])
        return _LEFT_OUT if value is None or value == "" else value
    return render_text(template, scope)


def _replacement(found: re.Match[str], scope: Scope) -> str:
    if not _known(found["name"], scope):
        return found[0]
    value = _formatted(scope.get(found["name"]), found["format"])
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _known(name: str, scope: Scope) -> bool:
    """Is it a placeholder here? Those of a record always are, since records may lack a field."""
    return name in scope or name.startswith("record.")


def _formatted(value: JsonValue, pattern: str | None) -> JsonValue:
    return value.text(pattern) if isinstance(value, Moment) else value
