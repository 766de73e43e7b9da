"""Loads a catalogue: finds its images, chooses those that are wanted, and asks for a look at each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from catalog_loader.compare import ComparedImage, Standing, Versions, compared
from catalog_loader.find import Found, FoundImage, behind, find_listed
from catalog_loader.manifest import Manifest
from catalog_loader.send import Sent
from pipeline.messages import TagImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from catalog_loader.send import Sender
    from pipeline.images import BucketPrefix, ImageRef
    from pipeline.ports import ImageStore, RecordTable
    from pipeline.progress import Progress


class Only(StrEnum):
    """Which images are sent, where not all of them are."""

    MISSING = "missing"
    STALE = "stale"
    REJECTED = "rejected"

    def takes(self, image: ComparedImage) -> bool:
        """Say whether the image is one of these."""
        return image.was_rejected if self is Only.REJECTED else image.standing is Standing(self.value)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to load. No choice in ``only`` means every image; ``max_images`` is where to stop."""

    source: BucketPrefix | Manifest
    run_id: str
    start_after: str = ""
    only: frozenset[Only] = frozenset()
    versions: Versions = field(default_factory=Versions)
    max_images: int | None = None


@dataclass
class Loaded:
    """Counts what was found, chosen and sent. At the end of a load, what was found was sent, skipped or failed."""

    found: Found = field(default_factory=Found)
    sent: Sent = field(default_factory=Sent)
    chosen: int = 0
    chosen_bytes: int | None = 0  # None where a manifest names them, which knows no sizes
    last_chosen: ImageRef | None = None
    reached_max: bool = False


@dataclass(frozen=True)
class Loader:
    """Carries out plans."""

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
        messages = (TagImage(one.image, plan.run_id, one.product, one.again) for one in wanted)
        self.sender.send(messages, loaded.sent)

    def rehearse(self, plan: Plan, loaded: Loaded, progress: Progress) -> None:
        """Count in ``loaded`` what ``load`` would send, and send nothing.

        Raises:
            CallerError: as for ``load``.
            RetryLater: as for ``load``.
        """
        for _ in self._wanted(plan, loaded, progress):
            pass

    def _wanted(self, plan: Plan, loaded: Loaded, progress: Progress) -> Iterator[FoundImage]:
        found = loaded.found.wanted(self._found(plan, progress))
        for one in self._chosen(found, plan, loaded) if plan.only else found:
            if loaded.chosen == plan.max_images:
                loaded.reached_max = True
                return
            loaded.chosen += 1
            if loaded.chosen_bytes is not None:
                loaded.chosen_bytes = None if one.listed is None else loaded.chosen_bytes + one.listed.size_bytes
            loaded.last_chosen = one.image
            yield one

    def _found(self, plan: Plan, progress: Progress) -> Iterator[FoundImage]:
        # What is found makes the progress, not what is sent: of a catalogue that is right already, nothing is.
        if isinstance(plan.source, Manifest):
            return behind(plan.start_after, progress.over(plan.source.images()))
        return progress.over(find_listed(self.images, plan.source, plan.start_after))

    def _chosen(self, found: Iterable[FoundImage], plan: Plan, loaded: Loaded) -> Iterator[FoundImage]:
        others = f"not {' or '.join(sorted(plan.only))}"
        for image in compared(found, self.table, plan.versions):
            if any(only.takes(image) for only in plan.only):
                yield replace(image.found, again=Only.REJECTED in plan.only and image.was_rejected)
            else:
                loaded.found.skipped_by[others] += 1
