"""`catalog-tagger vocabulary import`: hold keywords against a published product taxonomy, and keep new ids."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import click

from infra.taxonomy.match_names import StandardCoverage, compare
from infra.taxonomy.standard_file import SEPARATOR, StandardFile
from pipeline.csv_rows import rows
from pipeline.keywords import Vocabulary
from pipeline.settings import home
from pipeline.standard_ids import KEYWORD_COLUMN, OWN_NAME, Standard, StandardIds
from pipeline.whole_file import written_whole

SHOWN = 20  # matches that a terminal shows without --full; chosen by us


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option("--full", is_flag=True, help="Print every match, however many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def import_command(*, file: Path, dry_run: bool, full: bool, as_json: bool) -> int:
    """Give keywords their ids in Google's or Shopify's product taxonomy, as far as their names agree.

    FILE is Google's taxonomy-with-ids.en-US.txt, or categories.txt or categories.json of Shopify's product taxonomy.
    Ids that were reviewed come with catalog-tagger. Keywords without one whose name exactly one category has are added
    to same_as.csv in the folder of everything kept here: review it, a line for each keyword. Exports carry the ids.
    Exits with 1 if FILE lacks a category that a keyword is mapped to.
    """
    vocabulary = Vocabulary.load()
    own_path = home() / OWN_NAME
    published = StandardFile.read(file)
    coverage = compare(published, StandardIds.load(own_path), vocabulary)
    if coverage.matched and not dry_run:
        _add(own_path, published.standard, coverage.matched)
    text = json.dumps(_document(published, coverage)) if as_json else _text(published, coverage, vocabulary, full=full)
    click.echo(text)
    if coverage.matched and not dry_run and not as_json:
        click.echo(f"written to {own_path}; review it")
    return int(bool(coverage.unknown))


def _document(published: StandardFile, coverage: StandardCoverage) -> dict[str, object]:
    return {
        "taxonomy": published.standard,
        "version": published.version,
        "categories": len(published.paths),
        "keywords": coverage.keywords,
        "reviewed": coverage.reviewed,
        "matched": coverage.matched,
        "unknown": coverage.unknown,
    }


def _text(published: StandardFile, coverage: StandardCoverage, vocabulary: Vocabulary, *, full: bool) -> str:
    lines = [
        f"{published.standard.capitalize()}, version {published.version}: {len(published.paths):,} categories",
        f"{coverage.reviewed:,} of {coverage.keywords:,} keywords have one; {len(coverage.matched):,} more by name",
    ]
    shown = list(coverage.matched.items())[: None if full else SHOWN]
    for keyword_id, category in shown:
        path = SEPARATOR.join(published.paths[category])
        lines.append(f"  {vocabulary.nodes[keyword_id].name():<20}  {category:<12}  {path}")
    if len(shown) < len(coverage.matched):
        lines.append(f"  and {len(coverage.matched) - len(shown):,} more; --full shows all")
    if coverage.unknown:
        lines.append(f"the file lacks {len(coverage.unknown):,} categories that keywords are mapped to:")
    for keyword_id, category in list(coverage.unknown.items())[: None if full else SHOWN]:
        node = vocabulary.nodes.get(keyword_id)
        lines.append(f"  {node.name() if node else keyword_id:<20}  {category}")
    return "\n".join(lines)


def _add(path: Path, standard: Standard, matched: dict[str, str]) -> None:
    """Write the matches into the file, whose other cells stay."""
    columns = (KEYWORD_COLUMN, *Standard)
    kept = list(rows(path, (KEYWORD_COLUMN,), allowed=columns)) if path.is_file() else []
    cells = {row[KEYWORD_COLUMN]: {column: row[column] for column in columns} for row in kept}
    for keyword_id, category in matched.items():
        cells.setdefault(keyword_id, {KEYWORD_COLUMN: keyword_id})[standard] = category
    with written_whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(cells.values())
