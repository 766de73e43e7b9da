"""What the steps of an export in segments leave for each other, below the snapshot's own folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pipeline.coverage import FolderCoverage  # noqa: TC001 - as above
from results_sink.export.manifest import (
    SNAPSHOTS,
    ExportFile,
    PartFile,
    RecordCounts,
)


class Stage(StrEnum):
    """The stages of an export in segments. Those of one stage may run at once, and need all of the stage before."""

    SCAN = "scan"
    IMAGES = "images"
    POSTINGS = "postings"
    PUBLISH = "publish"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an export, as the event of a function says it; its number counts from 0 within the stage."""

    snapshot: str
    stage: Stage
    number: int = 0

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> Self:
        """Return the step of an event."""
        return cls(event["snapshot"], Stage(event["stage"]), event["number"])

    @property
    def report_name(self) -> str:
        """The name, from the export's root, of the report that says that this step is done."""
        return f"{step_folder(self.snapshot)}{self.stage}-{self.number:05d}.json"

    def sorted_name(self, reader: int, attempt: str) -> str:
        """Return the name of the rows that an attempt at this step leaves for a step of the next stage."""
        return f"{step_folder(self.snapshot)}{self.stage}-{self.number:05d}-{reader:05d}-{attempt}.run"


def step_folder(snapshot: str) -> str:
    """Return what the names of these files begin with, from the export's root."""
    return f"{SNAPSHOTS}{snapshot}/steps/"


def plan_name(snapshot: str) -> str:
    """Return the name of a plan from the export's root."""
    return f"{step_folder(snapshot)}plan.json"


@dataclass(frozen=True, slots=True)
class Plan(ExportFile):
    """What all steps of an export agree on.

    Attributes:
        snapshot: the name of the snapshot.
        began_at: when the scan began, by the store's clock.
        before: the snapshot that was published then; empty if none was.
        bounds: the first image of each range of images but the first one.
        vocabulary_version: of the words in the rows.
    """

    snapshot: str
    began_at: datetime
    before: str
    bounds: tuple[str, ...]
    vocabulary_version: str

    @property
    def segments(self) -> int:
        """How many steps each stage has but the last."""
        return len(self.bounds) + 1

    def steps(self, stage: Stage) -> list[Step]:
        """Return the steps of a stage."""
        return [Step(self.snapshot, stage, number) for number in range(self.segments)]


@dataclass(frozen=True, slots=True)
class SortedRows:
    """A file of sorted rows, by its name from the export's root."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(ExportFile):
    """What a step wrote; it is written last, and tells that the step is done (DECISIONS.md, 126).

    Attributes:
        ended_at: when the step had read what it reads, by the store's clock.
        sorted_rows: for steps of the next stage, by their numbers.
        parts: files of the snapshot.
        counts: of the records that were scanned.
        keywords: how many postings each keyword has; its position is its number in the sorted rows of a scan.
        model_versions: of the records.
        taxonomy_versions: likewise.
        coverage: of the images, in their order.
    """

    ended_at: datetime
    sorted_rows: dict[int, SortedRows] = field(default_factory=dict)
    parts: tuple[PartFile, ...] = ()
    counts: RecordCounts = field(default_factory=lambda: RecordCounts(0, {}, 0, 0))
    keywords: dict[str, int] = field(default_factory=dict)
    model_versions: tuple[str, ...] = ()
    taxonomy_versions: tuple[str, ...] = ()
    coverage: tuple[FolderCoverage, ...] = ()

    def rows_for(self, reader: int) -> int:
        """Return how many sorted rows there are for a step of the next stage."""
        return self.sorted_rows[reader].rows if reader in self.sorted_rows else 0
