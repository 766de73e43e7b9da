"""make quality: how right the keywords of what ships are, beside those of the classes alone, as a table and plots."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.csv_rows import rows
from pipeline.keywords import Use, Vocabulary
from pipeline.progress import Progress
from pipeline.settings import home, model_dir
from tagging_lambda.curate.keyword_lookup import keyword_named
from tagging_lambda.evaluate.labels import LabelledFile, right_ids
from tagging_lambda.evaluate.measure import Judged, by_score
from tagging_lambda.tag_files import FileTagger, TaggedFile
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tagging_lambda.words.head_store import STARTER, InstalledHeads
from tests.quality.plots import draw_reliability, draw_thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.csv_rows import CsvRow

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"
LABELS = {"clothing": "keyword", "packshots": "article_type", "goods": "keyword", "grocery": "coarse"}
UNSEEN = "packshots"  # no head is trained on these, so they alone are plotted
WAYS = ("classes", "classes and head")


@dataclass
class Measures:
    """Counts of photos, and of keywords that are no whole department."""

    photos: int = 0
    specific: int = 0
    wrong: int = 0
    only_broad: int = 0
    needs_a_look: int = 0
    keywords: int = 0
    mistakes: int = 0

    @classmethod
    def of(cls, photos: Iterable[Judged], departments: frozenset[str], least_score: float = 0.0) -> Measures:
        """Return the counts of all photos, of keywords with at least this score."""
        measures = cls()
        for photo in photos:
            ids = frozenset(tag.keyword_id for tag in photo.tags if tag.score >= least_score)
            measures.add(ids, photo.file, departments)
        return measures

    def add(self, ids: frozenset[str], file: LabelledFile, departments: frozenset[str]) -> None:
        """Count one photo and its keywords."""
        mistakes = ids - file.right
        self.photos += 1
        self.specific += bool(ids & file.expected)
        self.wrong += bool(mistakes)
        self.only_broad += bool(ids) and not mistakes and not ids & file.expected
        self.needs_a_look += not ids
        self.keywords += len(ids - departments)
        self.mistakes += len(mistakes - departments)

    def __str__(self) -> str:
        """Return the shares, in the order of the table's head."""
        counts = (self.specific, self.wrong, self.only_broad, self.needs_a_look)
        shares = "".join(f"{count / max(self.photos, 1):>13.3f}" for count in counts)
        return f"{self.photos:>8,}{shares}{1 - self.mistakes / max(self.keywords, 1):>13.3f}"


def labelled(path: Path, row: CsvRow, vocabulary: Vocabulary) -> LabelledFile:
    """Return the photo as a row of a judging list means it: a keyword below the listed ones is a mistake."""
    expected, acceptable = (
        frozenset(keyword_named(word, vocabulary) for word in row.several(column))
        for column in ("expected", "acceptable")
    )
    return LabelledFile(path, expected, right_ids(expected | acceptable, vocabulary))


def meanings(data_set: str, vocabulary: Vocabulary) -> dict[str, LabelledFile]:
    """Return the judging list of a data set by label, each as a photo without a path."""
    listed = rows(HERE / f"{data_set}.csv", ("label", "expected", "acceptable"))
    return {row["label"]: labelled(Path(), row, vocabulary) for row in listed}


def photos_of(folder: Path, data_set: str, vocabulary: Vocabulary) -> list[LabelledFile]:
    """Return the photos of a data set; labels without a meaning are passed over."""
    of_label, column = meanings(data_set, vocabulary), LABELS[data_set]
    listed = rows(folder / data_set / "labels.csv", ("file", column))
    return [
        replace(of_label[row[column]], path=folder / data_set / row["file"])
        for row in listed
        if row[column] in of_label
    ]


def sample_catalogue(vocabulary: Vocabulary) -> list[LabelledFile]:
    """Return the photos of the sample catalogue, each with a meaning of its own."""
    listed = rows(HERE / "sample_catalogue.csv", ("file", "expected", "acceptable"))
    return [labelled(home() / "sample-catalogue" / row["file"], row, vocabulary) for row in listed]


@dataclass(frozen=True, slots=True)
class Bench:
    """What ships, and the classes alone."""

    tagger: FileTagger

    @classmethod
    def load(cls) -> Bench:
        """Load the model that is built, with the starter head."""
        heads = InstalledHeads.of_this_machine().load([STARTER])
        return cls(FileTagger.load(model_dir(), Vocabulary.load(), heads=heads))

    @property
    def departments(self) -> frozenset[str]:
        """The keywords that are whole departments."""
        return frozenset(k.id for k in self.tagger.vocabulary.nodes.values() if k.use is Use.FALLBACK)

    def judged(self, name: str, files: list[LabelledFile]) -> tuple[list[Judged], ...]:
        """Return the photos with their keywords in each of `WAYS`; none of a photo that could not be read."""
        alone = KeywordMapper(self.tagger.taxonomy)
        by_way: tuple[list[Judged], ...] = ([], [])
        with Progress(name, total=len(files), unit="photos") as progress:
            results = progress.over(self.tagger.tag(file.path for file in files))
            for file, result in zip(files, results, strict=True):
                is_read = isinstance(result, TaggedFile)
                scores = result.class_scores if is_read else ()
                by_way[0].append(Judged(file, alone.keywords(scores, None), scores))
                by_way[1].append(Judged(file, result.keywords if is_read else (), scores))
        return by_way


def curve(photos: list[Judged], departments: frozenset[str]) -> list[tuple[float, float]]:
    """Return the shares of photos that are wrong and specific, by the least score that a keyword needs."""
    steps = [Measures.of(photos, departments, percent / 100) for percent in range(50, 100)]
    return [(step.wrong / step.photos, step.specific / step.photos) for step in steps]


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
def main(data: Path | None) -> None:
    """Measure the model and the starter head on the sample catalogue and on the data sets in DATA."""
    bench = Bench.load()
    vocabulary = bench.tagger.vocabulary
    sets = {"sample": sample_catalogue(vocabulary)}
    sets |= {name: photos_of(data, name, vocabulary) for name in LABELS if data and (data / name).is_dir()}
    click.echo(f"{'':<28}  photos     specific        wrong   only broad needs a look    precision")
    for name, photos in sets.items():
        by_way = bench.judged(name, photos)
        for way, judged in zip(WAYS, by_way, strict=True):
            click.echo(f"{name:<11}{way:<17}{Measures.of(judged, bench.departments)}")
        if name == UNSEEN:
            curves = {way: curve(judged, bench.departments) for way, judged in zip(WAYS, by_way, strict=True)}
            draw_thresholds(DOCS / "quality.svg", curves, len(photos))
            draw_reliability(DOCS / "reliability.svg", by_score(by_way[1]), f"{len(photos):,} packshots")


if __name__ == "__main__":
    main()
