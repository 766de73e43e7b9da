"""Looks at images as they are now, and records what was seen."""

from __future__ import annotations

import math
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from pipeline.errors import DeployerError, ImageRejected, NotBegun, RetryLater, RevisionConflict, TooLarge
from pipeline.images import MAX_IMAGE_BYTES, FetchedImage, Gone, Unchanged
from pipeline.records import GoneImage, Observation, Previous, RejectedImage, TaggedImage, UndoneImage
from tagging_lambda.classification_cache import LEAST_TIME_S, Shown
from tagging_lambda.prefetch import LONGEST_PATIENCE_S, arrivals
from tagging_lambda.words.decisions import with_keywords
from tagging_lambda.words.remap import remapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.images import Fetched, ImageRef
    from pipeline.messages import TagImage
    from pipeline.ports import Clock, ImageStore, RecordTable
    from pipeline.records import Decision, Record
    from pipeline.settings import ProductPattern
    from tagging_lambda.classification_cache import ClassificationCache, Finding
    from tagging_lambda.classify import Classifier
    from tagging_lambda.words.keyword_mapper import KeywordMapper

LOOKS = 3  # chosen by us: an image that changes faster than this goes back to its queue
LAST_WORDS_S = 5.0  # chosen by us: to say what comes again and after which waits, two calls of the queue


class Outcome(StrEnum):
    """How a look at an image ended."""

    TAGGED = "tagged"
    REJECTED = "rejected"
    GONE = "gone"
    UNCHANGED = "unchanged"


