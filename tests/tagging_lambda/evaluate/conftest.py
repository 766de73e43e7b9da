"""Photos that were judged, by words alone."""

from __future__ import annotations

from pathlib import Path

from pipeline.keywords import KeywordTag
from pipeline.records import ClassScore
from tagging_lambda.evaluate.labels import LabelledFile
from tagging_lambda.evaluate.measure import Judged
from tagging_lambda.words.class_keywords import Taxonomy
from tests.builders import COLOURS, colour_vocabulary

VOCABULARY = colour_vocabulary()
TAXONOMY = Taxonomy.of(VOCABULARY, COLOURS)


def photo(name: str, expected: str, *said: tuple[str, float], scores: dict[str, float] | None = None) -> Judged:
    """Return a photo of which this is expected (words parted by |) and that was said."""
    wanted = frozenset(expected.split("|")) if expected else frozenset()
    tags = tuple(KeywordTag(keyword_id, score) for keyword_id, score in said)
    classes = tuple(ClassScore(COLOURS.index(colour), score) for colour, score in (scores or {}).items())
    return Judged(LabelledFile.of(Path(name), wanted, frozenset(), VOCABULARY), tags, classes)
