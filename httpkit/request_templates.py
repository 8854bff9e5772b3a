"""From the configured templates to the requests of a source: the first of a window, and those that follow it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from httpkit.places import check_place, with_parameter
from httpkit.templates import Scope, placeholders, render, render_text
from httpkit.times import Moment
from httpkit.values import BodyFormat, JsonValue, OpenWindow, Parameters, Request


class RequestSettings(Struct, frozen=True, kw_only=True):
    """What is asked; the fields are those of the configuration, where each is explained, and `url` is absolute."""

    url: str
    method: Literal["get", "post"] = "get"
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Parameters = field(default_factory=dict)
    body: JsonValue = None
    body_format: Literal["json", "form"] = "json"
    next_params: Parameters | None = None
    next_body: JsonValue = None
    since_parameter: str = ""
    until_parameter: str = ""
    since_format: str = "iso8601"
    authenticate: bool = False


class RequestTemplates:
    """Makes requests from templates.

    Args:
        scope: placeholders that never change, such as those of the account and of the stream.

    Raises:
        SettingsError: a parameter has no name.
    """

    def __init__(self, settings: RequestSettings, scope: Scope) -> None:
        self._settings = settings
        self._scope = scope
        for name in ("since_parameter", "until_parameter"):
            if getattr(settings, name):
                check_place(name, getattr(settings, name))
        parts = [settings.url, settings.headers, settings.params, settings.body]
        self.first_placeholders = placeholders([dict(part) if isinstance(part, Mapping) else part for part in parts])
        self.next_placeholders = self.first_placeholders | placeholders(
            [dict(settings.next_params or {}), settings.next_body]
        )

    @property
    def asks_for_time(self) -> bool:
        """Does the API get a bound of the window?"""
        named = {"since", "until"} & (self.first_placeholders | self.next_placeholders)
        return bool(named or self._settings.since_parameter or self._settings.until_parameter)

    @property
    def asks_for_end(self) -> bool:
        """Does the API get the end of the window, so that less can be asked for?"""
        return bool("until" in self.first_placeholders or self._settings.until_parameter)

    @property
    def has_next_templates(self) -> bool:
        """Do follow-up pages have templates of their own, which replace parameters, bounds and page size?"""
        return self._settings.next_params is not None or self._settings.next_body is not None

    def request(self, window: OpenWindow, now: datetime, paging: Scope, *, follow_up: bool) -> Request:
        """The request for a page.

        Args:
            now: the moment before the first page of the window.
            paging: the placeholders of paging.
            follow_up: is it not the first of its window?
        """
        settings = self._settings
        scope = {**self._scope, **paging, **self._moments(window, now)}
        own = follow_up and self.has_next_templates
        params = settings.next_params if own and settings.next_params is not None else settings.params
        body = settings.next_body if own and settings.next_body is not None else settings.body
        body = render(body, scope)
        headers = {name: str(value) for name, value in render(dict(settings.headers), scope).items()}
        body_format = _body_format(settings, body)
        if body_format == "raw" and "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = "application/json"
        request = Request(
            method=settings.method.upper(),
            url=render_text(settings.url, scope),
            params=render(dict(params), scope),
            headers=headers,
            body=body,
            body_format=body_format,
            authenticate=settings.authenticate,
            # Whatever the method, a source only reads.
            safe=True,
        )
        return request if own else self._bounded(request, scope)

    def _bounded(self, request: Request, scope: Scope) -> Request:
        for name, bound in (("since_parameter", "since"), ("until_parameter", "until")):
            place, moment = getattr(self._settings, name), scope[bound]
            if place and isinstance(moment, Moment):
                request = with_parameter(request, place, moment.text())
        return request

    def _moments(self, window: OpenWindow, now: datetime) -> dict[str, JsonValue]:
        usual = self._settings.since_format
        moments = {"since": window.since, "until": window.until, "now": now}
        return {name: Moment(at=moment, usual=usual) for name, moment in moments.items()}


def _body_format(settings: RequestSettings, body: JsonValue) -> BodyFormat:
    return "raw" if isinstance(body, str) and settings.body_format == "json" else settings.body_format
