"""Draws the numbers of a comparison: `python plot.py FILE.png`, with the document of all samples as input.

It runs in the environment of the benchmark, because nothing else needs Matplotlib.
"""

import json
import sys
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

OURS = "#1f6feb"
OTHERS = "#b6bec9"
BOUND = "#e3e7ec"


def panels(document: dict[str, Any]) -> list[tuple[str, dict[str, float], str]]:
    """What is drawn: a title, the value of each row, and how a value is written."""
    rows = [row for row in document["rows"] if row["scenarios"] and not row["failure"]]
    found: dict[str, tuple[str, dict[str, float], str]] = {}
    for row in rows:
        for scenario in sorted(row["scenarios"], key=lambda one: one["events"]):
            given = f"{scenario['latency'] * 1000:.0f} ms per request"
            speeds = found.setdefault(f"a{given}", (f"events/s, {given}", {}, ",.0f"))[1]
            speeds[row["name"]] = scenario["events_per_second"]
            if not scenario["latency"]:
                costs = found.setdefault("b", ("CPU seconds per million events", {}, ",.1f"))[1]
                costs[row["name"]] = scenario["cpu_seconds_per_million"]
                peaks = found.setdefault("c", ("peak memory, MB", {}, ",.0f"))[1]
                peaks[row["name"]] = scenario["peak_megabytes"]
    return [found[key] for key in sorted(found)]


def draw(document: dict[str, Any], target: str) -> None:
    """Write the picture: one panel of bars for each number, where the row with most events counts."""
    drawn = panels(document)
    keys = {row["name"]: row["key"] for row in document["rows"]}
    height = 0.32 * max(len(values) for _, values, _ in drawn) + 0.9
    figure, places = plt.subplots((len(drawn) + 1) // 2, 2, figsize=(13, height * ((len(drawn) + 1) // 2)))
    for axes in places.flat[len(drawn) :]:
        axes.set_visible(False)
    for axes, (title, values, form) in zip(places.flat, drawn, strict=False):
        names = list(values)
        colours = [
            OURS if keys[name].startswith("ours") else BOUND if keys[name] == "bare" else OTHERS for name in names
        ]
        bars = axes.barh(names, list(values.values()), color=colours)
        axes.bar_label(bars, [format(value, form) for value in values.values()], padding=4, fontsize=9)
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        axes.invert_yaxis()
        axes.margins(x=0.16)
        axes.xaxis.set_visible(False)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])
