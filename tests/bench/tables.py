"""The speed tables of README and docs, from the figures that the benches keep in docs/measured.

``python -m tests.bench.plots`` writes them into the documents.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / "docs"
MEASURED = DOCS / "measured"
README = DOCS.parent / "README.md"

Figures = dict[str, Any]


def bench_table(bench: Figures) -> list[str]:
    """Return the table of ``make bench``, with the best of the bare ways as the ceiling."""
    lines = ["| what | photos/s | CPU ms/photo | of the ceiling | peak memory |", "|---|---:|---:|---:|---:|"]
    ways = bench["ways"]
    best = ceiling(bench)
    for name in shown_ways(bench):
        way = ways[name]
        share = ways[best]["cpu_ms_per_image"] / way["cpu_ms_per_image"]
        figures = (
            f"{way['images_per_s']:.1f} | {way['cpu_ms_per_image']:.1f} | {share:.2f} | {way['peak_mib']:,.0f} MiB"
        )
        lines.append(f"| {name} | {figures} |")
    return lines


def shown_ways(bench: Figures) -> list[str]:
    """Return the names of all ways but the bare ones that are not the ceiling."""
    best = ceiling(bench)
    return [name for name in bench["ways"] if name == best or not name.startswith("bare")]


def ceiling(bench: Figures) -> str:
    """Return the name of the fastest of the bare ways, by processor time, which neighbours hardly change."""
    # A ceiling of single photos would flatter us: four at once are faster (DECISIONS.md, 82).
    bare = {name: way["cpu_ms_per_image"] for name, way in bench["ways"].items() if name.startswith("bare")}
    return min(bare, key=bare.__getitem__)


def peers_table(peers: Figures) -> list[str]:
    """Return the table of ``make bench-peers``; in parentheses, how many times as fast the first way is."""
    head = "| photos/s, how many times as fast `tag` is | 1 core | 2 cores | start | same first class |"
    lines = [head, "|---|---:|---:|---:|---:|"]
    ours = next(iter(peers["2 cores"]))
    for name, on_two in peers["2 cores"].items():
        cells = []
        for cores in ("1 cores", "2 cores"):
            way = peers[cores].get(name)
            times = f" ({peers[cores][ours]['photos_per_s'] / way['photos_per_s']:.2f})" if way and name != ours else ""
            cells.append(f"{way['photos_per_s']:.1f}{times}" if way else "")
        start_s = peers["1 cores"].get(name, on_two)["start_s"]
        lines.append(f"| {name} | {' | '.join(cells)} | {start_s:.1f} s | {on_two['agreement']:.0%} |")
    return lines


def parts_table(parts: Figures) -> list[str]:
    """Return the table of ``python -m tests.bench.parts``: where a photo's time goes."""
    lines = ["| part | bare, ms | `tag`, ms |", "|---|---:|---:|"]
    for name, part in parts["parts"].items():
        bare = "" if part["bare_ms"] is None else f"{part['bare_ms']:.2f}"
        lines.append(f"| {name} | {bare} | {part['tag_ms']:.2f} |")
    bare_ms = sum(part["bare_ms"] or 0 for part in parts["parts"].values())
    tag_ms = sum(part["tag_ms"] for part in parts["parts"].values())
    return [*lines, f"| **together** | **{bare_ms:.2f}** | **{tag_ms:.2f}** |"]


# DECISIONS.md, 169.
def block(figures: Figures, table: list[str]) -> str:
    """Return what a document shows of figures: on what and when they were measured, and the table."""
    rounds = f"{figures['rounds']} rounds over {figures['photos']} photos"
    return "\n".join([f"{figures['machine']}, {figures['date']}, {rounds}:", "", *table])


def write_block(document: Path, figures: Figures, table: list[str]) -> None:
    """Replace the table with the same head in a document, and the line above it."""
    lines = document.read_text(encoding="utf-8").splitlines()
    head = lines.index(table[0])
    end = next(number for number in range(head, len(lines)) if not lines[number].startswith("|"))
    lines[head - 2 : end] = [block(figures, table)]
    document.write_text("\n".join(lines) + "\n", encoding="utf-8")


def speed_tables() -> list[tuple[Path, Figures, list[str]]]:
    """Return each document with the figures and the table that it shows of them."""
    bench, peers, parts = (figures_of(f"{name}.json") for name in ("bench", "peers", "parts"))
    return [
        (README, bench, bench_table(bench)),
        (README, peers, peers_table(peers)),
        (DOCS / "speed.md", parts, parts_table(parts)),
    ]


def figures_of(name: str) -> Figures:
    """Return what a bench left in docs/measured."""
    figures: Figures = json.loads((MEASURED / name).read_text(encoding="utf-8"))
    return figures


def keep(figures: Figures, path: Path | None) -> None:
    """Write a bench's figures where its command line says, if it does."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def scale_points() -> list[Figures]:
    """Return points of the plot of docs/scale.md, from the lines of JSON that the benches printed.

    Each has what was measured, photos, cpu_s, and peak_mb where that was measured.
    """
    points = []
    segmented: dict[int, list[Figures]] = defaultdict(list)
    for row in map(json.loads, (MEASURED / "scale.jsonl").read_text(encoding="utf-8").splitlines()):
        match row:
            case {"measure": "measure_export"}:
                points.append({**row, "what": "export"})
            case {"measure": "measure_way", "products": photos, "opened_cpu_s": cpu_s, "peak_mb": peak_mb}:
                points.append({"what": "search: open", "photos": photos, "cpu_s": cpu_s, "peak_mb": peak_mb})
                query_s = row["warm_cpu_p50_ms"] / 1000
                points.append({"what": "search: a query", "photos": photos, "cpu_s": query_s})
            case {"stage": _, "records": records}:
                segmented[records].append(row)
            case {"measure": ("load" | "audit") as command, "keys": keys}:
                points.append({**row, "what": command, "photos": keys})
    for records, steps in segmented.items():
        cpu_s, peak_mb = sum(step["cpu_s"] for step in steps), max(step["peak_mb"] for step in steps)
        points.append({"what": "export in segments", "photos": records, "cpu_s": cpu_s, "peak_mb": peak_mb})
    return points
