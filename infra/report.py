"""`catalog-tagger report`: one HTML file about a catalogue, for people who open no terminal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from html import escape
from pathlib import Path

import click

from infra.check import checked_photos
from infra.duplicates import comparable_photos, duplicate_names, same_by_pixels
from infra.photos import KnownPhoto, known_photos, named_bytes, photo_bytes, photos_of, records_of_export
from pipeline.colours import decided_colours
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.photo_rules import RuleSet
from pipeline.progress import Progress
from pipeline.settings import model_dir
from pipeline.whole_file import check_writable
from results_sink.formats.documents import category_path
from tagging_lambda.image.contact_sheet import Figure, Section, write_contact_sheet
from tagging_lambda.image.reader import ProcessReader
from tagging_lambda.image.small_photo import print_reader
from tagging_lambda.model_card import ModelCard

RULES = ("google", "amazon")
CATEGORIES_SHOWN, EXAMPLES_SHOWN = 8, 6  # chosen by us: with the other sections some 80 pictures, 2 MB
PHOTOS_SHOWN, GROUPS_SHOWN = 18, 12
LANGUAGE = "en"


@dataclass(frozen=True)
class CatalogueReport:
    """What is said of a catalogue: counts, and the photos that are shown.

    Attributes:
        photos: all of them.
        vocabulary: the keywords that they may have.
        duplicates: groups of names that are the same photo.
    """

    photos: Sequence[KnownPhoto]
    vocabulary: Vocabulary
    duplicates: Sequence[Sequence[str]] = ()

    @cached_property
    def tagged(self) -> list[KnownPhoto]:
        """The photos that could be read."""
        return [photo for photo in self.photos if not photo.refused]

    @cached_property
    def without_keyword(self) -> list[KnownPhoto]:
        """The photos of which nothing is sure, which somebody should look at."""
        return [photo for photo in self.tagged if not photo.keywords]

    @cached_property
    def by_category(self) -> dict[str, list[KnownPhoto]]:
        """The photos by the path of their first keyword, at most two steps of it, the largest category first."""
        categories: dict[str, list[KnownPhoto]] = {}
        for photo in self.tagged:
            path = category_path([tag.keyword_id for tag in photo.keywords], self.vocabulary, LANGUAGE)
            if path:
                categories.setdefault(" > ".join(path[:2]), []).append(photo)
        return dict(sorted(categories.items(), key=lambda item: (-len(item[1]), item[0])))

    @property
    def colours(self) -> Counter[str]:
        """How many photos show each colour."""
        return Counter(
            colour.colour for photo in self.tagged for colour in decided_colours(photo.facts, photo.decisions)
        )

    @property
    def rejected(self) -> Counter[str]:
        """How many photos could not be read, by reason."""
        return Counter(photo.refused.partition(":")[0] for photo in self.photos if photo.refused)

    def broken_rules(self) -> Counter[str]:
        """Return how many photos break each rule of the marketplaces, today."""
        today = datetime.now(UTC).date()
        return Counter(
            f"{name}: {finding.rule.text}"
            for name in RULES
            for checked in checked_photos(self.tagged, RuleSet.load(name), self.vocabulary, today)
            for finding in checked.findings
        )

    def document(self) -> dict[str, object]:
        """Return the counts as JSON."""
        return {
            "photos": len(self.photos),
            "tagged": len(self.tagged),
            "needs_a_look": len(self.without_keyword),
            "rejected": dict(self.rejected),
            "categories": {name: len(photos) for name, photos in self.by_category.items()},
            "colours": dict(self.colours.most_common()),
            "rules": dict(self.broken_rules().most_common()),
            "duplicates": len(self.duplicates),
        }

    def opening(self, title: str) -> str:
        """Return the tables, as HTML."""
        tagged, sure = len(self.tagged), len(self.tagged) - len(self.without_keyword)
        coverage = {
            "have keywords": sure,
            "need a look": len(self.without_keyword),
            **{f"rejected: {reason}": count for reason, count in self.rejected.most_common()},
        }
        share = f"{100 * sure / tagged:.0f} % of {tagged:,} photos have keywords." if tagged else "There are no photos."
        groups = f"The same photo under several names: {len(self.duplicates):,}."
        return "\n".join(
            [
                f"<h1>{escape(title)}</h1><p>{share} {groups}</p>",
                _table("Photos", coverage),
                _table("What is sold", {name: len(photos) for name, photos in self.by_category.items()}),
                _table("Colours", dict(self.colours.most_common())),
                _table("Rules of marketplaces that photos break", dict(self.broken_rules().most_common())),
            ]
        )

    def sections(self) -> list[Section]:
        """Return the photos that are shown: some of each category, duplicates, and those that need a look."""
        categories = [
            Section(f"{escape(name)}: {len(photos):,}", [self._figure(photo) for photo in photos[:EXAMPLES_SHOWN]])
            for name, photos in list(self.by_category.items())[:CATEGORIES_SHOWN]
        ]
        groups = [
            Figure(name, f"group {number}<br><small>{escape(_short(name))}</small>")
            for number, group in enumerate(self.duplicates[:GROUPS_SHOWN], 1)
            for name in group
        ]
        unsure = [self._figure(photo) for photo in self.without_keyword[:PHOTOS_SHOWN]]
        return [
            *categories,
            Section(f"The same photo under several names: {len(self.duplicates):,}", groups),
            Section(f"Need a look: {len(self.without_keyword):,}", unsure),
        ]

    def _figure(self, photo: KnownPhoto) -> Figure:
        nodes = self.vocabulary.nodes
        known = (nodes[tag.keyword_id].name(LANGUAGE) for tag in photo.keywords if tag.keyword_id in nodes)
        return Figure(photo.name, f"{escape(', '.join(known))}<br><small>{escape(_short(photo.name))}</small>")


@click.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.html")
@click.option(
    "--from",
    "source",
    metavar="FOLDER|EXPORT|s3://BUCKET/PREFIX|MANIFEST",
    help="What it is about: photos, an export such as that of `tag -o`, or a bucket.  [default: the stack's export]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON, and nothing else.")
def report(out: Path, source: str | None, *, as_json: bool) -> None:
    """Write one HTML file about a catalogue: coverage, categories, colours, broken rules, duplicates, thumbnails.

    The file holds its pictures, and loads nothing from anywhere.
    """
    check_writable(out)
    vocabulary, contract = Vocabulary.load(), ModelCard.load(model_dir() / CARD_NAME).input
    read = photo_bytes(source) if source else named_bytes
    with Progress("report", unit="photos", quiet=as_json) as progress:
        photos = list(progress.over(_photos(source, vocabulary)))
    with print_reader() as print_of:
        duplicates = duplicate_names(comparable_photos(photos), same_by_pixels(lambda name: print_of(read(name))))
    catalogue = CatalogueReport(photos, vocabulary, duplicates)
    title = f"Catalogue of {source or 'the stack'}, {datetime.now(UTC):%d %B %Y}"
    write_contact_sheet(out, "report", (catalogue.opening(title), catalogue.sections()), ProcessReader(contract), read)
    click.echo(json.dumps(catalogue.document()) if as_json else f"{len(photos):,} photos: {out}")


def _photos(source: str | None, vocabulary: Vocabulary) -> Iterable[KnownPhoto]:
    return known_photos(source, vocabulary) if source else photos_of(records_of_export(None))


def _table(title: str, counts: dict[str, int]) -> str:
    """Return a table of counts with bars; empty where there are none."""
    if not counts:
        return ""
    most = max(counts.values())
    rows = (
        f'<tr><td>{escape(name)}</td><td class="number">{count:,}</td>'
        f'<td><meter max="{max(most, 1)}" value="{count}">{count}</meter></td></tr>'
        for name, count in counts.items()
    )
    return f"<h2>{escape(title)}</h2>\n<table>{''.join(rows)}</table>"


def _short(name: str) -> str:
    """Return the last part of a name: the whole one is a column wide."""
    return name.rsplit("/", 1)[-1]
