"""The JSON Schemas that Sekoia's forms are made from; which fields there are is not known here."""

from typing import Any

from pydantic import BaseModel, ConfigDict

DRAFT_07 = "http://json-schema.org/draft-07/schema#"

Schema = dict[str, Any]


def secret(schema: Schema) -> None:
    """Mark a field as a secret: `Field(..., json_schema_extra=secret)`.

    A function and not a dictionary, because the SDK's generator handles dictionaries for some components only.
    """
    schema["secret"] = True


def no_entries() -> dict[str, Any]:
    """Makes a default; to learn what the type itself takes, pydantic would load a parser of Python at each start."""
    return {}


def no_items() -> list[Any]:
    """As `no_entries`."""
    return []


def secret_fields(model: type[BaseModel]) -> frozenset[str]:
    """The names of a model's fields that are marked as secrets."""
    return frozenset(name for name, field in model.model_fields.items() if field.json_schema_extra is secret)


class ManifestModel(BaseModel):
    """A model whose schema has the form that the platform expects: draft-07, plain optional types, secrets listed."""

    # A value that was refused may be a secret that was put into the wrong field.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True)

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> Schema:
        """The schema of the model as draft-07; the arguments are those of pydantic."""
        schema = super().model_json_schema(*args, **options)
        definitions = schema.pop("$defs", None)
        # The docstring of a model speaks to developers; the form shows the descriptions of the fields.
        schema.pop("description", None)
        plain: Schema = {"$schema": DRAFT_07, **_plain(schema)}
        secrets = [name for name, field in plain.get("properties", {}).items() if field.pop("secret", False)]
        if secrets:
            plain["secrets"] = secrets
        if definitions:
            plain["definitions"] = _plain(definitions)
        return plain


def _plain(node: Any) -> Any:
    """A schema node in the words of draft-07."""
    if isinstance(node, list):
        return [_plain(part) for part in node]
    if not isinstance(node, dict):
        return node
    node = {name: _plain(value) for name, value in node.items() if name != "additionalProperties"}
    if isinstance(node.get("$ref"), str):
        node["$ref"] = node["$ref"].replace("#/$defs/", "#/definitions/")
    if isinstance(node.get("anyOf"), list):
        node = _one_type(node)
    if "default" in node and node["default"] is None:
        del node["default"]
    return node


def _one_type(node: Schema) -> Schema:
    """Alternatives as one type or a list of types: `null` only says that a field may be left out."""
    options = [option for option in node.pop("anyOf") if option.get("type") != "null"]
    if len(options) == 1:
        return {**options[0], **node}
    types = [option["type"] for option in options if "type" in option]
    return {**node, "type": types} if types else node
