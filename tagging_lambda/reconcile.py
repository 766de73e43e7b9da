"""The verb reconcile: reads each image as it is now, and makes its record match."""

from __future__ import annotations

import math
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from pipeline.errors import (
    DeployerError,
    ImageRejected,
    NotBegun,
    RetryLater,
    RevisionConflict,
    TooLarge,
    UnreadableRecord,
)
from pipeline.images import MAX_IMAGE_BYTES, Fetched, FetchedImage, Gone, ImageRef, Unchanged
from pipeline.records import (
    NO_LISTING,
    Decision,
    GoneImage,
    Observation,
    Previous,
    Record,
    RejectedImage,
    TaggedImage,
    UndoneImage,
)
from pipeline.unreadable import UnreadableItem
from tagging_lambda.classification_cache import LEAST_TIME_S, ClassificationCache, ContentResult
from tagging_lambda.observe import ObservedPhoto
from tagging_lambda.prefetch import LONGEST_PATIENCE_S, prefetch
from tagging_lambda.words.decisions import with_keywords
from tagging_lambda.words.remap import remapped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from pipeline.listing import Listing
    from pipeline.messages import TagImage
    from pipeline.ports import Clock, ImageStore, RecordTable
    from pipeline.product_pattern import ProductPattern
    from tagging_lambda.classify import Classifier
    from tagging_lambda.words.classes_and_heads import KeywordMapper

TRIES = 3  # chosen by us: an image that changes more often goes back to its queue
CLOSING_S = 5.0  # chosen by us: for postponing messages and answering, two calls of the queue


class Outcome(StrEnum):
    """The result of reconciling an image."""

    TAGGED = "tagged"
    REJECTED = "rejected"
    GONE = "gone"
    UNCHANGED = "unchanged"


