"""Merges people's decisions and the model's keywords into an image's keywords. People win."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.colours import colour_of
from pipeline.keywords import KeywordTag, Source, Use, Vocabulary
from pipeline.records import Decision, DecisionKind, TaggedImage


# People's decisions live on the image's own record, so that tagging again does not lose them (DECISIONS.md, 13).
def with_keywords(
    record: TaggedImage, model_keywords: tuple[KeywordTag, ...], decisions: tuple[Decision, ...], vocabulary: Vocabulary
) -> TaggedImage:
    """Return the record with the model's keywords, people's decisions, and the keywords that follow from both."""
    return replace(
        record,
        keywords=decided(model_keywords, decisions, vocabulary),
        decisions=decisions,
        overruled=model_keywords if decisions else (),
    )


def decided(
    model_keywords: Sequence[KeywordTag], decisions: Sequence[Decision], vocabulary: Vocabulary
) -> tuple[KeywordTag, ...]:
    """Return the keywords of an image: the pinned ones, those they imply, then the model's others.

    A pinned keyword has the score 1 and implies the keywords above it, as the model's do: a search for footwear finds
    a pinned boot. A suppressed keyword is absent whatever its source; those above and below it stay. A keyword that
    the vocabulary no longer has stays pinned.
    """
    # Decisions about colours are stored here too, but are no keywords (DECISIONS.md, 112).
    decisions = [decision for decision in decisions if colour_of(decision.keyword_id) is None]
    pinned = [decision.keyword_id for decision in decisions if decision.kind is DecisionKind.PIN]
    suppressed = {decision.keyword_id for decision in decisions if decision.kind is DecisionKind.SUPPRESS}
    along = (keyword_id for decision in pinned for keyword_id in _above(decision, vocabulary))
    human = [decision for decision in dict.fromkeys((*pinned, *along)) if decision not in suppressed]
    taken = suppressed.union(human)
    return (
        *(KeywordTag(decision, 1.0, Source.HUMAN) for decision in human),
        *(tag for tag in model_keywords if tag.keyword_id not in taken),
    )


def _above(keyword_id: str, vocabulary: Vocabulary) -> list[str]:
    if keyword_id not in vocabulary.nodes:
        return []
    ancestors = vocabulary.ancestors(keyword_id)
    return [ancestor for ancestor in ancestors if vocabulary.nodes[ancestor].use is Use.KEYWORD]
