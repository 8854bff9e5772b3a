"""The action: a playbook requests an HTTP resource and gets its answer."""

import sys
from threading import Event
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from sekoia_automation.action import Action

from httpkit.auth import origin_of
from httpkit.client import Client, ClientSettings
from httpkit.errors import SettingsError
from httpkit.records import excerpt
from httpkit.redaction import named, without_query
from httpkit.text import text_of
from httpkit.values import Request as HttpRequest
from testhttp_modules.manifests import ManifestModel
from testhttp_modules.models import Url
from testhttp_modules.translation import sentence, user_agent


def _absolute(url: str) -> str:
    try:
        origin_of(url)
    except SettingsError as error:
        raise ValueError(error.message.removeprefix("url: ")) from None
    return url


class RequestArguments(ManifestModel):
    """What a playbook asks for."""

    url: Annotated[Url, AfterValidator(_absolute)] = Field(..., description="URL of the resource")
    headers: dict[str, str] | None = Field(None, description="Headers of the request")
    method: Literal["get", "post", "put", "patch", "delete"] = Field(..., description="HTTP method of the request")


class Response(ManifestModel):
    """What the playbook gets."""

    status_code: int = Field(..., description="HTTP status code of the answer")
    headers: dict[str, Any] = Field(..., description="Headers of the answer")
    text: str = Field(..., description="Body of the answer as text")


class Request(Action):
    """Requests an HTTP resource."""

    description = "Request the resource at a URL and return the answer"
    results_model = Response

    def run(self, arguments: RequestArguments) -> Response:
        """Send the request; an answer that is not a success marks the action as failed and is still returned."""
        self.log(f"Request URL module started. Target URL: {without_query(arguments.url)}", level="info")
        request = HttpRequest(method=arguments.method.upper(), url=arguments.url, headers=arguments.headers or {})
        response = Client(ClientSettings(user_agent=user_agent(self.module)), stop=Event()).send(request)
        if not response.ok:
            self.error(
                f"HTTP Request failed: {named(request)} with {response.status} {response.reason}{excerpt(response)}"
            )
        return Response(status_code=response.status, headers=dict(response.headers), text=text_of(response))

    def error(self, message: str) -> None:
        """Mark the action as failed.

        The SDK calls this with a traceback while an exception is handled; a playbook author needs a sentence instead.
        """
        exception = sys.exception()
        super().error(sentence(exception) if exception else message)
