"""Which records become rows of ``images/``, and the counts and keywords of those that do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.keywords import Source
from pipeline.records import GoneImage, Record, RejectedImage, TaggedImage, UndoneImage
from pipeline.unreadable import UnreadableItem
from results_sink.export.manifest import RecordCounts

Kept = TaggedImage | RejectedImage


class RecordSource(Protocol):
    """What yields records: a table, an export, or files that are being tagged."""

    def scan(self) -> Iterator[Record | UnreadableItem]:
        """Yield every record once, in no order."""
        ...


SOURCES = tuple(Source)


@dataclass(slots=True)
class KeywordLists:
    """The keywords of some images, concatenated: those of image ``i`` go from ``offsets[i]`` to ``offsets[i + 1]``.

    Keywords and sources are numbers: the keyword's in ``ExportStats``, and the source's index in ``SOURCES``.
    """

    offsets: list[int] = field(default_factory=lambda: [0])
    numbers: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)


@dataclass
class ExportStats:
    """Counts records and keywords, and numbers the keywords as they are first seen."""

    tagged: int = 0
    gone: int = 0
    undone: int = 0
    unreadable: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    model_versions: set[str] = field(default_factory=set)
    taxonomy_versions: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)
    postings: Counter[int] = field(default_factory=Counter)

    @property
    def counts(self) -> RecordCounts:
        """The counts so far."""
        return RecordCounts(self.tagged, dict(sorted(self.rejected.items())), self.gone, self.undone, self.unreadable)

    def select(self, records: Iterable[Record | UnreadableItem]) -> Iterator[Kept]:
        """Count all records, and yield those that become rows."""
        for record in records:
            match record:
                case TaggedImage():
                    self.tagged += 1
                case RejectedImage():
                    self.rejected[str(record.reason)] += 1
                case GoneImage():
                    self.gone += 1
                case UndoneImage():
                    self.undone += 1
                case UnreadableItem():
                    self.unreadable += 1
            if isinstance(record, TaggedImage | RejectedImage):
                self.model_versions.add(record.observation.model_version)
                self.taxonomy_versions.add(record.observation.taxonomy_version)
                yield record

    def add(self, counts: RecordCounts, model_versions: Iterable[str], taxonomy_versions: Iterable[str]) -> None:
        """Count records that were counted elsewhere."""
        self.tagged += counts.tagged
        self.rejected.update(counts.rejected)
        self.gone += counts.gone
        self.undone += counts.undone
        self.unreadable += counts.unreadable
        self.model_versions.update(model_versions)
        self.taxonomy_versions.update(taxonomy_versions)

    def numbers_of(self, keyword_ids: Iterable[str]) -> list[int]:
        """Return the numbers of these keywords; new keywords get the next numbers."""
        return [self.numbers.setdefault(keyword_id, len(self.numbers)) for keyword_id in keyword_ids]

    def keyword_lists(self, records: Sequence[Kept]) -> KeywordLists:
        """Count and return the keywords of these records; a rejected image has none."""
        lists = KeywordLists()
        for record in records:
            for tag in record.keywords if isinstance(record, TaggedImage) else ():
                lists.numbers.append(self.numbers.setdefault(tag.keyword_id, len(self.numbers)))
                lists.scores.append(tag.score)
                lists.sources.append(SOURCES.index(tag.source))
            lists.offsets.append(len(lists.numbers))
        self.postings.update(lists.numbers)
        return lists
