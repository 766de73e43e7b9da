"""What an export says of itself: the manifest of a snapshot, and ``latest.json``, which names the one to read."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pipeline.errors import BadExport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")
SCHEMA_VERSION = 1  # docs/export.md says what may change within a version
LATEST_NAME = "latest.json"
SNAPSHOTS = "snapshots/"
DELTAS = "deltas/"
SUPERSEDED_NAME = "superseded.json"  # beside a manifest: what latest.json was when it named this snapshot last
MANIFEST_NAME = "manifest.json"
_DAMAGES = (ValueError, TypeError, KeyError, AttributeError, RecursionError)  # what reading a damaged file ends with
NAME_TIME = "%Y%m%dT%H%M%S.%fZ"  # how names of snapshots and deltas begin, which so sort by time


def snapshot_name(began_at: datetime, short_id: str) -> str:
    """Return the name of a snapshot: the time its scan began, and an id that tells two of one moment apart."""
    return f"{began_at.strftime(NAME_TIME)}-{short_id}"


def scan_time_of(snapshot: str) -> datetime:
    """Return when the scan began that a snapshot of this name, folded or not, goes back to."""
    return datetime.strptime(snapshot.partition("-")[0], NAME_TIME).replace(tzinfo=UTC)


def superseded_name(snapshot: str) -> str:
    """Return the name, from the export's root, of what ``latest.json`` was when it named this snapshot last."""
    return f"{SNAPSHOTS}{snapshot}/{SUPERSEDED_NAME}"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column of the Parquet files and its type, as Arrow writes it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class KeywordRows:
    """How many rows of a postings file belong to a keyword; they follow each other in the order of this list."""

    keyword_id: str
    rows: int


