"""The JSON file that configures one run, and the documents the platform would make of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from relay.sekoia.manifests import Component, Kind, Module
from relay.sekoia.run_errors import RunError

SETTINGS_KEYS = {
    Kind.ACTION: "arguments",
    Kind.CONNECTOR: "connector_configuration",
    Kind.TRIGGER: "trigger_configuration",
}
PLACEHOLDER_OF_SECRETS = "(secret: asked for at run time)"
"""Stands in the child's environment where the platform, too, holds the secret back."""
RELAY_PLACEHOLDER = "{relay}"

JsonObject = dict[str, JsonValue]


class RunFile(BaseModel):
    """What a user writes: the account and the settings of one component."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    module_configuration: JsonObject = Field(default_factory=dict)
    arguments: JsonObject | None = None
    connector_configuration: JsonObject | None = None
    trigger_configuration: JsonObject | None = None

    def settings(self, component: Component) -> JsonObject:
        """The component's own settings; RunError when they stand under another kind's key."""
        wanted = SETTINGS_KEYS[component.kind]
        for key in SETTINGS_KEYS.values():
            if key != wanted and getattr(self, key) is not None:
                raise RunError(
                    f"{component.name} is a {component.kind}: put its settings under {wanted!r}, not {key!r}."
                )
        given: JsonObject | None = getattr(self, wanted)
        return given if given is not None else {}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDocuments:
    """A run file as one component receives it: the secrets taken out, a connector's intake key filled in."""

    module_configuration: JsonObject
    settings: JsonObject
    secrets: JsonObject
    intake_key: str | None


def read_run_file(path: Path) -> RunFile:
    """Read a run file; RunError names what is wrong with it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is not UTF-8 text; save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise RunError(f"{path} is not valid JSON: {error.msg} in line {error.lineno}.") from error
    except RecursionError as error:
        raise RunError(f"{path} is nested too deeply.") from error
    if not isinstance(document, dict):
        raise RunError(f"{path} must hold a JSON object with {_known_keys()}.")
    try:
        return RunFile.model_validate(document)
    except ValidationError as error:
        raise RunError(_first_problem(path, error)) from error


def prepare(
    run_file: RunFile, *, module: Module, component: Component, relay_url: str, new_key: Callable[[], str]
) -> RunDocuments:
    """Turn a run file into the documents of one run against the relay at `relay_url`."""
    account = _with_relay(run_file.module_configuration, relay_url)
    settings = _with_relay(run_file.settings(component), relay_url)
    intake_key = None
    if component.kind is Kind.CONNECTOR:
        intake_key = _intake_key(settings.get("intake_key", None), new_key)
        settings = {**settings, "intake_key": intake_key}
    return RunDocuments(
        module_configuration={
            name: PLACEHOLDER_OF_SECRETS if name in module.secrets else value for name, value in account.items()
        },
        settings=settings,
        secrets={name: value for name, value in account.items() if name in module.secrets},
        intake_key=intake_key,
    )


def _intake_key(given: JsonValue, new_key: Callable[[], str]) -> str:
    if given is None:
        return new_key()
    if not isinstance(given, str) or not given:
        raise RunError("connector_configuration.intake_key must be a text; leave it out to get a random one.")
    return given


def _with_relay(document: Mapping[str, JsonValue], relay_url: str) -> JsonObject:
    return {name: _value_with_relay(value, relay_url) for name, value in document.items()}


def _value_with_relay(value: JsonValue, relay_url: str) -> JsonValue:
    if isinstance(value, str):
        return value.replace(RELAY_PLACEHOLDER, relay_url)
    if isinstance(value, list):
        return [_value_with_relay(one, relay_url) for one in value]
    if isinstance(value, dict):
        return _with_relay(value, relay_url)
    return value


def _first_problem(path: Path, error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{path}: unknown key {place!r}; it may hold {_known_keys()}."
    return f"{path}: {place}: {first['msg']}."


def _known_keys() -> str:
    return "'module_configuration' and one of " + ", ".join(repr(key) for key in SETTINGS_KEYS.values())