OutcomeOrError = Outcome | BaseException


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a look has found so far: the record at rest, and the object or the reason why there is none."""

    ask: TagImage
    record: Record | None
    fetched: Fetched | ImageRejected


@dataclass(frozen=True)
class Reconciler:
    """Everything a look needs."""

    images: ImageStore
    table: RecordTable
    contents: ClassificationCache
    mapper: KeywordMapper
    products: ProductPattern
    clock: Clock
    pool: Executor

    @property
    def classifier(self) -> Classifier:
        """The model that the keywords come from."""
        return self.contents.classifier

    def reconcile(self, asks: Iterable[TagImage], time_left_s: Callable[[], float] = lambda: math.inf) -> _Outcomes:
        """Look at each image once, however often it is asked for, and return how each look ended.

        An outcome that is an exception is that image's alone: ``RetryLater`` asks for another look, anything else is
        a bug. Downloads run beside reading and classifying. No image is begun without the time to end it.
        """
        pending = _merged(asks)
        outcomes: _Outcomes = {}
        for _ in range(LOOKS):
            outcomes |= self._look_apart(pending, time_left_s)
            pending = {image: ask for image, ask in pending.items() if isinstance(outcomes[image], RevisionConflict)}
            if not pending or time_left_s() < LEAST_TIME_S:
                break
        return outcomes

    def _look_apart(self, asks: dict[ImageRef, TagImage], time_left_s: Callable[[], float]) -> _Outcomes:
        """Look at the images together; where a bug ends that, look at each alone, so that it costs no neighbour."""
        try:
            return self._look_once(asks, time_left_s)
        except Exception as error:  # noqa: BLE001 - it is the outcome of the image that brings it out, and told by it
            if len(asks) == 1:
                return dict.fromkeys(asks, error)
        alone = [self._look_apart({image: ask}, time_left_s) for image, ask in asks.items()]
        return {image: outcome for outcomes in alone for image, outcome in outcomes.items()}

    def _look_once(self, asks: dict[ImageRef, TagImage], time_left_s: Callable[[], float]) -> _Outcomes:
        # DECISIONS.md, 1
        # The record is read before the object: if the write then finds the record as it was, nothing newer was lost.
        try:
            at_rest = self.table.get_many(asks)
        except (RetryLater, DeployerError) as error:
            return dict.fromkeys(asks, error)
        writes: dict[Future[Outcome], ImageRef] = {}
        outcomes: _Outcomes = dict.fromkeys(asks, NotBegun("the function's time is nearly over"))
        fetches = {image: partial(self._fetch, ask, at_rest.get(image)) for image, ask in asks.items()}
        for arrived in arrivals(fetches, self.pool, time_left_s):
            outcomes |= {image: error for image, error in arrived.items() if isinstance(error, BaseException)}
            sights = [sight for sight in arrived.values() if isinstance(sight, _Sight)]
            for image, seen in self._seen(sights, time_left_s).items():
                if isinstance(seen, Outcome | RetryLater):
                    outcomes[image] = seen
                else:
                    writes[self.pool.submit(self._write, seen, at_rest.get(image))] = image
        return outcomes | _written(writes, time_left_s() - LAST_WORDS_S)

    def _fetch(self, ask: TagImage, record: Record | None) -> _Sight:
        is_known = record is not None and record.observation.model_version == self.classifier.card.version
        is_to_be_read = ask.again and isinstance(record, RejectedImage)
        known = record.observation.etag if record and is_known and not is_to_be_read else None
        try:
            return _Sight(ask, record, self.images.fetch(ask.image, known, MAX_IMAGE_BYTES))
        except ImageRejected as rejected:
            return _Sight(ask, record, rejected)

    def _write(self, record: Record, at_rest: Record | None) -> Outcome:
        self.table.put(record, at_rest.revision if at_rest else 0)
        # DECISIONS.md, 1
        # Others that found the record before right, while the bucket was so again, wrote nothing that would have
        # stopped this write: the bucket is asked whether it is still as this look has seen it.
        if at_rest is not None and self._has_changed(record):
            raise RevisionConflict(f"{record.observation.image} changed while it was looked at")
        return _ending(record)

    def _has_changed(self, record: Record) -> bool:
        """Return whether the object is another now than the one that the record tells of."""
        try:
            now = self.images.fetch(record.observation.image, record.observation.etag, 0)
        except TooLarge:
            return True
        except ImageRejected as rejected:
            return not (isinstance(record, RejectedImage) and record.reason == rejected.reason)
        return not isinstance(now, Gone if record.observation.etag is None else Unchanged)

    def _seen(
        self, sights: Sequence[_Sight], time_left_s: Callable[[], float]
    ) -> dict[ImageRef, Record | Outcome | RetryLater]:
        """Return the record to write of each image, or the outcome where there is nothing to write."""
        files = {sight.ask.image: sight.fetched.data for sight in sights if isinstance(sight.fetched, FetchedImage)}
        for sight in sights:
            if sight.ask.again and isinstance(sight.fetched, FetchedImage):
                self.contents.forget_rejection(sight.fetched.data)
        findings = dict(zip(files, self.contents.findings([*files.values()], time_left_s), strict=True))
        return {sight.ask.image: self._found(sight, findings.get(sight.ask.image)) for sight in sights}

    def _found(self, sight: _Sight, finding: Finding | RetryLater | None) -> Record | Outcome | RetryLater:
        if isinstance(finding, Shown):
            return self._tagged(sight, finding)
        if isinstance(finding, RetryLater):
            return finding
        if isinstance(finding, ImageRejected):
            return self._rejected(sight, finding)
        if isinstance(sight.fetched, ImageRejected):
            return self._rejected(sight, sight.fetched)
        return self._gone(sight) if isinstance(sight.fetched, Gone) else self._unchanged(sight)

    def _tagged(self, sight: _Sight, shown: Shown) -> TaggedImage:
        observation = self._look_of(sight)
        record = TaggedImage(
            observation=observation,
            keywords=(),
            class_scores=shown.class_scores,
            width_pixels=shown.width_pixels,
            height_pixels=shown.height_pixels,
            low_information=shown.low_information,
            facts=shown.facts,
            previous=Previous.of(sight.record, observation.etag, observation.run_id),
            vector=shown.vector,
        )
        keywords = self.mapper.keywords(shown.class_scores, shown.vector)
        return with_keywords(record, keywords, _decisions(sight), self.mapper.vocabulary)

    def _rejected(self, sight: _Sight, rejected: ImageRejected) -> RejectedImage | Outcome:
        observation = self._look_of(sight)
        previous = Previous.of(sight.record, observation.etag, observation.run_id)
        record = RejectedImage(
            observation, rejected.reason, rejected.detail, decisions=_decisions(sight), previous=previous
        )
        return Outcome.UNCHANGED if _rests_already(record, sight.record) else record

    def _gone(self, sight: _Sight) -> GoneImage | Outcome:
        # DECISIONS.md, 3
        if isinstance(sight.record, GoneImage):
            return Outcome.GONE
        return GoneImage(self._look_of(sight), decisions=_decisions(sight))

    def _unchanged(self, sight: _Sight) -> Record | Outcome:
        """Return what has to be written although the object is the same: other words for it, or another product."""
        record = sight.record
        if record is None:
            raise RuntimeError(f"{sight.ask.image} is unchanged, but was never seen")
        renewed = record
        if isinstance(record, TaggedImage) and record.observation.taxonomy_version != self.mapper.version:
            renewed = remapped(record, self.mapper, sight.ask.run_id)
        renewed = replace(renewed, observation=replace(renewed.observation, product=self._product(sight)))
        return Outcome.UNCHANGED if renewed == record else renewed

    def _look_of(self, sight: _Sight) -> Observation:
        seen = sight.fetched if isinstance(sight.fetched, FetchedImage | TooLarge) else None
        return Observation(
            image=sight.ask.image,
            product=self._product(sight),
            run_id=sight.ask.run_id,
            observed_at=self.clock(),
            etag=seen.etag if seen else None,
            object_time=seen.modified_at if seen else None,
            model_version=self.classifier.card.version,
            taxonomy_version=self.mapper.version,
        )

    def _product(self, sight: _Sight) -> str:
        """Return the product that the message names; else the one on record, which a manifest may have named."""
        # DECISIONS.md, 9
        if sight.ask.product is not None:
            return sight.ask.product
        return sight.record.observation.product if sight.record else self.products.product_of(sight.ask.image)


_Outcomes = dict["ImageRef", OutcomeOrError]


def _merged(asks: Iterable[TagImage]) -> dict[ImageRef, TagImage]:
    """Return one ask for each image: the last one, but with a product where any names one."""
    merged: dict[ImageRef, TagImage] = {}
    for ask in asks:
        before = merged.get(ask.image)
        product = ask.product or (before.product if before else None)
        merged[ask.image] = replace(ask, product=product, again=ask.again or (before is not None and before.again))
    return merged


def _written(writes: dict[Future[Outcome], ImageRef], patience_s: float) -> _Outcomes:
    """Return how the writes ended; one that takes too long comes again: whether it was carried out is seen then."""
    ended, hanging = wait(writes, max(0.0, min(patience_s, LONGEST_PATIENCE_S)))
    outcomes: _Outcomes = {writes[future]: future.exception() or future.result() for future in ended}
    for future in hanging:
        future.cancel()
    return outcomes | {
        writes[future]: RetryLater("the table did not answer in the function's time") for future in hanging
    }


def _decisions(sight: _Sight) -> tuple[Decision, ...]:
    return sight.record.decisions if sight.record else ()


def _rests_already(record: RejectedImage, at_rest: Record | None) -> bool:
    """Return whether the same run was refused the object before, in the same words.

    Another run's record says when: without an ETag, an audit knows by that alone that a newer object was looked at.
    """
    if record.observation.etag is not None or at_rest is None:
        return False
    observation = replace(record.observation, observed_at=at_rest.observation.observed_at)
    return replace(record, observation=observation, revision=at_rest.revision) == at_rest


def _ending(record: Record) -> Outcome:
    match record:
        case TaggedImage():
            return Outcome.TAGGED
        case RejectedImage():
            return Outcome.REJECTED
        case GoneImage() | UndoneImage():  # no look ends with the latter
            return Outcome.GONE
