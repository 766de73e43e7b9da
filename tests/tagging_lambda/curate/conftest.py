"""A table of a shop's photos, and what rewrites it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pipeline.memory.table import MemoryTable
from pipeline.records import SCORE_STEPS, ClassScore, Observation, TaggedImage
from tagging_lambda.curate.rewrite import Rewriter
from tagging_lambda.words.class_keywords import Taxonomy, keywords_of
from tests.builders import COLOURS, InlineExecutor, colour_vocabulary, shop

if TYPE_CHECKING:
    from pipeline.keywords import KeywordTag

VOCABULARY = colour_vocabulary()
TAXONOMY = Taxonomy.of(VOCABULARY, COLOURS)
AT = datetime(2026, 3, 1, tzinfo=UTC)


def tagged(key: str = "a.jpg", colour: str = "red", score: float = 0.98, **observation: object) -> TaggedImage:
    """Return a record of a photo of that colour, as the taxonomy has it."""
    parts = {
        "product": "p1",
        "run_id": "run-1",
        "observed_at": AT,
        "etag": '"e1"',
        "object_time": AT,
        "model_version": "colours-1",
        "taxonomy_version": "words-1",
    }
    scores = (ClassScore(COLOURS.index(colour), round(score * SCORE_STEPS) / SCORE_STEPS),)
    seen = Observation(image=shop(key), **(parts | observation))
    return TaggedImage(seen, keywords_of(scores, TAXONOMY), scores, 64, 48)


def ids(tags: tuple[KeywordTag, ...]) -> list[str]:
    """Return the keywords' ids."""
    return [tag.keyword_id for tag in tags]


@pytest.fixture
def table() -> MemoryTable:
    """An empty table."""
    return MemoryTable()


@pytest.fixture
def rewriter(table: MemoryTable) -> Rewriter:
    """What rewrites it, in this thread, without waiting."""
    return Rewriter(table, InlineExecutor(), sleep=lambda _: None)
