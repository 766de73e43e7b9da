"""The verbs pin, suppress and release: turn people's wishes into decisions on records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.batches import batched
from pipeline.errors import CallerError
from pipeline.records import MAX_DECISIONS, Decision, DecisionKind, KeywordAction, Record, TaggedImage
from pipeline.unreadable import UnreadableItem
from tagging_lambda.curate.rewrite import Rewrite, Rewriter
from tagging_lambda.words.decisions import with_keywords

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pipeline.images import ImageRef
    from pipeline.keywords import Vocabulary
    from pipeline.ports import Clock, RecordTable

READ_BATCH = 100  # records read at a time: DynamoDB's limit for one call


@dataclass(frozen=True, slots=True)
class Wish:
    """An action on one keyword, of one image or of all images of a product."""

    action: KeywordAction
    keyword_id: str
    of: ImageRef | str


@dataclass(frozen=True, slots=True)
class UnknownTarget:
    """An image or a product without a record, so that nothing can be decided about it."""

    name: str


DecisionEvent = Rewrite | UnreadableItem | UnknownTarget


@dataclass
class DecisionCounts:
    """Counts the results of wishes, by image."""

    changed: int = 0
    unchanged: int = 0
    unknown: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, event: DecisionEvent) -> None:
        """Count the result for one image or product."""
        match event:
            case UnknownTarget():
                self.unknown.append(event.name)
            case UnreadableItem():
                self.failed.append(str(event))
            case Rewrite(failure="", is_change=True):
                self.changed += 1
            case Rewrite(failure=""):
                self.unchanged += 1
            case Rewrite():
                self.failed.append(event.failure)


@dataclass(frozen=True, slots=True)
class ResolvedWishes:
    """The wishes of each image, in order, and the products without an image on record."""

    by_image: Mapping[ImageRef, Sequence[Wish]]
    unknown: tuple[UnknownTarget, ...] = ()


@dataclass(frozen=True)
class Decider:
    """Applies wishes to records."""

    table: RecordTable
    rewriter: Rewriter
    vocabulary: Vocabulary
    clock: Clock
    by: str = ""

    def resolve(self, wishes: Iterable[Wish]) -> ResolvedWishes:
        """Return the wishes by image.

        A product's images are those on record now: later images follow the model.
        """
        by_image: dict[ImageRef, list[Wish]] = {}
        products: dict[str, tuple[ImageRef, ...]] = {}
        for wish in wishes:
            if isinstance(wish.of, str) and wish.of not in products:
                products[wish.of] = self._images_of(wish.of)
            for image in products[wish.of] if isinstance(wish.of, str) else (wish.of,):
                by_image.setdefault(image, []).append(wish)
        unknown = tuple(UnknownTarget(f"product {product}") for product, images in products.items() if not images)
        return ResolvedWishes(by_image, unknown)

    def _images_of(self, product: str) -> tuple[ImageRef, ...]:
        items = self.table.of_product(product)
        images = (item.image if isinstance(item, UnreadableItem) else item.observation.image for item in items)
        return tuple(image for image in images if image)

    def decide(self, wishes: ResolvedWishes) -> Iterator[DecisionEvent]:
        """Yield the result for each image, and each unknown product.

        Raises:
            CallerError: an image would have more decisions than the limit.
        """
        decided_at = self.clock()

        def change(record: Record) -> Record:
            decisions = record.decisions
            for wish in wishes.by_image[record.observation.image]:
                decisions = _with_wish(decisions, wish, decided_at, self.by)
            return _with_decisions(record, decisions, self.vocabulary)

        yield from wishes.unknown
        for batch in batched(wishes.by_image, READ_BATCH):
            items = self.table.get_many(batch)
            yield from (UnknownTarget(str(image)) for image in batch if image not in items)
            yield from self.rewriter.rewrite((items[image] for image in batch if image in items), change)


_KINDS = {KeywordAction.PIN: DecisionKind.PIN, KeywordAction.SUPPRESS: DecisionKind.SUPPRESS}


def _with_wish(decisions: tuple[Decision, ...], wish: Wish, decided_at: datetime, by: str) -> tuple[Decision, ...]:
    """Return the decisions after the wish: a keyword's newest replaces its older one, at the end."""
    kind = _KINDS.get(wish.action)
    if any(decision.keyword_id == wish.keyword_id and decision.kind == kind for decision in decisions):
        return decisions
    others = tuple(decision for decision in decisions if decision.keyword_id != wish.keyword_id)
    return others if kind is None else (*others, Decision(wish.keyword_id, kind, decided_at, by))


def _with_decisions(record: Record, decisions: tuple[Decision, ...], vocabulary: Vocabulary) -> Record:
    if len(decisions) > MAX_DECISIONS:
        count = f"{record.observation.image} would have {len(decisions):,} decisions"
        raise CallerError(f"{count}; the limit is {MAX_DECISIONS}")
    if decisions == record.decisions:
        return record
    if isinstance(record, TaggedImage):
        return with_keywords(record, record.model_keywords, decisions, vocabulary)
    return replace(record, decisions=decisions)
