"""The plots of README and docs: how right keywords and colours are by threshold, and what scores promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from pathlib import Path

mpl.rcParams["svg.hashsalt"] = "catalog-tagger"  # the same figures make the same file
mpl.rcParams["font.size"] = 9
mpl.rcParams["axes.spines.top"] = mpl.rcParams["axes.spines.right"] = False


# Where the names stand beside their points, so that none covers another: points to the right, points up, and the end.
BESIDE = {
    "the first class": (8, -10, "left"),
    "WordNet's sums from 0.5": (-4, -14, "left"),
    "our tree's sums from 0.5": (-9, 6, "right"),
    "ours": (8, 3, "left"),
}


def draw_curves(path: Path, panels) -> None:
    """Draw, for each set, hits against precision: the curve of one threshold for all, and each way as a point."""
    figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.6), squeeze=False)
    for axis, (title, curve, points) in zip(axes[0], panels, strict=True):
        axis.plot([p.precision.value for p in curve], [p.hits.value for p in curve], color="#999", lw=1.2)
        for name, measures in points.items():
            own = name == "ours"
            axis.plot(measures.precision.value, measures.hits.value, "o", color="#b00020" if own else "#336", ms=6)
            right, up, end = BESIDE.get(name, (6, 4, "left"))
            style = {"xytext": (right, up), "textcoords": "offset points", "ha": end, "fontsize": 8}
            style["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # over the curve, not through it
            at = (measures.precision.value, measures.hits.value)
            axis.annotate(name, at, fontweight="bold" if own else "normal", **style)
        axis.set(title=title, xlabel="precision: keywords that are right", xlim=(0, 1.02), ylim=(0, 1.02))
        axis.set_ylabel("hits: photos with an expected keyword")
    _save(figure, path)


def draw_reliability(path: Path, bins, title: str) -> None:
    """Draw the share of keywords that are right against the score that promises it."""
    figure, axis = plt.subplots(figsize=(4.2, 3.8))
    promised, right = [b.promised for b in bins], [b.right.value for b in bins]
    below = [b.right.value - b.right.bounds[0] for b in bins]
    above = [b.right.bounds[1] - b.right.value for b in bins]
    axis.plot([0, 1], [0, 1], color="#bbb", lw=1)
    axis.errorbar(promised, right, yerr=(below, above), fmt="o", color="#b00020", ms=5, capsize=2)
    axis.set(title=title, xlabel="score", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))
    _save(figure, path)


def draw_colours(path: Path, judged) -> None:
    """Draw how often the first colour is right against how many photos get one, by the share that a name wants."""
    figure, axis = plt.subplots(figsize=(4.6, 3.6))
    total = len(judged)
    judged = sorted((colour for colour in judged if colour.share), key=lambda colour: -colour.share)
    whole = range(30, len(judged))  # fewer photos say little
    for label, style, is_counted, is_hit in (
        ("the shop's name", "#999", lambda _: True, lambda colour: colour.is_right),
        ("without wrong names", "#336", lambda colour: not colour.is_apart, lambda colour: colour.is_right),
        ("or a neighbour of it", "#b00020", lambda colour: not colour.is_apart, lambda colour: colour.is_near),
    ):
        hits = [[is_hit(colour) for colour in judged[:count] if is_counted(colour)] for count in whole]
        axis.plot([count / total for count in whole], [sum(part) / len(part) for part in hits], style, label=label)
    axis.axhline(0.85, color="#bbb", lw=0.8, ls=":")
    axis.axvline(0.6, color="#bbb", lw=0.8, ls=":")
    axis.set(xlabel="coverage: packshots with a colour", ylabel="first colour is right", xlim=(0, 1), ylim=(0.5, 1.02))
    axis.legend(frameon=False, loc="lower left", fontsize=8)
    _save(figure, path)


def _save(figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
