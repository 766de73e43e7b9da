"""People's decisions, as they are wished for and as they come to rest on records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from pipeline.images import ImageRef
from pipeline.records import MAX_DECISIONS, Decision, DecisionKind, KeywordAction, TaggedImage
from tagging_lambda.words.decisions import with_keywords

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pipeline.keywords import Vocabulary
    from pipeline.ports import Clock, RecordTable
    from pipeline.records import Record
    from tagging_lambda.curate.rewrite import Rewriter

READ_BATCH = 100  # records read at a time: the most Amazon DynamoDB permits in one call
OFFENDERS = 10  # how many of what went wrong are named; chosen by us: enough to see what they have in common


@dataclass(frozen=True, slots=True)
class Wish:
    """An action on one keyword, of one image or of all images of the product with this id."""

    action: KeywordAction
    keyword_id: str
    of: ImageRef | str


@dataclass
class Decided:
    """Counts what became of the wishes, by image."""

    changed: int = 0
    unchanged: int = 0
    unknown: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Decider:
    """Applies wishes to the records at rest."""

    table: RecordTable
    rewriter: Rewriter
    vocabulary: Vocabulary
    clock: Clock
    by: str = ""

    def by_image(self, wishes: Iterable[Wish], unknown: list[str]) -> dict[ImageRef, list[Wish]]:
        """Return the wishes of each image, in the order given; a product without images is named in ``unknown``.

        A wish for a product is one for each image that it has now; an image that comes later is not decided about.
        """
        by_image: dict[ImageRef, list[Wish]] = {}
        products: dict[str, tuple[ImageRef, ...]] = {}
        for wish in wishes:
            for image in self._images(wish.of, products, unknown):
                by_image.setdefault(image, []).append(wish)
        return by_image

    def _images(
        self, of: ImageRef | str, products: dict[str, tuple[ImageRef, ...]], unknown: list[str]
    ) -> tuple[ImageRef, ...]:
        if isinstance(of, ImageRef):
            return (of,)
        if of not in products:
            products[of] = tuple(record.observation.image for record in self.table.of_product(of))
            if not products[of]:
                unknown.append(f"product {of}")
        return products[of]

    def decide(self, wishes: Mapping[ImageRef, Sequence[Wish]], decided: Decided) -> Iterator[Record]:
        """Yield each image's record as it is now, having counted in ``decided`` what became of it.

        Raises:
            CallerError: an image would have more decisions than the limit.
        """
        now = self.clock()

        def change(record: Record) -> Record:
            decisions = record.decisions
            for wish in wishes[record.observation.image]:
                decisions = _decide(decisions, wish, now, self.by)
            return _apply(record, decisions, self.vocabulary)

        for rewrite in self.rewriter.rewrite(self._records(wishes, decided), change):
            if rewrite.failure:
                decided.failed.append(rewrite.failure)
            elif rewrite.is_change:
                decided.changed += 1
            else:
                decided.unchanged += 1
            yield rewrite.after

    def _records(self, images: Iterable[ImageRef], decided: Decided) -> Iterator[Record]:
        waiting = iter(images)
        while batch := list(islice(waiting, READ_BATCH)):
            records = self.table.get_many(batch)
            decided.unknown += [str(image) for image in batch if image not in records]
            yield from (records[image] for image in batch if image in records)


_KINDS = {KeywordAction.PIN: DecisionKind.PIN, KeywordAction.SUPPRESS: DecisionKind.SUPPRESS}


def _decide(decisions: tuple[Decision, ...], wish: Wish, now: datetime, by: str) -> tuple[Decision, ...]:
    """Return the decisions after the wish: the newest of a keyword stands alone, at the end."""
    kind = _KINDS.get(wish.action)
    if any(decision.keyword_id == wish.keyword_id and decision.kind == kind for decision in decisions):
        return decisions
    others = tuple(decision for decision in decisions if decision.keyword_id != wish.keyword_id)
    return others if kind is None else (*others, Decision(wish.keyword_id, kind, now, by))


def _apply(record: Record, decisions: tuple[Decision, ...], vocabulary: Vocabulary) -> Record:
    if len(decisions) > MAX_DECISIONS:
        count = f"{record.observation.image} would have {len(decisions):,} decisions"
        raise CallerError(f"{count}; the limit is {MAX_DECISIONS}")
    if decisions == record.decisions:
        return record
    if isinstance(record, TaggedImage):
        return with_keywords(record, record.model_keywords, decisions, vocabulary)
    return replace(record, decisions=decisions)
