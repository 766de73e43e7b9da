"""The verb undo: reverts what one run wrote, and only that. People's decisions stay."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.records import GoneImage, Previous, Record, RejectedImage, TaggedImage, UndoneImage
from pipeline.unreadable import UnreadableItem, UnreadableItems
from tagging_lambda.words.decisions import with_keywords

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.keywords import Vocabulary
    from pipeline.ports import Clock
    from tagging_lambda.curate.rewrite import Rewrite, Rewriter

OFFENDERS = 10  # failures named, chosen by us


@dataclass
class UndoCounts:
    """Counts the results by image.

    Attributes:
        run_id: the run to undo.
        restored: images with their keywords from the run before.
        emptied: images with an unknown photo before: as if never reconciled.
        gone: images that the run found gone. They stay so: that the photo is gone is a fact, not the run's opinion.
        others: images that another run wrote last; an earlier state of this run is dropped.
    """

    run_id: str
    restored: int = 0
    emptied: int = 0
    gone: int = 0
    others: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    unreadable: UnreadableItems = field(default_factory=UnreadableItems)

    @property
    def written_last(self) -> int:
        """How many images the run wrote last."""
        return self.restored + self.emptied + self.gone + self.failed

    def add(self, event: Rewrite | UnreadableItem) -> None:
        """Count the result for one image."""
        if isinstance(event, UnreadableItem):
            self.unreadable.add(event)
            return
        before, after = event.before, event.after
        if event.failure:
            self.failed += 1
            self.failures += [event.failure][: OFFENDERS - len(self.failures)]
        elif before.observation.run_id != self.run_id:
            self.others += 1
        elif isinstance(before, GoneImage):
            self.gone += 1
        elif isinstance(after, UndoneImage):
            self.emptied += before != after
        else:
            self.restored += 1


@dataclass(frozen=True)
class Undoer:
    """Undoes one run."""

    rewriter: Rewriter
    run_id: str
    vocabulary: Vocabulary
    clock: Clock

    def undo(self, records: Iterable[Record | UnreadableItem]) -> Iterator[Rewrite | UnreadableItem]:
        """Yield the result for each record. A second undo resumes where the first one stopped."""
        return self.rewriter.rewrite(records, self._change)

    def _change(self, record: Record) -> Record:
        if not isinstance(record, TaggedImage | RejectedImage):
            return record
        if record.observation.run_id == self.run_id:
            return self._take_back(record)
        if record.previous and record.previous.run_id == self.run_id:
            return replace(record, previous=None)  # otherwise undoing the later run would restore this one
        return record

    def _take_back(self, record: TaggedImage | RejectedImage) -> Record:
        # One run back is kept, so that a bad model can be undone without reading a photo (DECISIONS.md, 14).
        if record.previous:
            return _restored(record, record.previous, self.vocabulary)
        # The next reconcile must not take this for an observation, so it names no object, model or taxonomy; the record
        # stays because people's decisions do (DECISIONS.md, 15).
        observation = replace(
            record.observation,
            observed_at=self.clock(),
            etag=None,
            object_time=None,
            model_version="",
            taxonomy_version="",
        )
        return UndoneImage(observation, record.revision, record.decisions)


def _restored(record: TaggedImage | RejectedImage, previous: Previous, vocabulary: Vocabulary) -> TaggedImage:
    observation = replace(
        record.observation,
        run_id=previous.run_id,
        observed_at=previous.observed_at,
        model_version=previous.model_version,
        taxonomy_version=previous.taxonomy_version,
    )
    restored = TaggedImage(
        observation=observation,
        keywords=(),
        class_scores=previous.class_scores,
        width_pixels=previous.width_pixels,
        height_pixels=previous.height_pixels,
        low_information=previous.low_information,
        revision=record.revision,
        # The object is the same, so its vector stays valid, whichever run stored it.
        vector=record.vector if isinstance(record, TaggedImage) else None,
        facts=record.facts if isinstance(record, TaggedImage) else None,
    )
    return with_keywords(restored, previous.keywords, record.decisions, vocabulary)
