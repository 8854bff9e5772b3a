"""Memories that older versions wrote, as they are in `memories/`, go on; those of newer versions are refused."""

import json
import shutil
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import pytest

from httpkit.errors import SettingsError
from httpkit.quarantine import quarantined_in
from httpkit.state_document import FORMAT
from httpkit.values import OpenWindow, Position
from tests.core.remembering import contents, keys, known_to, newest, open_memory, remembered

MEMORIES = Path(__file__).parent / "memories"
VERSIONS = sorted(path.name for path in MEMORIES.iterdir())

EXPECTED = {
    "many_files": (56, Position(watermark=datetime(2026, 11, 20, 12, tzinfo=UTC), token="next-page")),
    "one_generation": (1, Position()),
    "open_window": (
        2,
        Position(
            watermark=datetime(2026, 11, 20, 12, tzinfo=UTC),
            window=OpenWindow(
                since=datetime(2026, 11, 20, 11, 55, tzinfo=UTC),
                until=datetime(2026, 11, 20, 13, tzinfo=UTC),
                place={"page": 3},
                received=200,
                cursor="abc",
            ),
            not_before=datetime(2026, 11, 20, 14, tzinfo=UTC),
        ),
    ),
}
MANY = [number.to_bytes(16, "big") for number in range(9000)]
"""The first of them are in these memories."""


@pytest.fixture(params=[(version, name) for version in VERSIONS for name in EXPECTED], ids="-".join)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a memory that an older version wrote."""
    version, name = request.param
    return Path(shutil.copytree(MEMORIES / version / name, tmp_path / name))


def test_there_is_a_memory_of_each_former_format() -> None:
    assert [f"v{number}" for number in range(1, FORMAT)] == VERSIONS


def test_an_old_memory_is_read_and_goes_on(old: Path) -> None:
    number, position = EXPECTED[old.name]
    memory = open_memory(old)
    assert len(memory.seen) == number
    assert memory.position == position
    assert memory.source.startswith("https://api.example.com/v1/")

    memory.remember(MANY[100:200])
    memory.remember(MANY[200:], Position(token="new"))
    known = known_to(memory, MANY)
    assert len(known) == number + 8900
    assert remembered(old, MANY) == known
    assert open_memory(old).position == Position(token="new")


def test_an_old_memory_that_is_only_read_stays_as_it_is(old: Path) -> None:
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    open_memory(old)

    assert {path: path.read_bytes() for path in before} == before


def test_a_damaged_old_state_falls_back_to_the_one_before(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(MEMORIES / "v1" / "many_files", tmp_path / "many_files"))
    (folder / "state.json").write_bytes((folder / "state.json").read_bytes().replace(b"next-page", b"next-pagf"))
    memory = open_memory(folder)

    assert memory.position == Position()
    assert len(memory.seen) == 56


def test_old_events_in_quarantine_are_listed() -> None:
    (found,) = quarantined_in(MEMORIES / "v1")

    assert found.reason == "250019 bytes, an intake takes at most 250000"
    assert found.head.startswith('{"id": 7')


# newer versions


def as_written_by(number: int, document: bytes) -> bytes:
    """The document as another format has it, by the rule that all formats keep."""
    text = document[document.index(b'"state":') + len(b'"state":') : -1]
    digest = blake2b(b"%d:" % number + text, digest_size=16).hexdigest()
    return b'{"format":%d,"checksum":"%s","state":%s}' % (number, digest.encode(), text)


def test_a_memory_of_a_newer_version_is_refused_and_kept(tmp_path: Path) -> None:
    """The generation before is no way out: what happened since would be lost."""
    memory = open_memory(tmp_path)
    memory.remember(keys(1))
    memory.remember(keys(2))
    path = newest(tmp_path)
    path.write_bytes(as_written_by(FORMAT + 1, path.read_bytes()))
    before = contents(tmp_path)
    with pytest.raises(SettingsError, match="was written by a newer version") as caught:
        open_memory(tmp_path)

    assert "damaged" not in caught.value.message
    assert contents(tmp_path) == before


def test_a_damaged_document_that_claims_to_be_newer_is_damaged(tmp_path: Path) -> None:
    memory = open_memory(tmp_path)
    memory.remember(keys(1))
    memory.remember(keys(2))
    document = json.loads(newest(tmp_path).read_bytes())
    newest(tmp_path).write_text(json.dumps({**document, "format": FORMAT + 1}))

    assert remembered(tmp_path) == keys(1)
