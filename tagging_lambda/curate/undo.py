"""The verb undo: what one run wrote is taken back, and only that. People's decisions stay."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.records import GoneImage, Previous, RejectedImage, TaggedImage, UndoneImage
from tagging_lambda.words.decisions import with_keywords

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.keywords import Vocabulary
    from pipeline.ports import Clock
    from pipeline.records import Record
    from tagging_lambda.curate.rewrite import Rewrite, Rewriter

OFFENDERS = 10  # failures named, chosen by us


@dataclass
class Undone:
    """Counts what became of the images.

    Attributes:
        restored: images that have the keywords again that the run before gave them.
        emptied: images of which nothing was known before of the same photo: as if nobody had looked at them.
        gone: images that the run found gone, and that stay so: a bucket's truth is no run's opinion.
        others: images that another run wrote last; if this one wrote them before, that is forgotten.
    """

    restored: int = 0
    emptied: int = 0
    gone: int = 0
    others: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def found(self) -> int:
        """How many images the run wrote last."""
        return self.restored + self.emptied + self.gone + self.failed


@dataclass(frozen=True)
class Undoer:
    """Takes back one run."""

    rewriter: Rewriter
    run_id: str
    vocabulary: Vocabulary
    clock: Clock

    def undo(self, records: Iterable[Record], undone: Undone) -> Iterator[Record]:
        """Yield each record as it is now, having counted it. A second run goes on where the first one stopped."""
        for rewrite in self.rewriter.rewrite(records, self._changed):
            self._count(rewrite, undone)
            yield rewrite.after

    def _changed(self, record: Record) -> Record:
        if not isinstance(record, TaggedImage | RejectedImage):
            return record
        if record.observation.run_id == self.run_id:
            return self._taken_back(record)
        if record.previous and record.previous.run_id == self.run_id:
            return replace(record, previous=None)  # or undoing the later run would bring this one back
        return record

    def _taken_back(self, record: TaggedImage | RejectedImage) -> Record:
        # DECISIONS.md, 14
        if record.previous:
            return _restored(record, record.previous, self.vocabulary)
        # DECISIONS.md, 15
        # What a later look reads must not pass for a look: no object, no model, no taxonomy.
        observation = replace(
            record.observation,
            observed_at=self.clock(),
            etag=None,
            object_time=None,
            model_version="",
            taxonomy_version="",
        )
        return UndoneImage(observation, record.revision, record.decisions)

    def _count(self, rewrite: Rewrite, undone: Undone) -> None:
        before, after = rewrite.before, rewrite.after
        if rewrite.failure:
            undone.failed += 1
            undone.failures += [rewrite.failure][: OFFENDERS - len(undone.failures)]
        elif before.observation.run_id != self.run_id:
            undone.others += 1
        elif isinstance(before, GoneImage):
            undone.gone += 1
        elif isinstance(after, UndoneImage):
            undone.emptied += before != after
        else:
            undone.restored += 1


def _restored(record: TaggedImage | RejectedImage, before: Previous, vocabulary: Vocabulary) -> TaggedImage:
    observation = replace(
        record.observation,
        run_id=before.run_id,
        observed_at=before.observed_at,
        model_version=before.model_version,
        taxonomy_version=before.taxonomy_version,
    )
    restored = TaggedImage(
        observation=observation,
        keywords=(),
        class_scores=before.class_scores,
        width_pixels=before.width_pixels,
        height_pixels=before.height_pixels,
        low_information=before.low_information,
        facts=record.facts if isinstance(record, TaggedImage) else None,  # of the object, whichever run saw it
        revision=record.revision,
        # The object is the same, so what a model saw in it stays true, whichever run kept it.
        vector=record.vector if isinstance(record, TaggedImage) else None,
    )
    return with_keywords(restored, before.keywords, record.decisions, vocabulary)
