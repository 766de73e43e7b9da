"""Records: what the table stores about an image."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.listing import Listing

if TYPE_CHECKING:
    from pipeline.facts import PhotoFacts
    from pipeline.images import ImageRef
    from pipeline.keywords import KeywordTag
    from pipeline.reject_reasons import RejectReason
    from pipeline.vectors import FeatureVector

SCORE_STEPS = 65_535  # a stored class score is a whole number of these steps: two bytes
# Chosen by us: over twice the 14 days a message can wait in a queue, so that no old message finds nothing
# (DECISIONS.md, 3).
TOMBSTONE_DAYS = 30
# For each image, chosen by us: twelve times the keywords that the model gives, and far below the 400 kB that DynamoDB
# permits an item (DECISIONS.md, 13).
MAX_DECISIONS = 100
NO_LISTING = Listing()
_PAIR = struct.Struct("<HH")


@dataclass(frozen=True, slots=True)
class ClassScore:
    """What the model answers for one of its classes: a probability in [0, 1], in steps of 1/65,535."""

    class_index: int
    score: float

    def document(self, name: str | None = None) -> dict[str, object]:
        """Return the score in the form of every JSON answer, with the class's name if given."""
        named = {} if name is None else {"class": name}
        return {"class_index": self.class_index, **named, "score": round(self.score, 4)}


def pack_class_scores(scores: tuple[ClassScore, ...]) -> bytes:
    """Return the scores as a record stores them: four bytes each, in the order given."""
    return b"".join(_PAIR.pack(s.class_index, round(s.score * SCORE_STEPS)) for s in scores)


def unpack_class_scores(packed: bytes) -> tuple[ClassScore, ...]:
    """Return the scores that ``pack_class_scores`` packed, exactly as they were stored."""
    return tuple(ClassScore(index, step / SCORE_STEPS) for index, step in _PAIR.iter_unpack(packed))


class DecisionKind(StrEnum):
    """A person's decision about a keyword on an image."""

    PIN = "pin"  # it fits, whatever the model says
    SUPPRESS = "suppress"  # it does not, whatever the model says


class KeywordAction(StrEnum):
    """What a person can decide about a keyword on an image."""

    PIN = "pin"
    SUPPRESS = "suppress"
    RELEASE = "release"  # neither: the model decides again


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about one keyword on one image, and when; ``by`` is empty if unknown."""

    keyword_id: str
    kind: DecisionKind
    decided_at: datetime
    by: str = ""


@dataclass(frozen=True, slots=True)
class Previous:
    """What the model said about the same object before the recorded run: enough to undo that run."""

    run_id: str
    observed_at: datetime
    model_version: str
    taxonomy_version: str
    keywords: tuple[KeywordTag, ...]
    class_scores: tuple[ClassScore, ...]
    width_pixels: int
    height_pixels: int
    low_information: bool

    @classmethod
    def of(cls, record: Record | None, etag: str | None, run_id: str) -> Previous | None:
        """Return what a run must keep of the record it overwrites; None if that is of another object, or absent.

        A run that reconciles an image twice keeps what it overwrote the first time.
        """
        # An undo must not bring back another photo's class scores, so only the same object counts (DECISIONS.md, 14).
        if not isinstance(record, TaggedImage | RejectedImage) or etag is None or record.observation.etag != etag:
            return None
        if record.observation.run_id == run_id or isinstance(record, RejectedImage):
            return record.previous if record.observation.run_id == run_id else None
        return cls(
            run_id=record.observation.run_id,
            observed_at=record.observation.observed_at,
            model_version=record.observation.model_version,
            taxonomy_version=record.observation.taxonomy_version,
            keywords=record.model_keywords,
            class_scores=record.class_scores,
            width_pixels=record.width_pixels,
            height_pixels=record.height_pixels,
            low_information=record.low_information,
        )


@dataclass(frozen=True, slots=True)
class Observation:
    """What was observed of an image: when, by which run, which object (no ETag: there was none), which product."""

    image: ImageRef
    product: str
    run_id: str
    observed_at: datetime
    etag: str | None
    object_time: datetime | None
    model_version: str
    taxonomy_version: str
    listing: Listing = NO_LISTING


@dataclass(frozen=True, slots=True)
class TaggedImage:
    """An image with its keywords, from the model and from people, and the class scores behind the model's.

    Attributes:
        decisions: what people decided, one for each keyword, the oldest first.
        overruled: the model's own keywords, if people decided anything; else empty.
        previous: what the run before recorded for the same object, if there was one.
        vector: what the model saw, for heads; None in older records, or if the model has no projection.
        facts: what rules, colours and groups are computed from; None in a record written before facts were stored.
    """

    observation: Observation
    keywords: tuple[KeywordTag, ...]
    class_scores: tuple[ClassScore, ...]
    width_pixels: int
    height_pixels: int
    low_information: bool = False
    revision: int = 0
    decisions: tuple[Decision, ...] = ()
    overruled: tuple[KeywordTag, ...] = ()
    previous: Previous | None = None
    vector: FeatureVector | None = None
    facts: PhotoFacts | None = None

    @property
    def model_keywords(self) -> tuple[KeywordTag, ...]:
        """The model's keywords, before people's decisions."""
        return self.overruled if self.decisions else self.keywords


@dataclass(frozen=True, slots=True)
class RejectedImage:
    """An image that can never be tagged as it is; the detail is our own sentence, without text from the file."""

    observation: Observation
    reason: RejectReason
    detail: str
    revision: int = 0
    decisions: tuple[Decision, ...] = ()
    previous: Previous | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """Which image was rejected and why, without the rest of its record."""

    image: ImageRef
    product: str
    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True)
class GoneImage:
    """The tombstone of an image that no longer exists. It expires when no message about the image can be left.

    People's decisions are kept until then, in case the photo comes back.
    """

    observation: Observation
    revision: int = 0
    decisions: tuple[Decision, ...] = ()

    @property
    def expires_at(self) -> datetime:
        """When the table may forget the image."""
        return self.observation.observed_at + timedelta(days=TOMBSTONE_DAYS)


@dataclass(frozen=True, slots=True)
class UndoneImage:
    """An image whose observation was undone: only its product and people's decisions are left.

    It expires as a tombstone does, unless a person decided anything.
    """

    observation: Observation
    revision: int = 0
    decisions: tuple[Decision, ...] = ()

    @property
    def expires_at(self) -> datetime | None:
        """When the table may forget the image; None if it must not."""
        return None if self.decisions else self.observation.observed_at + timedelta(days=TOMBSTONE_DAYS)


Record = TaggedImage | RejectedImage | GoneImage | UndoneImage


class RecordStatus(StrEnum):
    """The kind of record that an image has."""

    TAGGED = "tagged"
    REJECTED = "rejected"
    GONE = "gone"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class RecordSummary:
    """The status of an image and when it was observed; the reason is None unless it was rejected."""

    image: ImageRef
    observed_at: datetime
    kind: RecordStatus
    reason: RejectReason | None = None
    has_keyword: bool = False

    @classmethod
    def of(cls, record: Record) -> RecordSummary:
        """Return the summary of the record."""
        image, observed_at = record.observation.image, record.observation.observed_at
        match record:
            case TaggedImage():
                return cls(image, observed_at, RecordStatus.TAGGED, has_keyword=bool(record.keywords))
            case RejectedImage():
                return cls(image, observed_at, RecordStatus.REJECTED, record.reason)
            case GoneImage():
                return cls(image, observed_at, RecordStatus.GONE)
            case UndoneImage():
                return cls(image, observed_at, RecordStatus.UNDONE)
