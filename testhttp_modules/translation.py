"""Between two vocabularies: configuration models to httpkit's values, errors to the sentence a user reads."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from msgspec import Struct
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from httpkit.client import Client
from httpkit.details import DetailSettings
from httpkit.documents import encode_json
from httpkit.errors import HttpkitError
from httpkit.intake import Intake, Trouble
from httpkit.memory import Memory
from httpkit.paging_styles import PagingSettings
from httpkit.preparing import PrepareSettings
from httpkit.records import RecordSettings
from httpkit.redaction import is_secret_name, without_query
from httpkit.request_templates import RequestSettings
from httpkit.shaping import ShapingSettings
from httpkit.source_settings import SourceSettings
from httpkit.values import JsonValue
from httpkit.windows import WindowSettings
from testhttp_modules.account import absolute_url
from testhttp_modules.manifests import secret_fields
from testhttp_modules.models import (
    RequestArguments,
    SourceConfiguration,
    TesthttpConnectorConfiguration,
    TesthttpModuleConfiguration,
    TriggerConfiguration,
)

_GROUPS = frozenset({"request", "paging", "records", "windows", "shaping", "prepare", "detail", "scope"})

SECRET_FIELDS = secret_fields(TesthttpModuleConfiguration) | secret_fields(RequestArguments) | {"intake_key"}
"""Fields whose values are never shown; the platform does not take the intake key as a secret, but it is one."""


def intake_of(configuration: TesthttpConnectorConfiguration, url: str, client: Client, trouble: Trouble) -> Intake:
    """The intake at a URL that receives the events of a connector."""
    return Intake(
        client,
        url=url,
        key=configuration.intake_key,
        batch_size=configuration.batch_size,
        compress=configuration.compress,
        trouble=trouble,
    )


def source_settings(
    account: TesthttpModuleConfiguration, configuration: SourceConfiguration, stream: Mapping[str, JsonValue]
) -> SourceSettings:
    """What is read, and how, as httpkit's values; the names of the fields are the same on both sides.

    Args:
        stream: one of the configured streams; empty when there are none.
    """
    scope = {"username": account.username, "api_key": account.api_key}
    request = {**_same(RequestSettings, configuration), "url": absolute_url(account, configuration.url)}
    shaping = {**_same(ShapingSettings, configuration), "explode": _listed(configuration.explode)}
    prepare = {**_same(PrepareSettings, configuration), "prepare_url": _joined(account, configuration.prepare_url)}
    detail = {**_same(DetailSettings, configuration), "detail_url": _joined(account, configuration.detail_url)}
    tags = configuration.tags if isinstance(configuration.tags, list) else [configuration.tags]
    records = {**_same(RecordSettings, configuration), "records_path": _listed(configuration.records_path)}
    own = {name: value for name, value in _same(SourceSettings, configuration).items() if name not in _GROUPS}
    return SourceSettings(
        **{
            **own,
            "request": RequestSettings(**request),
            "paging": PagingSettings(**_same(PagingSettings, configuration)),
            # For the connector feeds are XML like any other.
            "records": RecordSettings(**records, feeds=isinstance(configuration, TriggerConfiguration)),
            "windows": WindowSettings(**_same(WindowSettings, configuration)),
            "prepare": PrepareSettings(**prepare),
            "detail": DetailSettings(**detail),
            "shaping": ShapingSettings(**{**shaping, "tags": tags if any(tags) else []}),
            "scope": {**scope, **{f"stream.{name}": value for name, value in stream.items()}},
        }
    )


def memory_folder(
    component: str, configuration: SourceConfiguration, url: str, stream: Mapping[str, JsonValue], data_path: Path
) -> Path:
    """Where a source is remembered; another request, other identities or another stream have another memory."""
    identity = (
        configuration.method,
        url,
        sorted(configuration.params.items()),
        configuration.body,
        configuration.records_path,
        configuration.id_path,
        sorted(stream.items()),
    )
    digest = blake2b(encode_json(identity), digest_size=8).hexdigest()
    return data_path / f"{component.lower()}-{digest}"


def memory_of(folder: Path, url: str, **settings: Any) -> Memory:
    """The memory of the source at a URL.

    Args:
        settings: further ones of the memory.
    """
    return Memory(folder, source=without_query(url), **settings)


def stream_names(streams: Sequence[Mapping[str, JsonValue]]) -> list[str]:
    """What streams are called in the log: by the first of their values, or by all of them where that is not enough.

    Values whose names say that they are secrets do not count.
    """
    shown = [[str(value) for name, value in stream.items() if not is_secret_name(name)] for stream in streams]
    names = [values[0] if values else "" for values in shown]
    if len(set(names)) < len(names):
        names = ["/".join(values) for values in shown]
    if len(set(names)) < len(names):
        names = [f"{name or 'stream'} {number}" for number, name in enumerate(names, 1)]
    return names


def _joined(account: TesthttpModuleConfiguration, url: str) -> str:
    return absolute_url(account, url) if url else ""


def _same(values: type[Struct], model: BaseModel) -> dict[str, Any]:
    """The fields that both have, by name."""
    return {name: getattr(model, name) for name in values.__struct_fields__ if hasattr(model, name)}


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) and value else list(value)


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
