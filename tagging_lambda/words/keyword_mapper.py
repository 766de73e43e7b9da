"""From what is stored of a photo to its keywords: the taxonomy's classes and the heads, combined."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.model_version import VERSION_LENGTH
from tagging_lambda.words.heads import HeadAnswer, head_keywords
from tagging_lambda.words.taxonomy import MOST_KEYWORDS, keywords_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.keywords import KeywordTag, Vocabulary
    from pipeline.records import ClassScore
    from pipeline.vectors import FeatureVector
    from tagging_lambda.words.heads import Head
    from tagging_lambda.words.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class KeywordMapper:
    """The pure function from class scores and feature vector to keywords.

    Attributes:
        taxonomy: from classes to keywords; its vocabulary has the heads' words.
        heads: those that speak for their branches; where two are sure of one branch, the first one counts.
    """

    taxonomy: Taxonomy
    heads: tuple[Head, ...] = ()

    @property
    def vocabulary(self) -> Vocabulary:
        """The keywords that can be said."""
        return self.taxonomy.vocabulary

    @property
    def version(self) -> str:
        """What names exactly this function: the taxonomy's version, and the heads' where there are any."""
        if not self.heads:
            return self.taxonomy.version
        parts = (self.taxonomy.version, *(head.card.version for head in self.heads))
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:VERSION_LENGTH]

    def keywords(
        self, class_scores: Sequence[ClassScore], vector: FeatureVector | None, limit: int = MOST_KEYWORDS
    ) -> tuple[KeywordTag, ...]:
        """Return the keywords of a photo, the most specific first, at most `limit`; none where nothing is sure.

        Where a head is sure, its words overrule the classes: of those, only what is above or below a word of the head
        is kept. Where no head is sure, the classes speak, except against what a head is nearly sure of.

        Args:
            class_scores: what the model answered.
            vector: what a record keeps of the features; None where there is none. A head of another space is silent.
            limit: of keywords.
        """
        answers = self._answers(vector)
        from_classes = keywords_of(class_scores, self.taxonomy)
        spoken: dict[str, KeywordTag] = {}
        for answer in answers:
            if not any(tag.keyword_id in spoken for tag in answer.tags):
                spoken |= {tag.keyword_id: tag for tag in answer.tags}
        if not spoken:
            return from_classes[:limit]
        related = self._related(spoken)
        narrower = tuple(tag for tag in from_classes if tag.keyword_id in related and tag.keyword_id not in spoken)
        return (*narrower, *spoken.values())[:limit]

    def _answers(self, vector: FeatureVector | None) -> list[HeadAnswer]:
        if vector is None:
            return []
        row = vector.to_array()[None]
        fitting = (head for head in self.heads if head.card.space == vector.space)
        return [head_keywords(head, head.scores(row)[0], self.vocabulary) for head in fitting]

    def _related(self, spoken: dict[str, KeywordTag]) -> set[str]:
        """Return the keywords below the narrowest of those that a head says."""
        above = {ancestor for keyword_id in spoken for ancestor in self.vocabulary.ancestors(keyword_id)}
        narrowest = spoken.keys() - above
        return {below for keyword_id in narrowest for below in self.vocabulary.descendants(keyword_id)}
