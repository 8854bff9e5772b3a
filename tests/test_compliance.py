"""The public rules that Sekoia.io checks before it takes a module."""

import ast
import json
import re
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "manifest.json"
COMPONENTS = sorted(path for kind in ("action", "connector", "trigger") for path in ROOT.glob(f"{kind}_*.json"))
CATEGORIES = {
    *("Applicative", "Cloud Providers", "Collaboration Tools", "Email", "Endpoint"),
    *("Generic", "IAM", "Network", "Threat Intelligence"),
}
REQUIRED_FIELDS = {
    "action_request.json": ["url", "method"],
    "connector_testhttpconnector.json": ["intake_key"],
    "trigger_newentriestrigger.json": ["url"],
}
HEADER = (
    "All notable changes to this project will be documented in this file.",
    (
        "The format is based on [Keep a Changelog](https://keepachangelog.com/en/1.0.0/), and this project adheres to "
        "[Semantic Versioning](https://semver.org/spec/v2.0.0.html)."
    ),
)
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def read_schemas() -> dict[str, dict[str, Any]]:
    """All schemas of the module: the place it stands in -> schema."""
    found = {"manifest.json configuration": read(MANIFEST)["configuration"]}
    for path in COMPONENTS:
        component = read(path)
        found |= {f"{path.name} {part}": component[part] for part in ("arguments", "results") if part in component}
    return found


SCHEMAS = read_schemas()


def keys(node: object) -> set[str]:
    """All keys that occur anywhere in a JSON document."""
    if isinstance(node, dict):
        return set(node).union(*(keys(value) for value in node.values()))
    if isinstance(node, list):
        return set[str]().union(*(keys(value) for value in node))
    return set()


def property_schemas(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of a schema and of the objects it defines."""
    fields = dict(schema.get("properties", {}))
    for definition in schema.get("definitions", {}).values():
        fields |= property_schemas(definition)
    return fields


def test_the_module_is_described() -> None:
    manifest = read(MANIFEST)
    assert manifest["name"] == "TestHTTP"
    assert manifest["description"].strip()
    assert str(UUID(manifest["uuid"])) == manifest["uuid"]
    assert re.fullmatch(r"[a-z]([a-z_.\-]|\d)*", manifest["slug"])
    assert VERSION.fullmatch(manifest["version"])
    assert set(manifest["categories"]) <= CATEGORIES
    assert manifest["categories"]


def test_there_is_one_component_of_each_kind() -> None:
    assert [path.name for path in COMPONENTS] == sorted(REQUIRED_FIELDS)


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.name)
def test_a_component_is_described(path: Path) -> None:
    component = read(path)
    for name in ("name", "uuid", "description", "docker_parameters"):
        assert isinstance(component[name], str)
        assert component[name].strip()
    assert ("results" in component) is not path.name.startswith("connector_")


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_is_draft_07_in_plain_words(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)
    assert not keys(schema) & {"$defs", "anyOf"}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_every_field_has_a_description(schema: dict[str, Any]) -> None:
    fields = property_schemas(schema)
    assert [name for name, field in fields.items() if not field.get("description", "").strip()] == []


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_default_fits_its_own_field(schema: dict[str, Any]) -> None:
    for field in property_schemas(schema).values():
        if "default" in field:
            validator = jsonschema.Draft7Validator({**field, "definitions": schema.get("definitions", {})})
            validator.validate(field["default"])


@pytest.mark.parametrize(("name", "required"), REQUIRED_FIELDS.items())
def test_exactly_these_fields_are_required(name: str, required: list[str]) -> None:
    assert read(ROOT / name)["arguments"]["required"] == required


def test_the_account_requires_its_secret() -> None:
    configuration = read(MANIFEST)["configuration"]
    assert configuration["required"] == ["api_key"]
    assert "api_key" in configuration["secrets"]
    assert set(configuration["secrets"]) <= set(configuration["properties"])


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_secrets_are_listed_and_not_marked_in_place(schema: dict[str, Any]) -> None:
    assert not any("secret" in field for field in property_schemas(schema).values())


def test_every_component_is_registered_exactly_once() -> None:
    tree = ast.parse((ROOT / "main.py").read_text(encoding="utf-8"))
    calls = [
        call for call in ast.walk(tree) if isinstance(call, ast.Call) and ast.unparse(call.func) == "module.register"
    ]
    registered = sorted(ast.literal_eval(call.args[1]) for call in calls)
    assert registered == sorted(read(path)["docker_parameters"] for path in COMPONENTS)
    assert all(ast.unparse(call.args[0]) == ast.literal_eval(call.args[1]) for call in calls)


def test_no_uuid_occurs_twice() -> None:
    uuids = [read(path)["uuid"] for path in [MANIFEST, *COMPONENTS]]
    assert len(set(uuids)) == len(uuids)


def test_the_changelog_has_the_form_that_is_checked() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith("# Changelog\n")
    assert all(sentence in text.splitlines() for sentence in HEADER)
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= SECTIONS
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})", title) for title in titles]
    versions = [tuple(int(part) for part in match[1].split(".")) for match in released if match]
    dates = [date.fromisoformat(match[2]) for match in released if match]
    assert len(versions) == len(titles) > 0
    assert versions == sorted(set(versions), reverse=True)
    assert dates == sorted(dates, reverse=True)


def test_the_logo_is_a_small_square_drawing() -> None:
    logo = ROOT / "logo.svg"
    drawing = ET.fromstring(logo.read_text(encoding="utf-8"))
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    assert drawing.attrib["width"] == drawing.attrib["height"]
    assert logo.stat().st_size < 50 * 1024


@pytest.mark.parametrize("name", ["CHANGELOG.md", "Dockerfile", "README.md", "poetry.lock", "pyproject.toml"])
def test_the_file_stands_at_the_root(name: str) -> None:
    assert (ROOT / name).is_file()


def test_no_line_of_code_is_too_long_for_the_formatter_of_the_library() -> None:
    files = [ROOT / "main.py", *(ROOT / "testhttp_modules").rglob("*.py"), *(ROOT / "httpkit").rglob("*.py")]
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > 119
    ]
    assert long == []