@dataclass(frozen=True, slots=True)
class PartFile:
    """A file of the snapshot, named from the snapshot's folder, with the rows of each of its row groups.

    ``version`` is what the store called this content when it was written (S3: the ETag); empty in older manifests.
    """

    name: str
    rows: int
    bytes: int
    sha256: str
    row_groups: tuple[int, ...]
    keywords: tuple[KeywordRows, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """What the scan saw. Images that are gone or undone and items that cannot be read are counted and are no rows."""

    tagged: int
    rejected: Mapping[str, int]
    gone: int
    undone: int
    unreadable: int = 0

    @property
    def rows(self) -> int:
        """How many rows ``images/`` has."""
        return self.tagged + sum(self.rejected.values())


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole snapshot: its files in the order of their rows, and what they were made from.

    ``vocabulary_version`` is of the words in the rows; ``taxonomy_versions`` are those the records were tagged by.
    """

    snapshot: str
    scan_began_at: datetime
    scan_ended_at: datetime
    counts: RecordCounts
    model_versions: tuple[str, ...]
    taxonomy_versions: tuple[str, ...]
    vocabulary_version: str
    images_columns: tuple[ColumnType, ...]
    postings_columns: tuple[ColumnType, ...]
    images: tuple[PartFile, ...]
    postings: tuple[PartFile, ...]
    coverage_columns: tuple[ColumnType, ...] = ()  # none in a snapshot of before there were such files
    coverage: tuple[PartFile, ...] = ()

    @property
    def files(self) -> tuple[PartFile, ...]:
        """Every file of the snapshot but this one."""
        return (*self.images, *self.postings, *self.coverage)

    def encode(self) -> bytes:
        """Return the manifest as JSON."""
        document = {"kind": "snapshot", "schema_version": SCHEMA_VERSION, **asdict(self)}
        return json.dumps(document, default=_plain, indent=1).encode()

    @classmethod
    def decode(cls, data: bytes, name: str) -> Self:
        """Return the manifest in a file of that name.

        Raises:
            BadExport: it is damaged, or of a later schema version.
        """
        return _decoded(data, name, cls._of)

    @classmethod
    def _of(cls, body: Mapping[str, Any]) -> Self:
        return cls(
            snapshot=body["snapshot"],
            scan_began_at=datetime.fromisoformat(body["scan_began_at"]),
            scan_ended_at=datetime.fromisoformat(body["scan_ended_at"]),
            counts=RecordCounts(**body["counts"]),
            model_versions=tuple(body["model_versions"]),
            taxonomy_versions=tuple(body["taxonomy_versions"]),
            vocabulary_version=body["vocabulary_version"],
            images_columns=_columns(body["images_columns"]),
            postings_columns=_columns(body["postings_columns"]),
            images=tuple(_part(part) for part in body["images"]),
            postings=tuple(_part(part) for part in body["postings"]),
            coverage_columns=_columns(body.get("coverage_columns", ())),
            coverage=tuple(_part(part) for part in body.get("coverage", ())),
        )


@dataclass(frozen=True, slots=True)
class FileSum:
    """A file by its name from the export's root, with what must be found there; ``version`` as in ``PartFile``."""

    name: str
    bytes: int
    sha256: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class DeltaFile:
    """A file of changes, by its name from the export's root, and when the last of them was made."""

    name: str
    rows: int
    bytes: int
    sha256: str
    newest_change_at: datetime
    version: str = ""

    @property
    def sum(self) -> FileSum:
        """What must be found there."""
        return FileSum(self.name, self.bytes, self.sha256, self.version)


@dataclass(frozen=True, slots=True)
class Latest:
    """What a reader opens first: the snapshot to read, and the deltas to lay over it, in this order.

    ``previous`` is the snapshot that was published before, whose ``superseded.json`` says what lay over it; empty for
    the first one.
    """

    snapshot: str
    manifest: FileSum
    deltas: tuple[DeltaFile, ...] = ()
    previous: str = ""

    @property
    def as_of(self) -> datetime:
        """The time of the newest change that it has, or of the scan where there is none since."""
        return max((delta.newest_change_at for delta in self.deltas), default=scan_time_of(self.snapshot))

    def first_rows(self, most_rows: int) -> Latest:
        """Return this with its first deltas only, of so many rows together: an older state, and a whole one."""
        ends = list(accumulate(delta.rows for delta in self.deltas))
        return replace(self, deltas=self.deltas[: bisect_right(ends, most_rows)])

    def through(self, last_delta: str) -> Latest | None:
        """Return this with its deltas up to the one of that name (empty: none); None where there is no such delta."""
        names = [delta.name for delta in self.deltas]
        if last_delta and last_delta not in names:
            return None
        count = names.index(last_delta) + 1 if last_delta else 0
        return replace(self, deltas=self.deltas[:count])

    def encode(self) -> bytes:
        """Return the pointer as JSON."""
        return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(self)}, default=_plain, indent=1).encode()

    @classmethod
    def decode(cls, data: bytes, name: str) -> Self:
        """Return the pointer in a file of that name.

        Raises:
            BadExport: it is damaged, or of a later schema version.
        """
        return _decoded(data, name, cls._of)

    @classmethod
    def _of(cls, body: Mapping[str, Any]) -> Self:
        deltas = tuple(
            DeltaFile(
                delta["name"],
                delta["rows"],
                delta["bytes"],
                delta["sha256"],
                datetime.fromisoformat(delta["newest_change_at"]),
                delta.get("version", ""),
            )
            for delta in body["deltas"]
        )
        named = body["manifest"]
        manifest = FileSum(named["name"], named["bytes"], named["sha256"], named.get("version", ""))
        return cls(str(body["snapshot"]), manifest, deltas, body.get("previous", ""))


def is_later(data: bytes) -> bool:
    """Return whether this is a file of a later schema version, and no damaged one."""
    try:
        return int(json.loads(data)["schema_version"]) > SCHEMA_VERSION
    except _DAMAGES:
        return False


def _decoded(data: bytes, name: str, decode: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        body = json.loads(data)
        version = int(body["schema_version"])
        if version > SCHEMA_VERSION:
            raise BadExport(f"{name} is of schema version {version}; this program reads up to {SCHEMA_VERSION}")
        return decode(body)
    except _DAMAGES as error:
        raise BadExport(f"{name} is damaged: {type(error).__name__} {error}") from error


def _columns(columns: Iterable[Mapping[str, Any]]) -> tuple[ColumnType, ...]:
    return tuple(ColumnType(column["name"], column["type"]) for column in columns)


def _part(part: Mapping[str, Any]) -> PartFile:
    keywords = tuple(KeywordRows(keyword["keyword_id"], keyword["rows"]) for keyword in part["keywords"])
    groups = tuple(int(rows) for rows in part["row_groups"])
    version = part.get("version", "")
    return PartFile(part["name"], part["rows"], part["bytes"], part["sha256"], groups, keywords, version)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a manifest")
