"""Writes the tables of configuration fields in docs/configuration.md from the manifests, or checks them."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = Path("docs/configuration.md")
TABLE = re.compile(r"<!-- fields of (?P<manifest>\S+) (?P<part>\S+) -->\n.*?<!-- end of fields -->", re.DOTALL)


def table(schema: dict[str, Any]) -> str:
    """The fields of a schema as a Markdown table."""
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for name, field in schema.get("properties", {}).items():
        required = name in schema.get("required", [])
        secret = " (secret)" if name in schema.get("secrets", []) else ""
        default = "required" if required else _default(field)
        meaning = field.get("description", "").replace("|", "\\|")
        rows.append(f"| `{name}` | {_type(field)}{secret} | {default} | {meaning} |")
    return "\n".join(rows)


def with_tables(text: str, root: Path) -> str:
    """The page with each of its tables written anew."""

    def written(found: re.Match[str]) -> str:
        manifest = json.loads((root / found["manifest"]).read_text(encoding="utf-8"))
        head = f"<!-- fields of {found['manifest']} {found['part']} -->"
        return f"{head}\n{table(manifest[found['part']])}\n<!-- end of fields -->"

    return TABLE.sub(written, text)


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    kind = field.get("type", "any")
    if kind == "array":
        kind = "list"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return "none"
    value = field["default"]
    return "empty" if value in ("", [], {}) else f"`{json.dumps(value)}`"


def main() -> int:
    """Write or check the page, and return the exit code."""
    parser = argparse.ArgumentParser(description="Write the field tables of docs/configuration.md from the manifests.")
    parser.add_argument("--check", action="store_true", help="only compare; fail if a table is not current")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of the module (default: this repository)")
    options = parser.parse_args()
    page = options.root / PAGE
    before = page.read_text(encoding="utf-8")
    after = with_tables(before, options.root)
    if before == after:
        return 0
    if options.check:
        print(f"error: the tables of {PAGE} are not current. Run: make generate", file=sys.stderr)
        return 1
    page.write_text(after, encoding="utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
