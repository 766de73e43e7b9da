"""The verb retag: the keywords of the whole table follow today's taxonomy, from what the records keep."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.records import TaggedImage
from tagging_lambda.words.remap import remapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.records import Record
    from tagging_lambda.curate.rewrite import Rewrite, Rewriter
    from tagging_lambda.words.keyword_mapper import KeywordMapper

EXAMPLES = 5  # images shown, chosen by us
OFFENDERS = 10  # failures named, chosen by us


@dataclass(frozen=True, slots=True)
class Example:
    """One image whose keywords change: ids before and after."""

    image: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass
class Retagged:
    """Counts what became of the images.

    Attributes:
        touched: images that gain or lose a keyword.
        rescored: images that keep their keywords, with other scores or sources.
        same: images whose keywords are the same under the new taxonomy.
        current: images that were under the new taxonomy already.
        other_model: images whose class scores are of another model, so that they must be looked at again.
        untagged: images that are rejected, gone or undone, and have no class scores.
        gained: per keyword id, the images that gain it.
        lost: per keyword id, the images that lose it.
    """

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


@dataclass(frozen=True)
class Retagger:
    """Applies a taxonomy to records whose class scores are of one model.

    Attributes:
        rewriter: writes the records, or only says what would be written.
        mapper: taxonomy and heads, made for the classes of that model.
        model_version: of that model.
        run_id: what changes is this run's.
        everything: also applies the taxonomy where its version is on record already: its rules may have changed.
    """

    rewriter: Rewriter
    mapper: KeywordMapper
    model_version: str
    run_id: str
    everything: bool = False

    def retag(self, records: Iterable[Record], retagged: Retagged) -> Iterator[Record]:
        """Yield each record as it is now, having counted it. A second run goes on: what is done is passed over."""
        for rewrite in self.rewriter.rewrite(records, self._changed):
            self._count(rewrite, retagged)
            yield rewrite.after

    def _changed(self, record: Record) -> Record:
        if not isinstance(record, TaggedImage) or record.observation.model_version != self.model_version:
            return record
        if record.observation.taxonomy_version == self.mapper.version and not self.everything:
            return record
        return remapped(record, self.mapper, self.run_id)

    def _count(self, rewrite: Rewrite, retagged: Retagged) -> None:
        before, after = rewrite.before, rewrite.after
        if rewrite.failure:
            retagged.failed += 1
            retagged.failures += [rewrite.failure][: OFFENDERS - len(retagged.failures)]
        elif not isinstance(before, TaggedImage) or not isinstance(after, TaggedImage):
            retagged.untagged += 1
        elif before.observation.model_version != self.model_version:
            retagged.other_model += 1
        elif before == after:
            retagged.current += 1
        elif before.keywords == after.keywords:
            retagged.same += 1
        else:
            _compare(before, after, retagged)


def _compare(before: TaggedImage, after: TaggedImage, retagged: Retagged) -> None:
    old, new = _ids(before), _ids(after)
    if set(old) == set(new):
        retagged.rescored += 1
        return
    retagged.touched += 1
    retagged.gained.update(each for each in new if each not in old)
    retagged.lost.update(each for each in old if each not in new)
    if len(retagged.examples) < EXAMPLES:
        retagged.examples.append(Example(str(before.observation.image), old, new))


def _ids(record: TaggedImage) -> tuple[str, ...]:
    return tuple(tag.keyword_id for tag in record.keywords)
