"""The result for a local file: as a JSON document, as a CSV row, as a record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.colours import colours_of
from pipeline.photo_rules import broken_ids, shipped_rule_sets, with_ancestors
from pipeline.records import Observation, RejectedImage, TaggedImage
from tagging_lambda.tag_files import RejectedFile, TaggedFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.facts import PhotoFacts
    from pipeline.keyword_names import KeywordNames
    from pipeline.keywords import KeywordTag, Vocabulary
    from tagging_lambda.model_card import ModelClass

CLASSES_SHOWN = 5
SEPARATOR = "|"  # between several values in a cell, as `learn` and `evaluate` read it
CSV_COLUMNS = (
    "file",
    "keywords",
    "scores",
    "status",
    "reason",
    "detail",
    "needs_a_look",
    "colours",
    "google",
    "amazon",
)


def file_document(
    result: TaggedFile | RejectedFile, names: KeywordNames, classes: Sequence[ModelClass]
) -> dict[str, Any]:
    """Return what ``tag --json`` prints for a file; ``classes`` are those of the model."""
    if isinstance(result, RejectedFile):
        refused = {"status": "rejected", "reason": result.reason, "detail": result.detail}
        nothing = {"low_information": False, "needs_a_look": False, "colours": [], "rules": {}}
        return {"image": str(result.path), **refused, "keywords": [], "classes": [], **nothing}
    return {
        "image": str(result.path),
        "status": "tagged",
        "reason": None,
        "keywords": names.documents(result.keywords),
        "classes": [score.document(classes[score.class_index].name) for score in result.class_scores[:CLASSES_SHOWN]],
        "low_information": result.low_information,
        "needs_a_look": not result.keywords,
        **signals_document(result.facts, result.keywords, names.vocabulary),
    }


def signals_document(
    facts: PhotoFacts | None, keywords: Sequence[KeywordTag], vocabulary: Vocabulary
) -> dict[str, Any]:
    """Return a photo's colours and the ids of the rules that it breaks, as ``tag --json`` prints them."""
    today = datetime.now(UTC).date()
    return {
        "colours": [{"colour": c.colour, "share": round(c.share, 2)} for c in colours_of(facts)],
        "rules": broken_ids(shipped_rule_sets(), facts, with_ancestors(keywords, vocabulary), today),
    }


def file_row(document: dict[str, Any]) -> dict[str, str]:
    """Return a result of ``file_document`` as a row of ``CSV_COLUMNS``."""
    keywords = document["keywords"]
    cells = {
        "file": document["image"],
        "keywords": (keyword["keyword"] for keyword in keywords),
        "scores": (f"{keyword['score']:.4f}" for keyword in keywords),
        "status": document["status"],
        "reason": document["reason"] or "",
        "detail": document.get("detail") or "",
        "needs_a_look": "yes" if document["needs_a_look"] else "",
        "colours": (colour["colour"] for colour in document["colours"]),
        "google": document["rules"].get("google", ()),
        "amazon": document["rules"].get("amazon", ()),
    }
    return {column: cell if isinstance(cell, str) else SEPARATOR.join(cell) for column, cell in cells.items()}


def file_record(result: TaggedFile | RejectedFile, observation: Observation) -> TaggedImage | RejectedImage:
    """Return the record that an image in a bucket with this result would have."""
    if isinstance(result, RejectedFile):
        return RejectedImage(observation, result.reason, result.detail, revision=1)
    return TaggedImage(
        observation=observation,
        keywords=result.keywords,
        class_scores=result.class_scores,
        width_pixels=result.facts.width_pixels if result.facts else 0,
        height_pixels=result.facts.height_pixels if result.facts else 0,
        low_information=result.low_information,
        revision=1,
        vector=result.vector,
        facts=result.facts,
    )
