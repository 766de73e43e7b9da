"""From stored class scores to the keywords of today's taxonomy, without any inference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.records import Previous
from tagging_lambda.words.decisions import with_keywords
from tagging_lambda.words.taxonomy import keywords_of

if TYPE_CHECKING:
    from pipeline.records import TaggedImage
    from tagging_lambda.words.taxonomy import Taxonomy


def remapped(record: TaggedImage, taxonomy: Taxonomy, run_id: str) -> TaggedImage:
    """Return the record under this taxonomy, as the run's own only if the model's keywords differ from before."""
    model_keywords = keywords_of(record.class_scores, taxonomy)
    observation, previous = replace(record.observation, taxonomy_version=taxonomy.version), record.previous
    if model_keywords != record.model_keywords:
        observation, previous = replace(observation, run_id=run_id), Previous.of(record, observation.etag, run_id)
    renewed = replace(record, observation=observation, previous=previous)
    return with_keywords(renewed, model_keywords, record.decisions, taxonomy.vocabulary)
