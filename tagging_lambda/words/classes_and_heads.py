"""From a photo's stored scores and vector to its keywords: combines the taxonomy's classes and the heads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

from pipeline.keywords import KeywordTag, Use, Vocabulary
from pipeline.model_version import keywords_version
from tagging_lambda.words.class_keywords import MOST_KEYWORDS, Taxonomy, keywords_of
from tagging_lambda.words.head_card import HeadKind
from tagging_lambda.words.heads import Head, HeadAnswer, head_keywords, vocabulary_with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.records import ClassScore
    from pipeline.vectors import FeatureVector

# Chosen on held-out photos of four shops (DECISIONS.md, 33): of 993 packshots, 0.8 keeps the bags and wallets that the
# head does not know.
OVERRULING_SCORE = 0.8  # of a head's word, against a sure class of another branch
# How much surer a class of another branch may be than the head's word. A basketball that the classes are certain of is
# no hat at 0.97; at 0, goods lose 0.004 of their names to slightly surer classes.
SURER = 0.02
STRANGER_SCORE = 0.95  # of a class in the head's branch that the head has no word for, from which it counts as outside
KNOWN_SCORE = 0.5  # sum of a head's words, from which its doubt counts against a class of the same kind
# Sum of a head's words in one department, from which a class of another department must be surer than `SUREST`: a dress
# on a bed is no bedding. Of 1,041 clothing photos, 49 had a wrong word and 39 have (DECISIONS.md, 157).
KNOWN_DEPARTMENT = 0.9
SUREST = 0.98


@dataclass(frozen=True)
class KeywordMapper:
    """The pure function from class scores and feature vector to keywords.

    Attributes:
        taxonomy: maps classes to keywords; its vocabulary has the heads' words.
        heads: each decides in its branches; if two are sure of one branch, the first one counts.
    """

    taxonomy: Taxonomy
    heads: tuple[Head, ...] = ()

    @property
    def vocabulary(self) -> Vocabulary:
        """The keywords that photos can get."""
        return self.taxonomy.vocabulary

    @cached_property  # each photo asks for it, and to write a head's card takes longer than to find the keywords
    def version(self) -> str:
        """The version of exactly this function: the taxonomy's and the heads'."""
        return keywords_version(self.taxonomy.version, [head.card.version for head in self.heads])

    @classmethod
    def of(cls, vocabulary: Vocabulary, class_ids: Sequence[str], heads: Sequence[Head] = ()) -> Self:
        """Return the mapper for a model whose classes have these ids, with these heads."""
        return cls(Taxonomy.of(vocabulary_with(vocabulary, heads), class_ids), tuple(heads))

    def keywords(
        self, class_scores: Sequence[ClassScore], vector: FeatureVector | None, limit: int = MOST_KEYWORDS
    ) -> tuple[KeywordTag, ...]:
        """Return the keywords of a photo, the most specific first, at most `limit`; none if nothing is sure.

        A sure head overrules the classes: of their keywords, only those below a word of the head are kept.
        If no head is sure, the classes decide, except for what contradicts a head within its kind of goods.

        Args:
            class_scores: the model's output.
            vector: the record's feature vector, if any. A head of another space is silent.
            limit: of keywords.
        """
        from_classes = keywords_of(class_scores, self.taxonomy)
        if vector is None:
            return from_classes[:limit]
        row = vector.to_array()[None]
        scored = [(head, head.scores(row)[0]) for head in self.heads if head.card.space == vector.space]
        spoken = self._spoken(scored, from_classes)
        if not spoken:
            return self._uncontradicted(from_classes, scored)[:limit]
        below = {keyword_id for narrowest in self._narrowest(spoken) for keyword_id in self._below(narrowest)}
        narrower = tuple(tag for tag in from_classes if tag.keyword_id in below and tag.keyword_id not in spoken)
        return self._consistent((*narrower, *spoken.values()))[:limit]

    def _consistent(self, tags: Sequence[KeywordTag]) -> tuple[KeywordTag, ...]:
        """Return the tags, each score raised to that of any narrower tag: an SLR camera is surely a camera.

        Classes and heads are scored separately, so a class's keyword may be surer than the head's above it.
        """
        scores = {tag.keyword_id: tag.score for tag in tags}
        for tag in tags:
            for ancestor in self.vocabulary.ancestors(tag.keyword_id):
                if ancestor in scores:
                    scores[ancestor] = max(scores[ancestor], tag.score)
        return tuple(replace(tag, score=scores[tag.keyword_id]) for tag in tags)

    def _spoken(
        self, scored: Sequence[tuple[Head, NDArray[np.float32]]], from_classes: Sequence[KeywordTag]
    ) -> dict[str, KeywordTag]:
        """Return the heads' tags by id; if two are sure of one branch, the first one counts."""
        spoken: dict[str, KeywordTag] = {}
        taken: set[str] = set()
        for head, scores in scored:
            answer = head_keywords(head, scores, self.vocabulary)
            if answer.tags and not taken & answer.branch and self._overrules(head, answer, from_classes):
                taken |= answer.branch
                spoken = {tag.keyword_id: tag for tag in answer.tags} | spoken
        return spoken

    def _overrules(self, head: Head, answer: HeadAnswer, from_classes: Sequence[KeywordTag]) -> bool:
        """Return whether a head wins against classes that are sure of something else.

        A word of the head always wins in its own branch; elsewhere from `OVERRULING_SCORE` on, unless the classes are
        clearly surer. A group never wins: a bag that the head does not know would be *bottoms*.
        """
        own = {tag.keyword_id: tag for tag in answer.tags}
        narrowest = self._narrowest(own)
        related = own.keys() | frozenset().union(*map(self._below, narrowest))
        against = [tag for tag in from_classes if tag.keyword_id not in related]
        if not against:
            return True
        best = 0.0 if answer.is_group else max(own[keyword_id].score for keyword_id in narrowest)
        outside = self._outside(against, answer.branch, narrowest)
        if outside or self._has_stranger(head, against):
            return best >= max([OVERRULING_SCORE, *(score - SURER for score in outside)])
        return best > 0

    def _outside(self, tags: Sequence[KeywordTag], branch: frozenset[str], narrowest: set[str]) -> list[float]:
        """Return the scores of tags outside the branch, but not of what the words' own kind implies there.

        A clock is home decor, too, and only the clock speaks against a watch.
        """
        kind = frozenset().union(*(self._kind(keyword_id) for keyword_id in narrowest))
        inside: set[str] = set()
        for keyword_id in (tag.keyword_id for tag in tags):
            above = set(self.vocabulary.ancestors(keyword_id))
            if branch & above:
                inside.add(keyword_id)
            if kind & self._kind(keyword_id):
                inside |= above
        return [tag.score for tag in tags if tag.keyword_id not in inside]

    def _has_stranger(self, head: Head, tags: Sequence[KeywordTag]) -> bool:
        """Return whether a tag is very sure and no word of the head is above or below it: a tie is no trousers."""
        words = {word.id for word in head.card.words}
        sure = [tag.keyword_id for tag in tags if tag.score >= STRANGER_SCORE]
        return any(not words & {node, *self.vocabulary.ancestors(node), *self._below(node)} for node in sure)

    def _uncontradicted(
        self, from_classes: tuple[KeywordTag, ...], scored: Sequence[tuple[Head, NDArray[np.float32]]]
    ) -> tuple[KeywordTag, ...]:
        """Return the classes' keywords without those that a head, itself sure of no word, contradicts."""
        contradicted: set[str] = set()
        for head, scores in scored:
            if head.card.kind is HeadKind.SOFTMAX and from_classes:
                contradicted |= self._contradicted(from_classes, head, scores)
                contradicted |= self._of_other_departments(from_classes, head, scores)
        return tuple(tag for tag in from_classes if tag.keyword_id not in contradicted)

    def _contradicted(self, tags: Sequence[KeywordTag], head: Head, scores: NDArray[np.float32]) -> set[str]:
        """Return the keywords of the best word's kind that get less than half of the head's score.

        *Nightwear* goes if the head sees a shirt or a top; a handbag stays, as it is of another kind.
        """
        words = [word.id for word in head.card.words]
        known = float(scores[:-1].sum())
        if known < KNOWN_SCORE:
            return set()
        kind = self._kind(words[int(scores[:-1].argmax())])
        contradicted = set()
        for keyword_id in (tag.keyword_id for tag in tags):
            if kind & self._kind(keyword_id):
                line = {*self.vocabulary.ancestors(keyword_id), *self._below(keyword_id)}
                trust = sum(float(score) for word, score in zip(words, scores, strict=False) if word in line)
                if trust < known / 2:
                    contradicted.add(keyword_id)
        return contradicted

    def _of_other_departments(self, tags: Sequence[KeywordTag], head: Head, scores: NDArray[np.float32]) -> set[str]:
        """Return the keywords outside the department in which nearly all of the head's score lies."""
        outside: set[str] = set()
        best = head.card.words[int(scores[:-1].argmax())].id
        for department in {*head.card.branch} & {*self.vocabulary.ancestors(best)}:
            below = self._below(department)
            known = sum(float(score) for word, score in zip(head.card.words, scores, strict=False) if word.id in below)
            if known >= KNOWN_DEPARTMENT:
                outside |= {tag.keyword_id for tag in tags if tag.keyword_id not in below and tag.score <= SUREST}
        return outside

    def _kind(self, keyword_id: str) -> set[str]:
        """Return the keyword and those above it, not departments: *clocks and watches* is a kind, *fashion* is none."""
        nodes = [self.vocabulary.nodes[node_id] for node_id in (keyword_id, *self.vocabulary.ancestors(keyword_id))]
        return {node.id for node in nodes if node.use is Use.KEYWORD or (node.use is Use.FALLBACK and node.parents)}

    def _narrowest(self, spoken: Mapping[str, KeywordTag]) -> set[str]:
        above = {ancestor for keyword_id in spoken for ancestor in self.vocabulary.ancestors(keyword_id)}
        return spoken.keys() - above

    def _below(self, keyword_id: str) -> frozenset[str]:
        return self.vocabulary.descendants(keyword_id)
