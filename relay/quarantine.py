"""What components could not deliver, as the command `quarantine` lists it; the files are read and never changed."""

import json
from collections.abc import Sequence
from datetime import UTC

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from httpkit.quarantine import Quarantined


def with_key(found: Sequence[Quarantined], key: str) -> list[Quarantined]:
    """The events of a record, whose key may be shortened."""
    return [one for one in found if one.key.startswith(key.lower())]


def to_json(found: Sequence[Quarantined]) -> str:
    """All that is known of them, as a JSON list."""
    return json.dumps(msgspec.to_builtins(found), indent=2)


def show_table(found: Sequence[Quarantined], console: Console) -> None:
    """One line for each."""
    if not found:
        console.print("Nothing is in quarantine.")
        return
    table = Table("When", "Source", "Reason", "Size", "Key")
    table.columns[3].justify = "right"
    table.columns[4].no_wrap = True
    for one in found:
        table.add_row(_moment(one), Text(one.source or "-"), Text(one.reason), f"{one.size:,}", one.key)
    console.print(table)
    console.print(f"{len(found)} in quarantine; --show KEY prints one.", highlight=False)


def show_whole(found: Sequence[Quarantined], console: Console) -> None:
    """Each with all that is known of it."""
    for one in found:
        facts = {
            "key": one.key,
            "when": _moment(one),
            "source": one.source or "-",
            "reason": one.reason,
            "size": f"{one.size:,} bytes",
            "digest": one.digest or "-",
        }
        for name, value in facts.items():
            console.print(Text(f"{name + ':':8}{value}"), soft_wrap=True)
        console.print(Text(f"\n{one.head}\n"), soft_wrap=True)


def _moment(one: Quarantined) -> str:
    return f"{one.when.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if one.when else "-"
