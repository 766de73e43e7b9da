"""How records lie in DynamoDB: names of keys and attributes, and the way there and back. Known here and in aws only."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipeline.errors import RejectReason
from pipeline.facts import PhotoFacts
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Source
from pipeline.records import (
    Decision,
    DecisionKind,
    GoneImage,
    Observation,
    Previous,
    Record,
    RecordStatus,
    RecordSummary,
    RejectedImage,
    Rejection,
    TaggedImage,
    UndoneImage,
    pack_class_scores,
    unpack_class_scores,
)
from pipeline.vectors import FeatureVector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

IMAGE = "image"  # the partition key: s3://bucket/key, or a digest of it where that is too long
LONG_IMAGE = "long_image"  # s3://bucket/key where the partition key is a digest
PRODUCT = "product"  # the partition key of the index by product; its sort key is the image
PRODUCT_INDEX = "by_product"
REASON_INDEX = "by_reason"  # holds rejected images alone; its sort key is the image
DETAIL = "detail"
REVISION = "revision"
EXPIRES_AT = "expires_at"  # seconds since 1970: DynamoDB removes the item some time after
STATUS = "status"
REASON = "reason"
LOOKED_AT = "observed_at"
PREVIOUS = "previous"
KEYWORDS = "keywords"
VECTOR = "vector"
END = (IMAGE, LONG_IMAGE, "#status", REASON, LOOKED_AT, f"{KEYWORDS}[0]")  # what ``end_of`` needs of an item
END_NAMES = {"#status": STATUS}  # the only one of them that is a word of DynamoDB's own
MAX_IMAGE_BYTES = 1024  # the longest sort key Amazon DynamoDB permits: the index by product is sorted by image
TAGGED, REJECTED, GONE, UNDONE = RecordStatus

Item = dict[str, Any]


def key_of(image: ImageRef) -> Item:
    """Return the key of the image's item."""
    return {IMAGE: _name(image)}


def to_item(record: Record, revision: int) -> Item:
    """Return the item at rest of this record, as that revision."""
    item = {**_look_item(record.observation), REVISION: revision}
    if record.decisions:
        item["decisions"] = [_decision_item(decision) for decision in record.decisions]
    match record:
        case TaggedImage():
            item |= {STATUS: str(TAGGED), **_tagged_item(record)}
        case RejectedImage():
            item |= {STATUS: str(REJECTED), REASON: str(record.reason), DETAIL: record.detail}
            item |= _previous_item(record.previous)
        case GoneImage():
            item |= {STATUS: str(GONE), EXPIRES_AT: int(record.expires_at.timestamp())}
        case UndoneImage():
            item |= {STATUS: str(UNDONE)}
            if record.expires_at:
                item[EXPIRES_AT] = int(record.expires_at.timestamp())
    return item


def from_item(item: Item) -> Record:
    """Return the record that ``to_item`` laid down, this version's or an older one's."""
    observation, revision = _look(item), int(item[REVISION])
    decisions = tuple(_decision(each) for each in item.get("decisions", ()))
    if item[STATUS] == GONE:
        return GoneImage(observation, revision, decisions)
    if item[STATUS] == UNDONE:
        return UndoneImage(observation, revision, decisions)
    if item[STATUS] == REJECTED:
        reason = RejectReason(item[REASON])
        return RejectedImage(observation, reason, item[DETAIL], revision, decisions, _previous(item))
    return TaggedImage(
        observation=observation,
        keywords=_keywords(item[KEYWORDS]),
        class_scores=unpack_class_scores(bytes(item["class_scores"])),
        width_pixels=int(item["width_pixels"]),
        height_pixels=int(item["height_pixels"]),
        low_information=item["low_information"],
        vector=FeatureVector.unpack(bytes(item[VECTOR])) if VECTOR in item else None,
        facts=PhotoFacts.unpack(bytes(item["facts"])) if "facts" in item else None,
        revision=revision,
        decisions=decisions,
        overruled=_keywords(item.get("overruled", ())),
        previous=_previous(item),
    )


def end_of(item: Item) -> RecordSummary:
    """Return the end that an item tells of, of which no more than ``END`` need be there."""
    reason = RejectReason(item[REASON]) if REASON in item else None
    return RecordSummary(
        _image(item), _time(item[LOOKED_AT]), RecordStatus(item[STATUS]), reason, bool(item.get(KEYWORDS))
    )


def rejection_of(item: Item) -> Rejection:
    """Return the rejection that an item of the index by reason tells of."""
    return Rejection(_image(item), item[PRODUCT], RejectReason(item[REASON]), item[DETAIL])


