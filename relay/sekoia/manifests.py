"""What a module's folder says about itself: its components and its secrets; nothing is started here."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from relay.sekoia.run_errors import RunError


class Kind(StrEnum):
    """What a component is to the platform; the value is the prefix of its manifest's file name."""

    ACTION = "action"
    CONNECTOR = "connector"
    TRIGGER = "trigger"


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """One command of a module's `main.py`."""

    name: str
    kind: Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A module's folder as its manifests describe it."""

    folder: Path
    components: tuple[Component, ...]
    secrets: frozenset[str]

    def component(self, name: str) -> Component:
        """Find a component by its `docker_parameters`; RunError lists the known ones."""
        for component in self.components:
            if component.name == name:
                return component
        known = ", ".join(component.name for component in self.components) or "none"
        raise RunError(f"{name!r} is not a component of {self.folder}; known ones: {known}.")


class _ComponentManifest(BaseModel):
    docker_parameters: str


class _ModuleConfiguration(BaseModel):
    secrets: list[str] = Field(default_factory=list)


class _ModuleManifest(BaseModel):
    configuration: _ModuleConfiguration = Field(default_factory=_ModuleConfiguration)


ManifestModel = TypeVar("ManifestModel", bound=BaseModel)


def read_module(folder: Path) -> Module:
    """Read the manifests in `folder`; RunError when it holds no runnable module."""
    folder = folder.resolve()
    for needed in ("main.py", "manifest.json"):
        if not folder.joinpath(needed).is_file():
            raise RunError(f"{folder} is not a module: it has no {needed}; give the module's folder with --module.")
    manifest = _read(folder / "manifest.json", _ModuleManifest)
    return Module(
        folder=folder,
        components=tuple(_components(folder)),
        secrets=frozenset(manifest.configuration.secrets),
    )


def _components(folder: Path) -> Iterator[Component]:
    for kind in Kind:
        for path in sorted(folder.glob(f"{kind}_*.json")):
            yield Component(name=_read(path, _ComponentManifest).docker_parameters, kind=kind)


def _read(path: Path, model: type[ManifestModel]) -> ManifestModel:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RunError(f"{path} is not a usable manifest: {place or 'the file'}: {first['msg']}.") from error
