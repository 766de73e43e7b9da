"""The verb retag: applies today's taxonomy to the whole table, from the stored class scores and vectors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.records import Record, TaggedImage
from pipeline.unreadable import UnreadableItem, UnreadableItems
from tagging_lambda.words.remap import remapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tagging_lambda.curate.rewrite import Rewrite, Rewriter
    from tagging_lambda.words.classes_and_heads import KeywordMapper

EXAMPLES = 5  # images shown, chosen by us
OFFENDERS = 10  # failures named, chosen by us


@dataclass(frozen=True, slots=True)
class Example:
    """One image with changed keywords: ids before and after."""

    image: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass
class RetagCounts:
    """Counts the results by image.

    Attributes:
        model_version: the model whose class scores the taxonomy was applied to.
        touched: images that gain or lose a keyword.
        rescored: images that keep their keywords, with other scores or sources.
        same: images with the same keywords under the new taxonomy.
        current: images already under the new taxonomy.
        other_model: images whose class scores are of another model, so that they must be reconciled again.
        untagged: images that are rejected, gone or undone, and have no class scores.
        gained: per keyword id, the images that gain it.
        lost: per keyword id, the images that lose it.
    """

    model_version: str
    touched: int = 0
    rescored: int = 0
    same: int = 0
    current: int = 0
    other_model: int = 0
    untagged: int = 0
    failed: int = 0
    gained: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    unreadable: UnreadableItems = field(default_factory=UnreadableItems)

    def add(self, event: Rewrite | UnreadableItem) -> None:
        """Count the result for one image."""
        if isinstance(event, UnreadableItem):
            self.unreadable.add(event)
            return
        before, after = event.before, event.after
        if event.failure:
            self.failed += 1
            self.failures += [event.failure][: OFFENDERS - len(self.failures)]
        elif not isinstance(before, TaggedImage) or not isinstance(after, TaggedImage):
            self.untagged += 1
        elif before.observation.model_version != self.model_version:
            self.other_model += 1
        elif before == after:
            self.current += 1
        elif before.keywords == after.keywords:
            self.same += 1
        else:
            self._compare(before, after)

    def _compare(self, before: TaggedImage, after: TaggedImage) -> None:
        old, new = _ids(before), _ids(after)
        if set(old) == set(new):
            self.rescored += 1
            return
        self.touched += 1
        self.gained.update(keyword_id for keyword_id in new if keyword_id not in old)
        self.lost.update(keyword_id for keyword_id in old if keyword_id not in new)
        if len(self.examples) < EXAMPLES:
            self.examples.append(Example(str(before.observation.image), old, new))


@dataclass(frozen=True)
class Retagger:
    """Applies a taxonomy to records whose class scores are of one model.

    Attributes:
        rewriter: writes the records, or only says what would be written.
        mapper: taxonomy and heads, made for the classes of that model.
        model_version: of that model.
        run_id: the run that changed records are attributed to.
        everything: whether to apply it even if its version is on record already: its rules may have changed.
    """

    rewriter: Rewriter
    mapper: KeywordMapper
    model_version: str
    run_id: str
    everything: bool = False

    def retag(self, records: Iterable[Record | UnreadableItem]) -> Iterator[Rewrite | UnreadableItem]:
        """Yield the result for each record. A second run resumes where the first stopped, skipping finished records."""
        return self.rewriter.rewrite(records, self._change)

    def _change(self, record: Record) -> Record:
        if not isinstance(record, TaggedImage) or record.observation.model_version != self.model_version:
            return record
        if record.observation.taxonomy_version == self.mapper.version and not self.everything:
            return record
        return remapped(record, self.mapper, self.run_id)


def _ids(record: TaggedImage) -> tuple[str, ...]:
    return tuple(tag.keyword_id for tag in record.keywords)
