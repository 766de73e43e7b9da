"""The layout of records in DynamoDB: names of keys and attributes, and how items are written and read.

Only ``pipeline.aws`` knows of it. What a later version of the layout adds must be optional, so that this version still
reads it; what it cannot read is an ``UnreadableItem``.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from pipeline.errors import CallerError
from pipeline.facts import PhotoFacts
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Source
from pipeline.listing import FIELDS, Listing
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
from pipeline.reject_reasons import RejectReason
from pipeline.unreadable import UnreadableItem
from pipeline.vectors import FeatureVector

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
OBSERVED_AT = "observed_at"
PREVIOUS = "previous"
KEYWORDS = "keywords"
VECTOR = "vector"
SUMMARY = (IMAGE, LONG_IMAGE, "#status", REASON, OBSERVED_AT, REVISION, f"{KEYWORDS}[0]")  # attributes of a summary
SUMMARY_NAMES = {"#status": STATUS}  # the only one of them that is a reserved word of DynamoDB
MAX_IMAGE_BYTES = 1024  # the longest sort key Amazon DynamoDB permits: the index by product is sorted by image
TAGGED, REJECTED, GONE, UNDONE = RecordStatus

Item = dict[str, Any]
T = TypeVar("T")
# What reading an item of another layout can raise: an attribute is missing, of another type, or out of range.
_MISREADINGS = (KeyError, ValueError, TypeError, AttributeError, ArithmeticError, struct.error, CallerError)


def key_of(image: ImageRef) -> Item:
    """Return the key of the image's item."""
    return {IMAGE: _name(image)}


def to_item(record: Record, revision: int) -> Item:
    """Return the item that stores this record as that revision."""
    item = {**_observation_item(record.observation), REVISION: revision}
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


def read_record(item: Item) -> Record | UnreadableItem:
    """Return the record that the item holds."""
    return _read(item, from_item)


def read_summary(item: Item) -> RecordSummary | UnreadableItem:
    """Return the summary of an item that has the attributes in ``SUMMARY``."""
    return _read(item, _summary)


def read_rejection(item: Item) -> Rejection | UnreadableItem:
    """Return the rejection that an item of the index by reason holds."""
    return _read(item, _rejection)


def _read(item: Item, parse: Callable[[Item], T]) -> T | UnreadableItem:
    try:
        return parse(item)
    except _MISREADINGS as error:
        return unreadable_item(item, error)


def unreadable_item(item: Item, error: Exception) -> UnreadableItem:
    """Return the stand-in for an item whose reading failed with this error."""
    detail = f"the attribute {error} is missing" if isinstance(error, KeyError) else str(error)
    try:
        image = _image(item)
    except _MISREADINGS:
        image = None
    return UnreadableItem(str(item.get(IMAGE, "")), detail, image)


def from_item(item: Item) -> Record:
    """Return the record that ``to_item`` wrote, in this version or in one before.

    Raises:
        One of ``_MISREADINGS``: the item is damaged, or has the layout of a later version. ``read_record`` catches it.
    """
    observation, revision = _observation(item), int(item[REVISION])
    decisions = tuple(_decision(decision) for decision in item.get("decisions", ()))
    match RecordStatus(item[STATUS]):
        case RecordStatus.GONE:
            return GoneImage(observation, revision, decisions)
        case RecordStatus.UNDONE:
            return UndoneImage(observation, revision, decisions)
        case RecordStatus.REJECTED:
            reason = RejectReason(item[REASON])
            return RejectedImage(observation, reason, _text(item[DETAIL]), revision, decisions, _previous(item))
        case RecordStatus.TAGGED:
            return TaggedImage(
                observation=observation,
                keywords=_keywords(item[KEYWORDS]),
                class_scores=unpack_class_scores(bytes(item["class_scores"])),
                width_pixels=int(item["width_pixels"]),
                height_pixels=int(item["height_pixels"]),
                low_information=bool(item["low_information"]),
                revision=revision,
                decisions=decisions,
                overruled=_keywords(item.get("overruled", ())),
                previous=_previous(item),
                vector=FeatureVector.unpack(bytes(item[VECTOR])) if VECTOR in item else None,
                facts=PhotoFacts.unpack(bytes(item["facts"])) if "facts" in item else None,
            )


def _summary(item: Item) -> RecordSummary:
    status, _ = RecordStatus(item[STATUS]), int(item[REVISION])  # without a revision, nothing could replace it
    reason = RejectReason(item[REASON]) if status is REJECTED else None
    return RecordSummary(_image(item), _time(item[OBSERVED_AT]), status, reason, bool(item.get(KEYWORDS)))


def _rejection(item: Item) -> Rejection:
    return Rejection(_image(item), _text(item[PRODUCT]), RejectReason(item[REASON]), _text(item[DETAIL]))


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
    """Return a keyword; the model's names no source, because DynamoDB bills by size."""
    item = {"id": tag.keyword_id, "score": Decimal(repr(tag.score))}
    return item if tag.source is Source.MODEL else {**item, "source": str(tag.source)}


def _keywords(items: Iterable[Item]) -> tuple[KeywordTag, ...]:
    return tuple(_keyword(item) for item in items)


def _keyword(item: Item) -> KeywordTag:
    return KeywordTag(item["id"], float(item["score"]), Source(item.get("source", Source.MODEL)))


def _decision_item(decision: Decision) -> Item:
    item = {"id": decision.keyword_id, "kind": str(decision.kind), "at": decision.decided_at.isoformat()}
    return {**item, "by": decision.by} if decision.by else item


def _decision(item: Item) -> Decision:
    return Decision(item["id"], DecisionKind(item["kind"]), _time(item["at"]), item.get("by", ""))


def _previous_item(previous: Previous | None) -> Item:
    """Return the attribute of the run before: a list without names, because DynamoDB bills writes by size."""
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
    """Return the source of each keyword; nothing if all are the model's."""
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


def _observation_item(observation: Observation) -> Item:
    name = _name(observation.image)
    item = {
        IMAGE: name,
        PRODUCT: observation.product,
        "run_id": observation.run_id,
        OBSERVED_AT: observation.observed_at.isoformat(),
        "model_version": observation.model_version,
        "taxonomy_version": observation.taxonomy_version,
        **observation.listing.document(),
    }
    if name != str(observation.image):
        item[LONG_IMAGE] = str(observation.image)
    if observation.etag is not None:
        item["etag"] = observation.etag
    if observation.object_time is not None:
        item["object_time"] = observation.object_time.isoformat()
    return item


def _observation(item: Item) -> Observation:
    return Observation(
        image=_image(item),
        product=_text(item[PRODUCT]),
        run_id=_text(item["run_id"]),
        observed_at=_time(item[OBSERVED_AT]),
        etag=_text(item["etag"]) if "etag" in item else None,
        object_time=_time(item["object_time"]) if "object_time" in item else None,
        model_version=_text(item["model_version"]),
        taxonomy_version=_text(item["taxonomy_version"]),
        listing=Listing.parse({name: _text(item[name]) for name in FIELDS if name in item}),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is a {type(value).__name__}")
    return value


def _image(item: Item) -> ImageRef:
    return ImageRef.parse(item.get(LONG_IMAGE) or item[IMAGE])


def _name(image: ImageRef) -> str:
    # A digest stands for a name that is longer than an index key may be (DECISIONS.md, 18).
    name = str(image).encode()
    return name.decode() if len(name) <= MAX_IMAGE_BYTES else f"sha256:{hashlib.sha256(name).hexdigest()}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
