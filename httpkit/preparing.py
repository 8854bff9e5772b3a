"""One request before each window, whose answer gives values to the requests of the window."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from httpkit.client import Client
from httpkit.documents import decode_json
from httpkit.errors import SettingsError, UnexpectedShapeError
from httpkit.paths import compile_answer_path
from httpkit.records import check_status
from httpkit.redaction import named
from httpkit.request_templates import RequestSettings, RequestTemplates
from httpkit.templates import Scope
from httpkit.values import JsonValue, OpenWindow


class PrepareSettings(Struct, frozen=True, kw_only=True):
    """The request before a window; the fields are those of the configuration, `prepare_url` absolute or empty."""

    prepare_url: str = ""
    prepare_method: Literal["get", "post"] = "post"
    prepare_body: JsonValue = None
    prepare_capture: Mapping[str, str] = field(default_factory=dict)


class Preparation:
    """Gets the values of `{prepare.NAME}`.

    Args:
        request: the settings of the source, from which headers, time formats and authentication are taken.
        scope: placeholders that never change.

    Raises:
        SettingsError: a path is not valid, or values are captured from no request.
    """

    def __init__(self, settings: PrepareSettings, request: RequestSettings, scope: Scope, client: Client) -> None:
        if settings.prepare_capture and not settings.prepare_url:
            raise SettingsError("prepare_url", "is needed by prepare_capture: the request whose answer is captured")
        self._settings = settings
        self._client = client
        self._captures = {
            name: compile_answer_path(f"prepare_capture.{name}", path)
            for name, path in settings.prepare_capture.items()
        }
        own = RequestSettings(
            url=settings.prepare_url,
            method=settings.prepare_method,
            headers=request.headers,
            body=settings.prepare_body,
            since_format=request.since_format,
            authenticate=request.authenticate,
        )
        self._templates = RequestTemplates(own, scope)

    def values(self, window: OpenWindow, now: datetime) -> dict[str, JsonValue]:
        """Ask, and capture the values by their placeholders; none when nothing is prepared.

        Raises:
            HttpkitError: there is no good answer.
            UnexpectedShapeError: a value is not in it.
        """
        if not self._settings.prepare_url:
            return {}
        request = self._templates.request(window, now, {}, follow_up=False)
        response = self._client.send(request)
        check_status(request, response, self._client.clean)
        try:
            content = decode_json(response.body) if response.body.strip() else None
        except ValueError:
            content = None
        values: dict[str, JsonValue] = {}
        for name, find in self._captures.items():
            value = find(content, response, None)
            if value is None:
                path = self._settings.prepare_capture[name]
                raise UnexpectedShapeError(f"{named(request)}: nothing at prepare_capture.{name} {path!r}; correct it")
            values[f"prepare.{name}"] = value
        return values
