"""Between two vocabularies: configuration models to httpkit's values, errors to the sentence a user reads."""

from dataclasses import fields
from hashlib import blake2b
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from httpkit.client import Client
from httpkit.documents import encode_json
from httpkit.errors import HttpkitError
from httpkit.intake import Intake
from httpkit.memory import Memory
from httpkit.pagination import PagingSettings
from httpkit.redaction import without_query
from httpkit.source import SourceSettings
from httpkit.values import Request
from testhttp_modules.account import absolute_url
from testhttp_modules.manifests import secret_fields
from testhttp_modules.models import (
    RequestArguments,
    SourceConfiguration,
    TesthttpConnectorConfiguration,
    TesthttpModuleConfiguration,
)

SECRET_FIELDS = secret_fields(TesthttpModuleConfiguration) | secret_fields(RequestArguments) | {"intake_key"}
"""Fields whose values are never shown; the platform does not take the intake key as a secret, but it is one."""


def intake_of(configuration: TesthttpConnectorConfiguration, platform_url: str, client: Client) -> Intake:
    """The intake that receives the events of a connector."""
    return Intake(
        client,
        url=configuration.intake_server or platform_url,
        key=configuration.intake_key,
        batch_size=configuration.batch_size,
        compress=configuration.compress,
    )


def source_settings(account: TesthttpModuleConfiguration, configuration: SourceConfiguration) -> SourceSettings:
    """What is read, and how, as httpkit's values; the names of the fields are the same on both sides."""
    request = Request(
        method=configuration.method.upper(),
        url=absolute_url(account, configuration.url),
        params=configuration.params,
        headers=configuration.headers,
        body=configuration.body,
        authenticate=configuration.authenticate,
        # Whatever the method, a source only reads.
        safe=True,
    )
    paging = PagingSettings(**{field.name: getattr(configuration, field.name) for field in fields(PagingSettings)})
    return SourceSettings(
        request=request, paging=paging, records_path=configuration.records_path, id_path=configuration.id_path
    )


def memory_of(component: str, settings: SourceSettings, data_path: Path) -> Memory:
    """The memory of a source; another request, or other identities, have another memory."""
    request = settings.request
    identity = (
        request.method,
        request.url,
        sorted(request.params.items()),
        request.body,
        settings.records_path,
        settings.id_path,
    )
    digest = blake2b(encode_json(identity), digest_size=8).hexdigest()
    return Memory(data_path / f"{component.lower()}-{digest}", source=without_query(request.url))


def sentence(error: BaseException) -> str:
    """What went wrong, in one line for the user: the field, the problem and the remedy."""
    if isinstance(error, HttpkitError):
        return error.message
    wrong = _validation_error(error)
    if wrong is None:
        return " ".join(str(error.args[0] if error.args else error).split())
    return "; ".join(f"{_field(problem)}: {_problem(problem)}" for problem in wrong.errors())


def _validation_error(error: BaseException | None) -> ValidationError | None:
    """The validation error behind an error of the SDK, which keeps only its text."""
    while error is not None and not isinstance(error, ValidationError):
        error = error.__cause__ or error.__context__
    return error


def _field(problem: ErrorDetails) -> str:
    # validate_call puts the position or the name of the parameter before the name of the field.
    names = [str(part) for part in problem["loc"] if part not in {0, "arguments"}]
    return ".".join(names) or "configuration"


def _problem(problem: ErrorDetails) -> str:
    """What is wrong with a field, and the remedy; the value is shown when it cannot be a secret."""
    if problem["type"] == "missing":
        return "is required; add it"
    if problem["type"] == "extra_forbidden":
        return "is not a known field; check its spelling or remove it"
    value, message = problem["input"], problem["msg"].removeprefix("Value error, ")
    if _field(problem) in SECRET_FIELDS or not isinstance(value, (str, int, float, bool, type(None))):
        return message
    return f"{message}, not {value[:60]!r}" if isinstance(value, str) else f"{message}, not {value}"
