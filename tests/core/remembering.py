"""Memories as tests open them and look into them."""

import json
from collections.abc import Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any

from httpkit.memory import Memory


def keys(*numbers: int) -> list[bytes]:
    """Keys as records have them."""
    return [blake2b(number.to_bytes(16, "big"), digest_size=16).digest() for number in numbers]


def open_memory(folder: Path, **settings: Any) -> Memory:
    """The memory as a start of the process finds it."""
    return Memory(folder, source="https://api.example.com/items", **settings)


def forget_all_but(memory: Memory, shown: Sequence[bytes]) -> None:
    """Windows are read that show only these records, until nothing else is live."""
    for window in ("one", "another"):
        memory.seen.begin(window)
        memory.seen.show(shown)
    memory.seen.begin("a third")
    memory.close_poll()


def known_to(memory: Memory, among: Sequence[bytes] = tuple(keys(*range(10)))) -> list[bytes]:
    """Which of some keys a memory knows; it must know no others."""
    known = [key for key in among if key in memory.seen]
    assert len(known) == len(memory.seen)
    return known


def remembered(folder: Path, among: Sequence[bytes] = tuple(keys(*range(10)))) -> list[bytes]:
    """Which of some keys a restart finds; it must find no others."""
    with closing(open_memory(folder)) as memory:
        return known_to(memory, among)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a memory."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


def newest(folder: Path) -> Path:
    """The document with the newest state."""
    numbers = {path: json.loads(path.read_bytes())["state"]["next_number"] for path in folder.glob("state*.json")}
    return max(numbers, key=numbers.__getitem__)
