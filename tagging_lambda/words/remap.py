"""From a record's stored scores to keywords of today's taxonomy and heads, without inference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.records import Previous, TaggedImage
from tagging_lambda.words.decisions import with_keywords

if TYPE_CHECKING:
    from tagging_lambda.words.classes_and_heads import KeywordMapper


def remapped(record: TaggedImage, mapper: KeywordMapper, run_id: str) -> TaggedImage:
    """Return the record under this taxonomy and heads; it becomes the run's only if the machine's keywords differ."""
    model_keywords = mapper.keywords(record.class_scores, record.vector)
    observation, previous = replace(record.observation, taxonomy_version=mapper.version), record.previous
    if model_keywords != record.model_keywords:
        observation, previous = replace(observation, run_id=run_id), Previous.of(record, observation.etag, run_id)
    renewed = replace(record, observation=observation, previous=previous)
    return with_keywords(renewed, model_keywords, record.decisions, mapper.vocabulary)
