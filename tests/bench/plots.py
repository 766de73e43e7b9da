"""The speed plots of README and docs, from the figures that the benches keep in docs/measured.

``python -m tests.bench.plots`` draws them again, and writes the tables. A plot has no background, and its greys are
readable on white and on black.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

from tests.bench.tables import DOCS, ceiling, figures_of, scale_points, shown_ways, speed_tables, write_block

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tests.bench.tables import Figures

# Readable on white and on black (DECISIONS.md, 169).
OURS, CEILING, OTHERS, TEXT = "#d1495b", "#3d7ea6", "#9aa5b1", "#7d8590"
MEMORY_TICKS_MB = (100, 200, 500, 1000, 2000, 5000)
mpl.rcParams["svg.hashsalt"] = "catalog-tagger"  # the same figures make the same file
mpl.rcParams["font.size"] = 10
mpl.rcParams["axes.spines.top"] = mpl.rcParams["axes.spines.right"] = False
for greyed in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"):
    mpl.rcParams[greyed] = TEXT


def draw_bench(bench: Figures, path: Path) -> None:
    """Draw the processor time of a photo in each way, beside the ceiling."""
    best, ways = ceiling(bench), bench["ways"]
    shown = shown_ways(bench)
    times_ms = [ways[name]["cpu_ms_per_image"] for name in shown]
    figure, axis = plt.subplots(figsize=(8, 0.42 * len(shown) + 0.9))
    colours = [CEILING if name == best else OURS if name.startswith(("tag", "handler")) else OTHERS for name in shown]
    _bars(axis, shown, times_ms, colours, [f"{ms:.1f} ms, {times_ms[0] / ms:.2f}" for ms in times_ms])
    axis.axvline(times_ms[0], color=CEILING, lw=0.8, ls=":")
    axis.set_xlabel("processor time of a photo, and its share of the ceiling")
    axis.set_xlim(0, max(times_ms) * 1.2)
    save(figure, path)


def draw_peers(peers: Figures, path: Path) -> None:
    """Draw the photos a second of ``tag`` and its peers, on one core and on two."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
    names = list(peers["2 cores"])
    for axis, cores, title in zip(axes, ("1 cores", "2 cores"), ("one core", "two cores"), strict=True):
        speeds = [peers[cores].get(name, {}).get("photos_per_s", 0.0) for name in names]
        colours = [OURS, *[OTHERS] * (len(names) - 1)]
        _bars(axis, names, speeds, colours, [f"{speed:.0f}" if speed else "" for speed in speeds])
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_xlabel("photos a second")
        axis.set_xlim(0, max(speeds) * 1.15)
    save(figure, path)


def draw_scale(points: Sequence[Figures], path: Path) -> None:
    """Draw time and peak memory by the number of photos; only what was measured."""
    figure, (time_axis, memory_axis) = plt.subplots(1, 2, figsize=(8, 3.8))
    colours = {
        "export": "#3d7ea6",
        "export in segments": "#8d6cab",
        "load": "#6a9a5b",
        "audit": "#e0a030",
        "search: open": OURS,
        "search: a query": OURS,
    }
    for name, colour in colours.items():
        line = sorted(
            (point["photos"], point["cpu_s"], point.get("peak_mb")) for point in points if point["what"] == name
        )
        photos, times_s, peaks_mb = zip(*line, strict=True)
        style = {"color": colour, "marker": "o", "ms": 3.5, "lw": 1.2, "ls": "--" if "query" in name else "-"}
        time_axis.plot(photos, times_s, label=name, **style)
        if all(peaks_mb):
            memory_axis.plot(photos, peaks_mb, label=name.partition(":")[0], **style)
    for axis, label in ((time_axis, "processor time, s"), (memory_axis, "peak memory, MB")):
        axis.set(xscale="log", yscale="log", xlabel="photos", ylabel=label)
        axis.grid(color=TEXT, alpha=0.25, lw=0.5)
        axis.legend(frameon=False, fontsize=8, loc="upper left")
    memory_axis.set_yticks(MEMORY_TICKS_MB, [f"{ticked:,}" for ticked in MEMORY_TICKS_MB])
    memory_axis.minorticks_off()
    time_axis.set_ylim(top=time_axis.get_ylim()[1] * 1000)  # room for the legend
    save(figure, path)


def _bars(
    axis: Axes, names: Sequence[str], values: Sequence[float], colours: Sequence[str], ends: Sequence[str]
) -> None:
    bars = axis.barh(range(len(names)), values, color=colours, height=0.66)
    axis.bar_label(bars, ends, padding=4, fontsize=9, color=TEXT)
    axis.set_yticks(range(len(names)), names)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    if not axis.yaxis_inverted():  # axes that share their names are turned once
        axis.invert_yaxis()


def save(figure: Figure, path: Path) -> None:
    """Write the figure without a background."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Draw all plots, and write all tables into their documents."""
    draw_bench(figures_of("bench.json"), DOCS / "speed.svg")
    draw_peers(figures_of("peers.json"), DOCS / "peers.svg")
    draw_scale(scale_points(), DOCS / "scale.svg")
    for document, figures, table in speed_tables():
        write_block(document, figures, table)


if __name__ == "__main__":
    main()