OutcomeOrError = Outcome | BaseException


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read of an image: its record, and the object or why there is none."""

    message: TagImage
    record: Record | None
    fetched: Fetched | ImageRejected


@dataclass(frozen=True)
class Reconciler:
    """Reconciles images with their records; ``log`` writes a line with fields."""

    images: ImageStore
    table: RecordTable
    cache: ClassificationCache
    mapper: KeywordMapper
    products: ProductPattern
    clock: Clock
    pool: Executor
    log: Callable[..., object] = lambda _, **__: None

    @property
    def classifier(self) -> Classifier:
        """The model that the keywords come from."""
        return self.cache.classifier

    def reconcile(
        self,
        messages: Iterable[TagImage],
        time_left_s: Callable[[], float] = lambda: math.inf,
        redelivered: Collection[ImageRef] = frozenset(),
    ) -> _Outcomes:
        """Reconcile each image once, however many messages name it, and return each outcome.

        An outcome that is an exception concerns that image alone: ``RetryLater`` and ``DeployerError`` ask for another
        try, ``UnreadableRecord`` for an operator, and anything else is a bug. Downloads run beside reading and
        classifying. No image is started without the time to finish it.

        Args:
            messages: what to reconcile.
            time_left_s: seconds until the function is stopped.
            redelivered: images of messages that were delivered before. An earlier write of these may still be in
            flight, so each gets a new revision even if nothing changed.
        """
        pending = _merge(messages)
        outcomes: _Outcomes = {}
        for _ in range(TRIES):
            outcomes |= self._reconcile_isolated(pending, time_left_s, redelivered)
            pending = {image: m for image, m in pending.items() if isinstance(outcomes[image], RevisionConflict)}
            if not pending or time_left_s() < LEAST_TIME_S:
                break
        return outcomes

    def _reconcile_isolated(
        self, messages: Mapping[ImageRef, TagImage], time_left_s: Callable[[], float], redelivered: Collection[ImageRef]
    ) -> _Outcomes:
        """Reconcile the images together; if a bug stops that, one by one, so that it costs no other image."""
        try:
            return self._reconcile_once(messages, time_left_s, redelivered)
        except Exception as error:  # noqa: BLE001 - it becomes the outcome of the image that causes it
            if len(messages) == 1:
                return dict.fromkeys(messages, error)
        alone = [self._reconcile_isolated({image: m}, time_left_s, redelivered) for image, m in messages.items()]
        return {image: outcome for outcomes in alone for image, outcome in outcomes.items()}

    def _reconcile_once(
        self, messages: Mapping[ImageRef, TagImage], time_left_s: Callable[[], float], redelivered: Collection[ImageRef]
    ) -> _Outcomes:
        # The record is read before the object: if the write then finds the record as it was, no newer observation is
        # overwritten (DECISIONS.md, 1).
        try:
            items = self.table.get_many(messages.keys())
        except (RetryLater, DeployerError) as error:
            return dict.fromkeys(messages, error)
        records = {image: item for image, item in items.items() if not isinstance(item, UnreadableItem)}
        outcomes: _Outcomes = dict.fromkeys(messages, NotBegun("the function's time is nearly over"))
        # An unreadable item must not be overwritten: it may hold people's decisions.
        unreadable = {i: UnreadableRecord(str(item)) for i, item in items.items() if isinstance(item, UnreadableItem)}
        outcomes |= unreadable
        fetches = {
            image: partial(self._fetch, message, records.get(image))
            for image, message in messages.items()
            if image not in unreadable
        }
        writes: dict[Future[Outcome], ImageRef] = {}
        for arrived in prefetch(fetches, self.pool, time_left_s):
            outcomes |= {image: error for image, error in arrived.items() if isinstance(error, BaseException)}
            readings = [reading for reading in arrived.values() if isinstance(reading, _Reading)]
            for image, result in self._classify(readings, time_left_s).items():
                settled = self._settle(result, records.get(image), is_redelivered=image in redelivered)
                if isinstance(settled, Future):
                    writes[settled] = image
                else:
                    outcomes[image] = settled
        return outcomes | _await_writes(writes, time_left_s() - CLOSING_S)

    def _settle(
        self, result: Record | Outcome | RetryLater, record: Record | None, *, is_redelivered: bool
    ) -> Future[Outcome] | Outcome | RetryLater:
        """Return the outcome of an image, or the pending write that decides it."""
        if isinstance(result, RetryLater):
            return result
        if not isinstance(result, Outcome):
            return self.pool.submit(self._write, result, record)
        if is_redelivered and record is not None:
            return self.pool.submit(self._renew, record, result)
        return result

    def _fetch(self, message: TagImage, record: Record | None) -> _Reading:
        is_known = record is not None and self._is_of_this_model(record)
        must_be_read = message.again and isinstance(record, RejectedImage)
        known = record.observation.etag if record and is_known and not must_be_read else None
        try:
            return _Reading(message, record, self.images.fetch(message.image, known, MAX_IMAGE_BYTES))
        except ImageRejected as rejected:
            return _Reading(message, record, rejected)

    def _is_of_this_model(self, record: Record) -> bool:
        """Return whether the record is of this model and projection, so that an unchanged photo is not read again."""
        projection = self.classifier.projection
        vector = record.vector if isinstance(record, TaggedImage) else None
        is_readable = projection is None or vector is None or vector.space == projection.space
        return is_readable and record.observation.model_version == self.classifier.card.version

    def _write(self, record: Record, stored: Record | None) -> Outcome:
        self._put(record, stored.revision if stored else 0)
        # Another worker may meanwhile have found the old record right. It wrote nothing, so no revision stops this
        # write: check the object once more (DECISIONS.md, 1).
        if stored is not None and self._has_changed(record):
            raise RevisionConflict(f"{record.observation.image} changed while it was reconciled")
        return _outcome_of(record)

    def _renew(self, record: Record, outcome: Outcome) -> Outcome:
        """Write the record unchanged, under a new revision, and return the outcome.

        A write of the earlier delivery may still be in flight: the new revision makes it fail (DECISIONS.md, 49).
        """
        self._put(record, record.revision)
        return outcome

    def _put(self, record: Record, seen_revision: int) -> None:
        """Write the record, and log a rejection: its name, its run and the reason, and nothing of the file."""
        self.table.put(record, seen_revision)
        if isinstance(record, RejectedImage):
            observation = record.observation
            self.log("rejected", image=str(observation.image), run=observation.run_id, reason=str(record.reason))

    def _has_changed(self, record: Record) -> bool:
        """Return whether the object is no longer the one in the record."""
        try:
            fetched = self.images.fetch(record.observation.image, record.observation.etag, 0)
        except TooLarge:
            return True
        except ImageRejected as rejected:
            return not (isinstance(record, RejectedImage) and record.reason == rejected.reason)
        return not isinstance(fetched, Gone if record.observation.etag is None else Unchanged)

    def _classify(
        self, readings: Sequence[_Reading], time_left_s: Callable[[], float]
    ) -> dict[ImageRef, Record | Outcome | RetryLater]:
        """Return the record to write for each image, or the outcome if there is nothing to write."""
        files = {
            reading.message.image: reading.fetched.data
            for reading in readings
            if isinstance(reading.fetched, FetchedImage)
        }
        for reading in readings:
            if reading.message.again and isinstance(reading.fetched, FetchedImage):
                self.cache.forget_rejection(reading.fetched.data)
        results = dict(zip(files, self.cache.classify([*files.values()], time_left_s), strict=True))
        return {
            reading.message.image: self._resolve(reading, results.get(reading.message.image)) for reading in readings
        }

    def _resolve(self, reading: _Reading, result: ContentResult | RetryLater | None) -> Record | Outcome | RetryLater:
        if isinstance(result, ObservedPhoto):
            return self._tagged(reading, result)
        if isinstance(result, RetryLater):
            return result
        if isinstance(result, ImageRejected):
            return self._rejected(reading, result)
        if isinstance(reading.fetched, ImageRejected):
            return self._rejected(reading, reading.fetched)
        return self._gone(reading) if isinstance(reading.fetched, Gone) else self._unchanged(reading)

    def _tagged(self, reading: _Reading, photo: ObservedPhoto) -> TaggedImage:
        observation = self._observe(reading)
        record = TaggedImage(
            observation=observation,
            keywords=(),
            class_scores=photo.class_scores,
            width_pixels=photo.width_pixels,
            height_pixels=photo.height_pixels,
            low_information=photo.low_information,
            previous=Previous.of(reading.record, observation.etag, observation.run_id),
            vector=photo.vector,
            facts=photo.facts,
        )
        keywords = self.mapper.keywords(photo.class_scores, photo.vector)
        return with_keywords(record, keywords, _decisions(reading), self.mapper.vocabulary)

    def _rejected(self, reading: _Reading, rejected: ImageRejected) -> RejectedImage | Outcome:
        observation = self._observe(reading)
        previous = Previous.of(reading.record, observation.etag, observation.run_id)
        record = RejectedImage(
            observation, rejected.reason, rejected.detail, decisions=_decisions(reading), previous=previous
        )
        return Outcome.UNCHANGED if _is_stored(record, reading.record) else record

    def _gone(self, reading: _Reading) -> GoneImage | Outcome:
        # An image without a record gets a tombstone too, so that a missing key has one outcome (DECISIONS.md, 3).
        if isinstance(reading.record, GoneImage):
            return Outcome.GONE
        return GoneImage(self._observe(reading), decisions=_decisions(reading))

    def _unchanged(self, reading: _Reading) -> Record | Outcome:
        """Return what must be written although the object is unchanged: new keywords, or another product."""
        record = reading.record
        if record is None:
            raise RuntimeError(f"{reading.message.image} is unchanged, but was never observed")
        renewed = record
        if isinstance(record, TaggedImage) and record.observation.taxonomy_version != self.mapper.version:
            renewed = remapped(record, self.mapper, reading.message.run_id)
        observation = replace(renewed.observation, product=self._product(reading), listing=_listing(reading))
        renewed = replace(renewed, observation=observation)
        return Outcome.UNCHANGED if renewed == record else renewed

    def _observe(self, reading: _Reading) -> Observation:
        read = reading.fetched if isinstance(reading.fetched, FetchedImage | TooLarge) else None
        return Observation(
            image=reading.message.image,
            product=self._product(reading),
            run_id=reading.message.run_id,
            observed_at=self.clock(),
            etag=read.etag if read else None,
            object_time=read.modified_at if read else None,
            model_version=self.classifier.card.version,
            taxonomy_version=self.mapper.version,
            listing=_listing(reading),
        )

    def _product(self, reading: _Reading) -> str:
        """Return the product that the message names, else the recorded one, else what the object itself names."""
        # The pattern on the key must not overrule an earlier manifest (DECISIONS.md, 9).
        if reading.message.product is not None:
            return reading.message.product
        if reading.record:
            return reading.record.observation.product
        named = reading.fetched.product if isinstance(reading.fetched, FetchedImage) else None
        return named or self.products.product_of(reading.message.image)


_Outcomes = dict["ImageRef", OutcomeOrError]


def _merge(messages: Iterable[TagImage]) -> dict[ImageRef, TagImage]:
    """Return one message for each image: the last one, with the last product that any of them names."""
    merged: dict[ImageRef, TagImage] = {}
    for message in messages:
        earlier = merged.get(message.image)
        product = message.product or (earlier.product if earlier else None)
        again = message.again or (earlier is not None and earlier.again)
        listing = message.listing or (earlier.listing if earlier else None)
        merged[message.image] = replace(message, product=product, again=again, listing=listing)
    return merged


def _await_writes(writes: dict[Future[Outcome], ImageRef], patience_s: float) -> _Outcomes:
    """Return the outcomes of the writes. One that takes too long is retried, because it may or may not succeed."""
    finished, hanging = wait(writes, max(0.0, min(patience_s, LONGEST_PATIENCE_S)))
    outcomes: _Outcomes = {writes[future]: future.exception() or future.result() for future in finished}
    for future in hanging:
        future.cancel()
    return outcomes | {
        writes[future]: RetryLater("the table did not answer in the function's time") for future in hanging
    }


def _listing(reading: _Reading) -> Listing:
    """Return what the message says of the product; else what is on record, as with the product's id."""
    if reading.message.listing is not None:
        return reading.message.listing
    return reading.record.observation.listing if reading.record else NO_LISTING


def _decisions(reading: _Reading) -> tuple[Decision, ...]:
    return reading.record.decisions if reading.record else ()


def _is_stored(record: RejectedImage, stored: Record | None) -> bool:
    """Return whether the same run has already recorded the same rejection.

    Another run's rejection is written again: without an ETag, only its time tells an audit that the newer object was
    observed.
    """
    if record.observation.etag is not None or stored is None:
        return False
    observation = replace(record.observation, observed_at=stored.observation.observed_at)
    return replace(record, observation=observation, revision=stored.revision) == stored


def _outcome_of(record: Record) -> Outcome:
    match record:
        case TaggedImage():
            return Outcome.TAGGED
        case RejectedImage():
            return Outcome.REJECTED
        case GoneImage() | UndoneImage():  # reconciling never produces the latter
            return Outcome.GONE