def _tagged_item(record: TaggedImage) -> Item:
    item = {
        KEYWORDS: _keyword_items(record.keywords),
        "class_scores": pack_class_scores(record.class_scores),
        "width_pixels": record.width_pixels,
        "height_pixels": record.height_pixels,
        "low_information": record.low_information,
        **_previous_item(record.previous),
    }
    if record.vector:
        item[VECTOR] = record.vector.pack()
    if record.facts:
        item["facts"] = record.facts.pack()
    if record.overruled:
        item["overruled"] = _keyword_items(record.overruled)
    return item


def _keyword_items(tags: Iterable[KeywordTag]) -> list[Item]:
    return [_keyword_item(tag) for tag in tags]


def _keyword_item(tag: KeywordTag) -> Item:
    """Return a keyword; the model's names no source, since records are paid by size."""
    item = {"id": tag.keyword_id, "score": Decimal(repr(tag.score))}
    return item if tag.source is Source.MODEL else {**item, "source": str(tag.source)}


def _keywords(items: Iterable[Item]) -> tuple[KeywordTag, ...]:
    return tuple(
        KeywordTag(each["id"], float(each["score"]), Source(each.get("source", Source.MODEL))) for each in items
    )


def _decision_item(decision: Decision) -> Item:
    item = {"id": decision.keyword_id, "kind": str(decision.kind), "at": decision.decided_at.isoformat()}
    return {**item, "by": decision.by} if decision.by else item


def _decision(item: Item) -> Decision:
    return Decision(item["id"], DecisionKind(item["kind"]), _time(item["at"]), item.get("by", ""))


def _previous_item(previous: Previous | None) -> Item:
    """Return the attribute of what came before: a list, whose entries have no names, since writes are paid by size."""
    if previous is None:
        return {}
    keywords = [part for tag in previous.keywords for part in (tag.keyword_id, Decimal(repr(tag.score)))]
    return {
        PREVIOUS: [
            previous.run_id,
            previous.observed_at.isoformat(),
            previous.model_version,
            previous.taxonomy_version,
            keywords,
            pack_class_scores(previous.class_scores),
            previous.width_pixels,
            previous.height_pixels,
            previous.low_information,
            *_sources(previous.keywords),
        ]
    }


def _sources(tags: Sequence[KeywordTag]) -> list[list[str]]:
    """Return who said each keyword; nothing where the model said all."""
    return [[str(tag.source) for tag in tags]] if any(tag.source is not Source.MODEL for tag in tags) else []


def _previous(item: Item) -> Previous | None:
    if PREVIOUS not in item:
        return None
    run_id, observed_at, model, taxonomy, keywords, class_scores, width, height, low_information, *rest = item[PREVIOUS]
    sources = rest[0] if rest else [Source.MODEL] * (len(keywords) // 2)
    return Previous(
        run_id=run_id,
        observed_at=_time(observed_at),
        model_version=model,
        taxonomy_version=taxonomy,
        keywords=tuple(
            KeywordTag(keyword_id, float(score), Source(source))
            for keyword_id, score, source in zip(keywords[::2], keywords[1::2], sources, strict=True)
        ),
        class_scores=unpack_class_scores(bytes(class_scores)),
        width_pixels=int(width),
        height_pixels=int(height),
        low_information=low_information,
    )


def _look_item(observation: Observation) -> Item:
    name = _name(observation.image)
    item = {
        IMAGE: name,
        PRODUCT: observation.product,
        "run_id": observation.run_id,
        LOOKED_AT: observation.observed_at.isoformat(),
        "model_version": observation.model_version,
        "taxonomy_version": observation.taxonomy_version,
    }
    if name != str(observation.image):
        item[LONG_IMAGE] = str(observation.image)
    if observation.etag is not None:
        item["etag"] = observation.etag
    if observation.object_time is not None:
        item["object_time"] = observation.object_time.isoformat()
    return item


def _look(item: Item) -> Observation:
    return Observation(
        image=_image(item),
        product=item[PRODUCT],
        run_id=item["run_id"],
        observed_at=_time(item[LOOKED_AT]),
        etag=item.get("etag"),
        object_time=_time(item["object_time"]) if "object_time" in item else None,
        model_version=item["model_version"],
        taxonomy_version=item["taxonomy_version"],
    )


def _image(item: Item) -> ImageRef:
    return ImageRef.parse(item.get(LONG_IMAGE) or item[IMAGE])


def _name(image: ImageRef) -> str:
    # DECISIONS.md, 18
    name = str(image).encode()
    return name.decode() if len(name) <= MAX_IMAGE_BYTES else f"sha256:{hashlib.sha256(name).hexdigest()}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
