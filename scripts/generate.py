"""Writes main.py and the manifests from the code; what stands in them is decided in `testhttp_modules`.

Works on a copy of the sources and moves the results in place at the end, so a failure changes nothing.
"""

import argparse
import difflib
import importlib
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from pathlib import Path
from pkgutil import walk_packages
from typing import NoReturn

import typer
from sekoia_automation.action import Action
from sekoia_automation.connector import Connector
from sekoia_automation.module import Module
from sekoia_automation.scripts.files_generator import FilesGenerator
from sekoia_automation.trigger import Trigger

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ("main.py", "manifest.json", "action_*.json", "connector_*.json", "trigger_*.json")


class GenerationError(Exception):
    """The files could not be generated; the message says why."""


class SortedFilesGenerator(FilesGenerator):
    """The SDK's generator, except that main.py comes out sorted and formatted instead of in the order of sets."""

    def generate_main(
        self,
        module: type[Module],
        actions: set[type[Action]],
        triggers: set[type[Trigger]],
        connectors: set[type[Connector]],
    ) -> None:
        """Write main.py: triggers first, then connectors, then actions, each by name."""
        components = [
            component
            for kind in (triggers, connectors, actions)
            for component in sorted(kind, key=lambda component: component.__name__)
        ]
        (self.base_path / "main.py").write_text(entry_point(module, components), encoding="utf-8")


def entry_point(module: type[Module], components: list[type]) -> str:
    """Return the text of main.py, as the formatter would leave it."""
    imports = [
        f"{line}  # noqa: E402"
        for line in sorted(f"from {item.__module__} import {item.__name__}" for item in [module, *components])
    ]
    registrations = [f'    module.register({item.__name__}, "{item.__name__}")' for item in components]
    lines = [
        '"""The program that Sekoia.io runs. Written by `make generate`: change the code it imports instead."""',
        "",
        "import gc",
        "",
        "# Nothing that is imported can be collected, and looking for it would take a tenth of the start.",
        "gc.disable()",
        "",
        *imports,
        "",
        "gc.freeze()",
        "gc.enable()",
        "",
        'if __name__ == "__main__":',
        f"    module = {module.__name__}()",
        *registrations,
        "    module.run()",
    ]
    return "\n".join(lines) + "\n"


def copy_sources(root: Path, copy: Path) -> None:
    """Copy the manifest and the packages to an empty folder, without earlier results.

    The old main.py is left out because it may import a component that is gone.
    """
    shutil.copy(root / "manifest.json", copy)
    for package in sorted(root.glob("*/__init__.py")):
        shutil.copytree(package.parent, copy / package.parent.name, ignore=shutil.ignore_patterns("__pycache__"))


def import_everything(copy: Path) -> None:
    """Import all modules once, because the generator passes over a package that cannot be imported.

    Raises:
        GenerationError: a module cannot be imported.
    """

    def refuse(name: str) -> NoReturn:
        raise GenerationError(f"{name} cannot be imported: {sys.exception()!r}")

    sys.path.insert(0, str(copy))
    for found in walk_packages([str(copy)], onerror=refuse):
        try:
            importlib.import_module(found.name)
        except ImportError:
            refuse(found.name)


def tidy(manifest: Path) -> None:
    """Rewrite a manifest with two spaces, readable characters and a final newline; the order of the keys stays."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def generated_texts(folder: Path) -> dict[str, str]:
    """Return the generated files that stand in a folder: name -> text."""
    files = sorted(path for pattern in GENERATED for path in folder.glob(pattern))
    return {path.name: path.read_text(encoding="utf-8") for path in files}


def generate(root: Path) -> dict[str, str]:
    """Return what the generated files of the sources in `root` must contain: name -> text.

    Raises:
        GenerationError: the sources cannot be imported, or the generator refused them.
    """
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve()
        copy_sources(root, copy)
        said = io.StringIO()
        with chdir(copy), redirect_stdout(said):
            import_everything(copy)
            generator: FilesGenerator = SortedFilesGenerator(copy)
            try:
                generator.execute()
            except typer.Exit as refusal:
                raise GenerationError(said.getvalue().strip()) from refusal
        for manifest in copy.glob("*.json"):
            tidy(manifest)
        return generated_texts(copy)


def difference(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    """Yield the lines of a unified diff over all files."""
    for name in sorted({*before, *after}):
        old = before.get(name, "").splitlines(keepends=True)
        new = after.get(name, "").splitlines(keepends=True)
        yield from difflib.unified_diff(old, new, f"{name} (now)", f"{name} (generated)")


def write(root: Path, before: dict[str, str], after: dict[str, str]) -> None:
    """Put the generated files in place, and take away those of components that are gone."""
    for name, text in after.items():
        if before.get(name) != text:
            draft = root / f".{name}.new"
            draft.write_text(text, encoding="utf-8")
            draft.replace(root / name)
            print(f"wrote {name}")
    for name in sorted(before.keys() - after.keys()):
        (root / name).unlink()
        print(f"removed {name}")


def main() -> int:
    """Read the command line, generate or compare, and return the exit code."""
    parser = argparse.ArgumentParser(description="Write main.py and the manifests from the code.")
    parser.add_argument("--check", action="store_true", help="only compare; print the difference and fail if any")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of the module (default: this repository)")
    options = parser.parse_args()
    root = options.root.resolve()
    try:
        after = generate(root)
    except GenerationError as error:
        print(f"error: nothing was generated: {error}", file=sys.stderr)
        return 1
    before = generated_texts(root)
    if not options.check:
        write(root, before, after)
        return 0
    sys.stdout.writelines(difference(before, after))
    if before != after:
        print("error: generated files are not current. Run: make generate", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
