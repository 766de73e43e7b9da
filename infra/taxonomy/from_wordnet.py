"""Makes pipeline/taxonomy.csv: WordNet 3.0's tree above the model's classes, with the edits in shop_edits.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import click

from infra.taxonomy.rows import COLUMNS, SEPARATOR, TaxonomyRow, as_csv, read_rows
from infra.taxonomy.wordnet import DATA_NOUN, Synset, read_nouns, with_ancestors
from pipeline.errors import CallerError

ROOT = Path(__file__).resolve().parents[2]
TAXONOMY = ROOT / "pipeline" / "taxonomy.csv"
CLASSES = ROOT / "tagging_lambda" / "imagenet_classes.csv"
EDITS = Path(__file__).with_name("shop_edits.csv")


def class_ids(classes: Path) -> list[str]:
    """Return the WordNet ids of the model's classes, in the order of the class indices."""
    with classes.open(encoding="utf-8", newline="") as file:
        return [row["id"] for row in csv.DictReader(file)]


def raw_rows(synsets: Mapping[str, Synset]) -> dict[str, TaxonomyRow]:
    """Return WordNet's own tree by id, in which nothing is a keyword yet: the edits decide that."""
    return {
        synset.id: TaxonomyRow(
            id=synset.id,
            parents=SEPARATOR.join(synset.parents),
            use="through",
            en=SEPARATOR.join(synset.words),
        )
        for synset in synsets.values()
    }


def edited(rows: Mapping[str, TaxonomyRow], edits: Iterable[TaxonomyRow]) -> dict[str, TaxonomyRow]:
    """Return the rows with the edits applied: a cell replaces WordNet's, and an empty one leaves it.

    An id that WordNet lacks becomes a node of our own.

    Raises:
        CallerError: an id is edited twice.
    """
    result = dict(rows)
    seen: set[str] = set()
    for edit in edits:
        if edit.id in seen:
            raise CallerError(f"{EDITS.name} edits {edit.id} twice")
        seen.add(edit.id)
        changes = {column: cell for column in COLUMNS if (cell := getattr(edit, column))}
        result[edit.id] = replace(result.get(edit.id, TaxonomyRow(edit.id, use="keyword")), **changes)
    return result


def inherit_not_goods(rows: Mapping[str, TaxonomyRow]) -> dict[str, TaxonomyRow]:
    """Return the rows with `not_goods` inherited: a node with only such parents is not goods either."""
    settled: dict[str, TaxonomyRow] = {}
    for row in in_tree_order(rows):
        above = [settled[parent].use for parent in row.parent_ids if parent in settled]
        inherits = row.use == "through" and above and all(use == "not_goods" for use in above)
        settled[row.id] = replace(row, use="not_goods") if inherits else row
    return settled


def in_tree_order(rows: Mapping[str, TaxonomyRow]) -> list[TaxonomyRow]:
    """Return the rows so that a node follows all its parents, and siblings are adjacent."""
    children: dict[str, list[str]] = {}
    for row in rows.values():
        for parent in row.parent_ids:
            children.setdefault(parent, []).append(row.id)
    ordered: dict[str, TaxonomyRow] = {}
    waiting = sorted((row.id for row in rows.values() if not row.parents), reverse=True)
    while waiting:
        node_id = waiting.pop()
        if node_id not in ordered and all(parent in ordered for parent in rows[node_id].parent_ids):
            ordered[node_id] = rows[node_id]
            waiting.extend(sorted(children.get(node_id, ()), reverse=True))
    return list(ordered.values())


def taxonomy_text(data_noun: Path) -> str:
    """Return the text of taxonomy.csv.

    Raises:
        CallerError: a file is missing, a parent is missing, or there is a cycle.
    """
    raw = raw_rows(with_ancestors(class_ids(CLASSES), read_nouns(data_noun)))
    rows = edited(raw, read_rows(EDITS))
    settled = inherit_not_goods(rows)
    if lost := sorted(rows.keys() - settled.keys()):
        raise CallerError(f"{', '.join(lost)}: a parent is missing or they form a cycle")
    return as_csv(settled.values())


@click.command()
@click.option("--data-noun", type=click.Path(path_type=Path), default=DATA_NOUN, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=TAXONOMY, help="Default: pipeline/taxonomy.csv.")
def taxonomy(data_noun: Path, out: Path) -> None:
    """Write the taxonomy: WordNet's tree above the model's classes, with the edits in shop_edits.csv."""
    text = taxonomy_text(data_noun)
    out.write_text(text, encoding="utf-8")
    click.echo(f"{out}: {text.count(chr(10)) - 1} nodes")
