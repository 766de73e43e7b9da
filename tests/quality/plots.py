"""The plots of README and docs: how right keywords and colours are by threshold, and how right by score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tagging_lambda.evaluate.measure import ScoreBin

mpl.rcParams["svg.hashsalt"] = "catalog-tagger"  # the same figures make the same file
mpl.rcParams["font.size"] = 9
mpl.rcParams["axes.spines.top"] = mpl.rcParams["axes.spines.right"] = False


def draw_thresholds(path: Path, curves: Mapping[str, Sequence[tuple[float, float]]], photos: int) -> None:
    """Draw, for each way, the photos that are named against those with a wrong word, from one threshold to the next.

    Args:
        path: where the file goes.
        curves: by way, the shares (wrong, specific), the first as shipped.
        photos: how many were judged.
    """
    figure, axis = plt.subplots(figsize=(4.6, 3.6))
    for (way, points), colour in zip(curves.items(), ("#336", "#b00020"), strict=True):
        wrong, specific = zip(*points, strict=True)
        axis.plot(wrong, specific, color=colour, lw=1.2)
        axis.plot(wrong[0], specific[0], "o", color=colour, ms=6)
        axis.annotate(way, (wrong[0], specific[0]), xytext=(0, 8), textcoords="offset points", ha="center", fontsize=8)
    axis.set(title=f"{photos:,} packshots of a shop the head has not seen", xlabel="photos with a wrong word")
    axis.set(ylabel="photos with a word that names the thing", xlim=(0, 0.1), ylim=(0, 0.75))
    _save(figure, path)


def draw_reliability(path: Path, bins: Sequence[ScoreBin], title: str) -> None:
    """Draw the share of keywords that are right against their mean score, with the number of keywords."""
    figure, axis = plt.subplots(figsize=(4.2, 3.8))
    axis.plot([0, 1], [0, 1], color="#bbb", lw=1)
    below = {"xytext": (0, -14), "textcoords": "offset points", "ha": "center", "fontsize": 7}
    for step in bins:
        axis.plot(step.promised, step.right.value, "o", color="#b00020", ms=5)
        axis.annotate(f"{step.right.of:,}", (step.promised, step.right.value), **below)
    axis.set(title=title, xlabel="score of a keyword", ylabel="share that is right")
    axis.set(xlim=(0.35, 1.03), ylim=(0.3, 1.03))
    _save(figure, path)


def draw_colours(path: Path, judged) -> None:
    """Draw how often the first colour is right against how many photos get one, by the margin that a name wants."""
    figure, axis = plt.subplots(figsize=(4.6, 3.6))
    total = len(judged)
    judged = sorted((colour for colour in judged if colour.margin > -1), key=lambda colour: -colour.margin)
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
