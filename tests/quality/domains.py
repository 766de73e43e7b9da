"""make quality DATA=FOLDER: how right the keywords of what ships are on labelled photos of several shops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from pipeline.csv_rows import rows
from pipeline.keywords import Use, Vocabulary
from pipeline.progress import Progress
from pipeline.settings import model_dir
from tagging_lambda.curate.keyword_lookup import keyword_named
from tagging_lambda.evaluate.labels import right_ids
from tagging_lambda.local_files import FileTagger, TaggedFile
from tagging_lambda.words.head_store import STARTER, InstalledHeads

HERE = Path(__file__).resolve().parent
LABELS = {"clothing": "keyword", "packshots": "article_type", "goods": "keyword", "grocery": "coarse"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a label means in our words: the ids that name the thing, and those that are no mistake."""

    named: frozenset[str]
    right: frozenset[str]


@dataclass
class DomainMeasures:
    """Counts of photos, and of keywords that are no whole department."""

    photos: int = 0
    specific: int = 0
    wrong: int = 0
    only_broad: int = 0
    needs_a_look: int = 0
    keywords: int = 0
    mistakes: int = 0

    def add(self, ids: frozenset[str], meaning: Meaning, departments: frozenset[str]) -> None:
        """Count one photo and what was said of it."""
        mistakes = ids - meaning.right
        self.photos += 1
        self.specific += bool(ids & meaning.named)
        self.wrong += bool(mistakes)
        self.only_broad += bool(ids) and not mistakes and not ids & meaning.named
        self.needs_a_look += not ids
        self.keywords += len(ids - departments)
        self.mistakes += len(mistakes - departments)

    def __str__(self) -> str:
        """Return the shares, in the order of the table's head."""
        counts = (self.specific, self.wrong, self.only_broad, self.needs_a_look)
        shares = "".join(f"{count / max(self.photos, 1):>13.3f}" for count in counts)
        return f"{self.photos:>8,}{shares}{1 - self.mistakes / max(self.keywords, 1):>13.3f}"


def meanings(data_set: str, vocabulary: Vocabulary) -> dict[str, Meaning]:
    """Return the judging list of a data set by label."""
    found = {}
    for row in rows(HERE / f"{data_set}.csv", ("label", "expected", "acceptable")):
        named = frozenset(keyword_named(word, vocabulary) for word in row.several("expected"))
        also = frozenset(keyword_named(word, vocabulary) for word in row.several("acceptable"))
        found[row["label"]] = Meaning(named, right_ids(named | also, vocabulary))
    return found


def measured(folder: Path, data_set: str, tagger: FileTagger) -> DomainMeasures:
    """Return how right what is said of the photos in the folder is; labels without a meaning are passed over."""
    of_label = meanings(data_set, tagger.vocabulary)
    departments = frozenset(k.id for k in tagger.vocabulary.nodes.values() if k.use is Use.FALLBACK)
    photos = [
        (folder / row["file"], of_label[row[LABELS[data_set]]])
        for row in rows(folder / "labels.csv", ("file", LABELS[data_set]))
        if row[LABELS[data_set]] in of_label
    ]
    found = DomainMeasures()
    with Progress(data_set, total=len(photos), unit="photos") as progress:
        results = progress.over(tagger.tag(path for path, _ in photos))
        for (_, meaning), result in zip(photos, results, strict=True):
            ids = (
                frozenset(tag.keyword_id for tag in result.keywords) if isinstance(result, TaggedFile) else frozenset()
            )
            found.add(ids, meaning, departments)
    return found


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(data: Path) -> None:
    """Measure the model and the starter head on the data sets in DATA."""
    heads = InstalledHeads.of_this_machine().load([STARTER])
    tagger = FileTagger.load(model_dir(), Vocabulary.load(), heads=heads)
    click.echo(f"{'':<12}  photos     specific        wrong   only broad needs a look    precision")
    for data_set in LABELS:
        if (data / data_set / "labels.csv").is_file():
            click.echo(f"{data_set:<12}{measured(data / data_set, data_set, tagger)}")


if __name__ == "__main__":
    main()
