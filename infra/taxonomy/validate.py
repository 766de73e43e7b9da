"""Checks the taxonomy file: every class leads to a keyword, words have one meaning, keywords four languages."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from infra.heads.starter_words import starter_words
from infra.taxonomy.from_wordnet import CLASSES, TAXONOMY, class_ids
from infra.taxonomy.rows import TaxonomyRow, read_rows
from pipeline.errors import CatalogTaggerError
from pipeline.keywords import LANGUAGES, Use, Vocabulary, fold

EMITTED = frozenset({Use.KEYWORD, Use.FALLBACK})
# In a row's note: the ids of the nodes with which it shares a word on purpose.
SHARES = re.compile(r"\bshares: ([\w| -]+)")


def problems(path: Path, model_classes: Sequence[str], head_words: Sequence[str] = ()) -> list[str]:
    """Return the problems of a taxonomy file, one line each.

    Args:
        path: the file.
        model_classes: the ids of the model's classes.
        head_words: the ids of the keywords that a head can give although no class leads to them.
    """
    try:
        vocabulary = Vocabulary.load(path)
        rows = [row for row in read_rows(path) if Use(row.use) in EMITTED]
    except CatalogTaggerError as error:
        return [str(error)]
    return [
        *_lost_classes(vocabulary, model_classes),
        *_unreachable(vocabulary, (*model_classes, *head_words)),
        *_untranslated(rows),
        *_ambiguous(rows),
    ]


def _lost_classes(vocabulary: Vocabulary, model_classes: Iterable[str]) -> Iterator[str]:
    for class_id in model_classes:
        if class_id not in vocabulary.nodes:
            yield f"{class_id} is a class of the model but not in the taxonomy"
        elif vocabulary.nodes[class_id].use is not Use.NOT_GOODS and not _emitted_above(vocabulary, class_id):
            yield f"{class_id} ({vocabulary.nodes[class_id].name()}) leads to no keyword and is not not_goods"


def _unreachable(vocabulary: Vocabulary, model_classes: Iterable[str]) -> Iterator[str]:
    known = [class_id for class_id in model_classes if class_id in vocabulary.nodes]
    reached = {
        node_id
        for class_id in known
        if vocabulary.nodes[class_id].use is not Use.NOT_GOODS
        for node_id in _emitted_above(vocabulary, class_id)
    }
    for keyword in vocabulary.emitted:
        if keyword.id not in reached:
            yield f"{keyword.id} ({keyword.name()}) is a keyword that no class or head leads to"


def _emitted_above(vocabulary: Vocabulary, node_id: str) -> list[str]:
    nodes = (node_id, *vocabulary.ancestors(node_id))
    return [node for node in nodes if vocabulary.nodes[node].use in EMITTED]


def _untranslated(rows: Iterable[TaxonomyRow]) -> Iterator[str]:
    for row in rows:
        for language in LANGUAGES:
            words = [fold(word) for word in row.words(language)]
            if not words:
                yield f"{row.id} ({row.en}) has no word in {language}"
            if len(set(words)) < len(words):
                yield f"{row.id} ({row.en}) lists a word twice in {language}"


def _ambiguous(rows: Sequence[TaxonomyRow]) -> Iterator[str]:
    for language in LANGUAGES:
        meanings: dict[str, list[TaxonomyRow]] = defaultdict(list)
        for row in rows:
            for word in {fold(word) for word in row.words(language)}:
                meanings[word].append(row)
        for word, sharing in meanings.items():
            if not _is_intended(sharing):
                ids = " and ".join(row.id for row in sharing)
                yield f"{word!r} ({language}) means {ids}; no note says 'shares: ID'"


def _is_intended(sharing: Sequence[TaxonomyRow]) -> bool:
    """Return whether all of these rows except one name another of them in their notes."""
    ids = {row.id for row in sharing}
    without_note = [row for row in sharing if not ids & _shared_with(row)]
    return len(without_note) <= 1


def _shared_with(row: TaxonomyRow) -> set[str]:
    match = SHARES.search(row.note)
    return {part.strip() for part in match.group(1).split("|")} if match else set()


@click.command()
def check_taxonomy() -> int:
    """Print the problems of pipeline/taxonomy.csv, and exit with 1 if there are any."""
    faults = problems(TAXONOMY, class_ids(CLASSES), sorted(set(starter_words().values())))
    for problem in faults:
        click.echo(problem)
    click.echo(f"{TAXONOMY.name}: {len(faults)} problems")
    return 1 if faults else 0
