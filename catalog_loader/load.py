"""Loads a catalogue: lists its images, selects those that are wanted, and sends a message for each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from catalog_loader.candidates import Candidate, CandidateCounts, list_candidates, skip_past
from catalog_loader.compare import ComparedImage, Standing, Versions, compared
from catalog_loader.inventory import Inventory
from catalog_loader.manifest import Manifest
from catalog_loader.send import Sender, Sent
from pipeline.messages import TagImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.images import BucketPrefix, ImageRef
    from pipeline.ports import ImageStore, RecordTable
    from pipeline.progress import Progress


class Only(StrEnum):
    """Which images are sent, where not all of them are."""

    MISSING = "missing"
    STALE = "stale"
    REJECTED = "rejected"

    def takes(self, image: ComparedImage) -> bool:
        """Return whether the image is one of these."""
        return image.was_rejected if self is Only.REJECTED else image.standing is Standing(self.value)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to load. No choice in ``only`` means every image; ``max_images`` is where to stop."""

    source: BucketPrefix | Manifest | Inventory
    run_id: str
    start_after: str = ""
    only: frozenset[Only] = frozenset()
    versions: Versions = field(default_factory=Versions)
    max_images: int | None = None


@dataclass
class Loaded:
    """Counts what was found, chosen and sent. At the end of a load, what was found was sent, skipped or failed."""

    candidates: CandidateCounts = field(default_factory=CandidateCounts)
    sent: Sent = field(default_factory=Sent)
    chosen: int = 0
    chosen_bytes: int | None = 0  # None where a manifest names them, which knows no sizes
    last_chosen: ImageRef | None = None
    reached_max: bool = False


@dataclass(frozen=True)
class Loader:
    """Sends the messages of a plan."""

    images: ImageStore
    table: RecordTable
    sender: Sender

    def load(self, plan: Plan, loaded: Loaded, progress: Progress) -> None:
        """Send a message for every image that the plan wants, counting in ``loaded``.

        Raises:
            CallerError: there is no such bucket, or no such image to start after.
            RetryLater: the listing, the table or the queue stopped answering.
        """
        wanted = self._wanted(plan, loaded, progress)
        messages = (TagImage(item.image, plan.run_id, item.product, item.again, item.listing) for item in wanted)
        self.sender.send(messages, loaded.sent)

    def rehearse(self, plan: Plan, loaded: Loaded, progress: Progress) -> None:
        """Count in ``loaded`` what ``load`` would send, and send nothing.

        Raises:
            CallerError: as for ``load``.
            RetryLater: as for ``load``.
        """
        for _ in self._wanted(plan, loaded, progress):
            pass

    def _wanted(self, plan: Plan, loaded: Loaded, progress: Progress) -> Iterator[Candidate]:
        pictures = loaded.candidates.pictures(self._candidates(plan, progress))
        for candidate in self._select(pictures, plan, loaded) if plan.only else pictures:
            if loaded.chosen == plan.max_images:
                loaded.reached_max = True
                return
            loaded.chosen += 1
            if loaded.chosen_bytes is not None:
                listed = candidate.listed
                loaded.chosen_bytes = None if listed is None else loaded.chosen_bytes + listed.size_bytes
            loaded.last_chosen = candidate.image
            yield candidate

    def _candidates(self, plan: Plan, progress: Progress) -> Iterator[Candidate]:
        # Progress counts candidates, not messages: of a catalogue that is up to date, nothing is sent.
        if isinstance(plan.source, Manifest | Inventory):
            return skip_past(plan.start_after, progress.over(plan.source.images()))
        return progress.over(list_candidates(self.images, plan.source, plan.start_after))

    def _select(self, pictures: Iterable[Candidate], plan: Plan, loaded: Loaded) -> Iterator[Candidate]:
        others = f"not {' or '.join(sorted(plan.only))}"
        for image in compared(pictures, self.table, plan.versions):
            if any(only.takes(image) for only in plan.only):
                yield replace(image.candidate, again=Only.REJECTED in plan.only and image.was_rejected)
            else:
                loaded.candidates.skipped_by[others] += 1
