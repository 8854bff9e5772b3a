"""The action: a playbook requests an HTTP resource and gets its answer."""

import sys
from threading import Event
from typing import Any

from sekoia_automation.action import Action

from httpkit.redaction import named, without_query
from httpkit.text import excerpt
from testhttp_modules.account import account_of
from testhttp_modules.manifests import secret_fields
from testhttp_modules.masking import mask_logging, redactor_of
from testhttp_modules.models import RequestArguments, Response
from testhttp_modules.translation import sentence


class Request(Action):
    """Requests an HTTP resource."""

    description = "Request the resource at a URL and return the answer"
    results_model = Response

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as the platform gave them; an error about a wrong one must not show their secrets."""
        arguments: dict[str, Any] = super().arguments
        given = secret_fields(RequestArguments).intersection(arguments)
        redactor_of(self.module).add(*(str(arguments[name]) for name in given))
        return arguments

    def execute(self) -> None:
        """Run as the platform asks, and keep secrets out of whatever is written meanwhile."""
        mask_logging(redactor_of(self.module))
        super().execute()

    def run(self, arguments: RequestArguments) -> Response:
        """Send the request; an HTTP error fails the action if so asked, and the answer is given all the same.

        Raises:
            HttpkitError: there is no answer, or it is not what the arguments say; wrong ones send nothing.
        """
        # Every process imports this file, and only those that are actions shall wait for what an action does.
        from testhttp_modules.answering import Reading, results_of  # noqa: PLC0415
        from testhttp_modules.requesting import client_of, request_of  # noqa: PLC0415

        redactor = redactor_of(self.module)
        reading = Reading(output=arguments.output, extract=arguments.extract)
        account = account_of(self.module)
        request = request_of(account, arguments, redactor)
        client = client_of(self.module, account, arguments, request.url, stop=Event(), redactor=redactor)
        self.log(f"Request URL module started. Target URL: {without_query(request.url)}", level="info")
        response = client.send(request)
        if arguments.fail_on_http_error and response.status >= 400:
            what = f"{response.status} {response.reason}{excerpt(response, redactor.clean)}"
            self.error(f"HTTP Request failed: {named(request)} with {what}")
        return results_of(response, reading, lambda: self.data_path, redactor)

    def log(self, message: str, *args: Any, **options: Any) -> None:
        """Log a line, without secrets."""
        super().log(redactor_of(self.module).clean(message), *args, **options)

    def error(self, message: str) -> None:
        """Mark the action as failed.

        The SDK calls this with a traceback while an exception is handled; a playbook author needs a sentence instead.
        """
        exception = sys.exception()
        super().error(redactor_of(self.module).clean(sentence(exception) if exception else message))


__all__ = ["Request", "RequestArguments", "Response"]
