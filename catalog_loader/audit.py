"""Audits a catalogue: what lies in the bucket against the records, and these against the bucket and the export."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog_loader.candidates import Candidate, CandidateCounts, list_candidates
from catalog_loader.compare import (
    GAPS,
    OBJECTS_AHEAD,
    OBJECTS_AT_ONCE,
    ComparedImage,
    Standing,
    Versions,
    compared,
    is_gone,
    with_objects,
)
from catalog_loader.export_check import ExportComparison, with_export, with_export_in_any_order
from catalog_loader.image_set import ImageSet
from catalog_loader.inventory import Inventory
from catalog_loader.manifest import Manifest
from catalog_loader.redrive import release_all
from catalog_loader.send import OFFENDERS
from pipeline.ordered_map import map_in_order
from pipeline.records import Record, RejectedImage, TaggedImage
from pipeline.unreadable import UnreadableItem, UnreadableItems

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from pipeline.dead_letters import DeadLetter
    from pipeline.exported import OpenedExport
    from pipeline.images import BucketPrefix, ImageRef
    from pipeline.ports import DeadLetters, ImageStore, MessageQueue, RecordTable
    from pipeline.progress import Progress

SEEMING_GAPS = frozenset({Standing.MISSING, Standing.STALE})  # by what was listed; the object itself may be another
MAX_DEAD_LETTERS = 100_000  # of each queue are read; chosen by us: Amazon SQS hides 120,000 at a time
DELETED_SINCE = "deleted since the inventory"  # how the report calls images that only an inventory shows any more


@dataclass
class Audit:
    """What an audit found. Every image that is listed is tagged, rejected, dead-lettered, missing or stale.

    Of a manifest (``names_images``), every image that it names is one of these, orphaned, or absent.
    """

    found: CandidateCounts = field(default_factory=CandidateCounts)
    standings: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    hidden_letters: int = 0  # somebody else received them, or a command that was stopped; seen again within minutes
    unread_letters: int = 0  # about so many could not be had
    unreadable_letters: int = 0
    letter_errors: list[str] = field(default_factory=list)  # what the first unreadable letters died of
    unreadable: UnreadableItems = field(default_factory=UnreadableItems)
    offenders: dict[str, list[ImageRef]] = field(default_factory=lambda: {gap: [] for gap in GAPS})
    export: ExportComparison | None = None  # None where the export is left out
    names_images: bool = False

    def numbers(self) -> dict[str, int]:
        """Return the counts by name."""
        absent = {str(Standing.ABSENT): self.standings[Standing.ABSENT]} if self.names_images else {}
        return {
            "listed": self.found.count - self.found.skipped,
            "tagged": self.standings[Standing.TAGGED],
            "rejected": self.standings[Standing.REJECTED],
            "dead_lettered": self.standings[Standing.DEAD_LETTERED] + self.unreadable_letters,
            "waiting": self.waiting,
            "missing": self.standings[Standing.MISSING],
            "stale": self.standings[Standing.STALE],
            "orphaned": self.standings[Standing.ORPHANED],
            "unreadable": self.unreadable.count,
            **absent,
        }

    @property
    def has_gap(self) -> bool:
        """Whether anything is not as it should be, or cannot be seen."""
        in_export = self.export is not None and self.export.has_gap
        is_blind = self.hidden_letters > 0 or self.unread_letters > 0
        return any(self.numbers().get(gap) for gap in GAPS) or is_blind or in_export

    def add_unreadable(self, item: UnreadableItem) -> None:
        """Count an item of the table that cannot be read. It has no other standing, and nothing is enqueued for it."""
        self.unreadable.add(item)
        if item.image:
            self.add(Standing.UNREADABLE, item.image)

    def add(self, standing: str, image: ImageRef) -> None:
        """Count an image, and name it if it is one of the first that are not as they should be."""
        self.standings[standing] += 1
        if standing in GAPS and len(self.offenders[standing]) < OFFENDERS:
            self.offenders[standing].append(image)


@dataclass(frozen=True)
class Auditor:
    """Carries out audits. Memory grows by eight bytes an image that is listed, and by the dead letters."""

    images: ImageStore
    table: RecordTable
    queues: Sequence[MessageQueue]
    dead_letters: Sequence[DeadLetters]
    exported: OpenedExport | None = None
    sleep: Callable[[float], object] = time.sleep

    def audit(
        self, source: BucketPrefix | Manifest | Inventory, versions: Versions, audit: Audit, progress: Progress
    ) -> Iterator[Candidate]:
        """Yield the images whose gap another reconciliation would close, counting everything in ``audit``.

        Those are the missing, the stale and the orphaned; what is dead is redriven instead. Messages that wait have
        no names, so an image that waits is counted as missing or stale as well. Of a manifest, each image that it
        names is compared with its record and its object; the export and all other records are left out. An inventory
        is a listing of days ago: the bucket itself is asked about the images that seem to have a gap.

        Raises:
            CallerError: there is no such bucket, or a part of the manifest or inventory cannot be used.
            RetryLater: the bucket, the table or a queue stopped answering.
            BadExport: a file of the export was removed or damaged since it was opened.
        """
        # Waiting messages are counted and not read: reading would hide them from the workers (DECISIONS.md, 17).
        depths = [queue.depth() for queue in self.queues]
        audit.waiting = sum(depth.waiting + depth.in_flight for depth in depths)
        dead = self._dead_images(audit)
        if isinstance(source, Manifest):
            audit.names_images = True
            named = compared(audit.found.pictures(source.images()), self.table, versions)
            yield from self._gaps(progress.over(with_objects(named, self.images, versions)), dead, audit)
        else:
            yield from self._audit_place(source, versions, dead, audit, progress)

    def _audit_place(
        self,
        source: BucketPrefix | Inventory,
        versions: Versions,
        dead: Collection[ImageRef],
        audit: Audit,
        progress: Progress,
    ) -> Iterator[Candidate]:
        names, compare_export = ImageSet(), with_export
        if isinstance(source, Inventory):
            prefix, listed, compare_export = source.wanted, source.images(), with_export_in_any_order
        else:
            prefix, listed = source, list_candidates(self.images, source)
        images = compared(audit.found.pictures(names.noted(listed)), self.table, versions)
        if isinstance(source, Inventory):
            images = self._as_now(images, versions, audit)
        if self.exported:
            audit.export = ExportComparison.of(self.exported)
        if audit.export and audit.export.images:
            images = compare_export(images, audit.export.images.below(prefix), self.table, audit.export)
        yield from self._gaps(progress.over(images), dead, audit)
        yield from self._orphans(prefix, names, audit, progress)
        if audit.export:
            audit.export.settle(self.table, self.sleep)

    def _as_now(self, images: Iterable[ComparedImage], versions: Versions, audit: Audit) -> Iterator[ComparedImage]:
        # An inventory is old: what came, changed or went since would all be gaps (DECISIONS.md, 127).
        for image in with_objects(images, self.images, versions, only=SEEMING_GAPS):
            if image.standing is Standing.ABSENT:
                audit.found.skipped_by[DELETED_SINCE] += 1
            else:
                yield image

    def _gaps(self, images: Iterable[ComparedImage], dead: Collection[ImageRef], audit: Audit) -> Iterator[Candidate]:
        """Count every image, and yield those whose gap another reconciliation would close."""
        for image in images:
            is_open = image.standing in {*SEEMING_GAPS, Standing.ORPHANED}
            if isinstance(image.record, UnreadableItem):
                audit.add_unreadable(image.record)
                continue
            is_dead = is_open and image.candidate.image in dead
            audit.add(Standing.DEAD_LETTERED if is_dead else image.standing, image.candidate.image)
            if is_open and not is_dead:
                yield image.candidate

    def _dead_images(self, audit: Audit) -> set[ImageRef]:
        dead: set[ImageRef] = set()
        for queue in self.dead_letters:
            depth = queue.depth()
            letters, is_all = peeked(queue)
            audit.hidden_letters += depth.in_flight
            audit.unread_letters += 0 if is_all else max(depth.waiting - len(letters), 0)
            for letter in letters:
                dead.update(letter.images)
                if not letter.images:
                    audit.unreadable_letters += 1
                    audit.letter_errors += [letter.error or letter.reason][: OFFENDERS - len(audit.letter_errors)]
        return dead

    def _orphans(self, prefix: BucketPrefix, names: ImageSet, audit: Audit, progress: Progress) -> Iterator[Candidate]:
        names.sort()
        strangers = self._strangers(prefix, names, audit, progress)

        # The bucket itself is asked: the image may have come since the listing went by.
        def look_up(record: Record) -> tuple[ImageRef, bool]:
            return record.observation.image, is_gone(record, self.images)

        for image, gone in map_in_order(look_up, strangers, at_once=OBJECTS_AT_ONCE, ahead=OBJECTS_AHEAD):
            if gone:
                audit.add(Standing.ORPHANED, image)
                yield Candidate(image)

    def _strangers(self, prefix: BucketPrefix, names: ImageSet, audit: Audit, progress: Progress) -> Iterator[Record]:
        """Yield the records of images that were not listed, and count those that cannot be read."""
        for item in progress.over(self.table.scan()):
            image = item.image if isinstance(item, UnreadableItem) else item.observation.image
            # What was listed is counted already. An item whose key names no image may be of any place.
            if image and (not _is_inside(image, prefix) or image in names):
                continue
            if isinstance(item, UnreadableItem):
                audit.add_unreadable(item)
            elif isinstance(item, TaggedImage | RejectedImage):
                yield item


def _is_inside(image: ImageRef, prefix: BucketPrefix) -> bool:
    return image.bucket == prefix.bucket and image.key.startswith(prefix.prefix)


def peeked(queue: DeadLetters) -> tuple[list[DeadLetter], bool]:
    """Return the letters of the queue, each once, and whether these are all of them; and let them be seen again."""
    letters: dict[str, DeadLetter] = {}
    is_all = False
    try:
        while len(letters) < MAX_DEAD_LETTERS:
            batch = queue.receive()
            fresh = [letter for letter in batch if letter.id not in letters]
            letters |= {letter.id: letter for letter in batch}
            if not fresh:  # none is left, or the first ones are seen again
                is_all = not batch
                break
    finally:
        release_all(queue, letters.values())
    return list(letters.values()), is_all
