"""Rules that hold between pyproject.toml, poetry.lock, the requirement files and the version named elsewhere."""

import ast
import hashlib
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from scripts import install

ROOT = Path(__file__).resolve().parent.parent
EXPORTS = {"main": {"main"}, "relay": {"main", "relay"}, "dev": {"main", "relay", "dev"}}
ENTRY = re.compile(r"(?P<name>[a-z0-9-]+)(\[[^]]*\])?==(?P<version>\S+)")

# A library that is only the lower half of a declared one, and is released together with it.
LOWER_HALVES = {"pydantic": {"pydantic-core"}, "fastapi": {"starlette"}}

Locked = dict[str, tuple[str, frozenset[str]]]


def read_toml(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def locked(groups: set[str]) -> Locked:
    """What poetry.lock holds for some groups: package -> version and hashes."""
    return {
        package["name"]: (package["version"], frozenset(file["hash"] for file in package["files"]))
        for package in read_toml("poetry.lock")["package"]
        if groups & set(package["groups"])
    }


def exported(name: str) -> Locked:
    """What a requirement file holds: package -> version and hashes."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    entries = {}
    for line in text.splitlines():
        entry = ENTRY.match(line)
        assert entry is not None, line
        entries[entry["name"]] = (entry["version"], frozenset(re.findall(r"--hash=(\S+)", line)))
    return entries


@pytest.mark.parametrize("name", EXPORTS)
def test_a_requirement_file_holds_exactly_what_is_locked_for_its_groups(name: str) -> None:
    assert exported(name) == locked(EXPORTS[name])


@pytest.mark.parametrize("name", EXPORTS)
def test_every_requirement_has_hashes(name: str) -> None:
    assert [package for package, (_, hashes) in exported(name).items() if not hashes] == []


def test_the_lock_belongs_to_this_pyproject() -> None:
    """Poetry 2.3 and later hash what decides about versions, as sorted JSON; absent keys count only for `group`."""
    pyproject = read_toml("pyproject.toml")
    project = {
        key: pyproject["project"][key]
        for key in ("requires-python", "dependencies", "optional-dependencies")
        if key in pyproject["project"]
    }
    older_keys = ("dependencies", "source", "extras", "dev-dependencies")
    poetry = {key: pyproject["tool"]["poetry"][key] for key in older_keys if key in pyproject["tool"]["poetry"]}
    poetry["group"] = pyproject["tool"]["poetry"].get("group")
    content = {"project": project, "tool": {"poetry": poetry}}
    if "dependency-groups" in pyproject:
        content["dependency-groups"] = pyproject["dependency-groups"]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    assert read_toml("poetry.lock")["metadata"]["content-hash"] == digest, "Run: make lock"


def test_the_installer_itself_is_locked_in_every_requirement_file() -> None:
    assert all("uv" in exported(name) for name in EXPORTS)


def test_the_same_version_stands_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    manifest = json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))
    assert newest is not None
    assert newest[1] == manifest["version"] == read_toml("pyproject.toml")["project"]["version"]


def imported_distributions(folder: str) -> set[str]:
    """The installed distributions that the files of a package import."""
    distributions = packages_distributions()
    names = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    roots = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    return {normalized(distribution) for name in roots for distribution in distributions.get(name, [])}


def normalized(distribution: str) -> str:
    """The name of a distribution as indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def declared(groups: set[str]) -> set[str]:
    """The distributions that pyproject.toml names for the main group and some others."""
    pyproject = read_toml("pyproject.toml")
    main = {re.split(r"[ \[(<>=]", dependency)[0] for dependency in pyproject["project"]["dependencies"]}
    names = main.union(*(pyproject["tool"]["poetry"]["group"][group]["dependencies"] for group in groups))
    return names.union(*(LOWER_HALVES.get(name, set()) for name in names))


@pytest.mark.parametrize(("folder", "groups"), [("httpkit", set()), ("testhttp_modules", set()), ("relay", {"relay"})])
def test_code_imports_only_what_its_group_declares(folder: str, groups: set[str]) -> None:
    assert imported_distributions(folder) <= declared(groups)


def test_pips_settings_follow_pips_own_order() -> None:
    listing = ":env:.index-url='http://a'\nglobal.cert='/x'\nglobal.index-url='http://c'\ninstall.cert='/y'\n"
    assert install.pip_settings(listing) == {"index-url": "http://a", "cert": "/y"}


def test_uv_is_given_pips_settings(tmp_path: Path) -> None:
    settings = {
        "index-url": "http://a",
        "extra-index-url": "\nhttp://b\nhttp://c",
        "find-links": "/d /e",
        "cert": "/f",
    }
    assert install.uv_environment(settings, {"HOME": "/h"}) == {
        "HOME": "/h",
        "UV_DEFAULT_INDEX": "http://a",
        "UV_INDEX": "http://b http://c",
        "UV_FIND_LINKS": "/d,/e",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/f",
    }
    assert install.uv_environment({"cert": str(tmp_path)}, {})["SSL_CERT_DIR"] == str(tmp_path)


def test_what_is_set_for_uv_itself_wins_over_pips_settings() -> None:
    environment = install.uv_environment({"index-url": "http://a"}, {"UV_DEFAULT_INDEX": "http://mine"})
    assert environment["UV_DEFAULT_INDEX"] == "http://mine"


def test_the_installer_is_taken_from_the_locked_file_with_all_its_hashes() -> None:
    lines = install.locked_lines(ROOT / "requirements" / "main.txt", "uv")
    assert lines.startswith("uv==")
    assert set(re.findall(r"--hash=(\S+)", lines)) == exported("main")["uv"][1]


def test_a_package_that_is_not_locked_is_refused() -> None:
    with pytest.raises(install.InstallError, match="make lock"):
        install.locked_lines(ROOT / "requirements" / "main.txt", "no-such-package")
