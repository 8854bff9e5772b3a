"""The tables in the documentation are those of the models."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "field_tables.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


def test_the_tables_are_current() -> None:
    result = run("--check")

    assert result.returncode == 0, result.stderr


def test_an_old_table_is_noticed_and_written_anew(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("manifest.json", "action_request.json", "connector_testhttpconnector.json"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    page = tmp_path / "docs" / "configuration.md"
    page.write_text("<!-- fields of action_request.json arguments -->\nold\n<!-- end of fields -->\nkept\n")

    assert run("--check", "--root", str(tmp_path)).returncode == 1
    assert run("--root", str(tmp_path)).returncode == 0
    assert "| `url` | string | required |" in page.read_text()
    assert page.read_text().endswith("<!-- end of fields -->\nkept\n")
    assert run("--check", "--root", str(tmp_path)).returncode == 0


@pytest.mark.parametrize("form", ["manifest.json configuration", "trigger_newentriestrigger.json arguments"])
def test_each_form_has_its_table(form: str) -> None:
    assert f"<!-- fields of {form} -->\n| field |" in (ROOT / "docs" / "configuration.md").read_text()
