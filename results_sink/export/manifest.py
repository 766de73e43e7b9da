"""An export's own files: the manifest of a snapshot, and ``latest.json``, which names the snapshot to read."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import asdict, dataclass, is_dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from typing import Any, Self, cast, get_args, get_origin, get_type_hints

from pipeline.errors import BadExport

SCHEMA_VERSION = 1  # docs/export.md says what may change within a version
LATEST_NAME = "latest.json"
SNAPSHOTS = "snapshots/"
DELTAS = "deltas/"
SUPERSEDED_NAME = "superseded.json"  # beside a manifest: the last latest.json that named this snapshot
MANIFEST_NAME = "manifest.json"
_DAMAGES = (ValueError, TypeError, KeyError, AttributeError, RecursionError)  # what reading a damaged file can raise
NAME_TIME = "%Y%m%dT%H%M%S.%fZ"  # the start of the names of snapshots and deltas, so that they sort by time


def snapshot_name(began_at: datetime, short_id: str) -> str:
    """Return the name of a snapshot: the time its scan began, and an id that keeps names of the same moment apart."""
    return f"{began_at.strftime(NAME_TIME)}-{short_id}"


def scan_time_of(snapshot: str) -> datetime:
    """Return when the scan behind a snapshot of this name, folded or not, began."""
    return datetime.strptime(snapshot.partition("-")[0], NAME_TIME).replace(tzinfo=UTC)


def superseded_name(snapshot: str) -> str:
    """Return the name, from the export's root, of the copy of the last ``latest.json`` that named this snapshot."""
    return f"{SNAPSHOTS}{snapshot}/{SUPERSEDED_NAME}"


class ExportFile:
    """A JSON file of an export: the fields of a dataclass, and the version of the schema."""

    __slots__ = ()

    def encode(self) -> bytes:
        """Return the file's content."""
        fields = asdict(cast("Any", self))
        return json.dumps({"schema_version": SCHEMA_VERSION, **fields}, default=_plain_of, indent=1).encode()

    @classmethod
    def decode(cls, data: bytes, name: str) -> Self:
        """Return what a file of that name says; fields that it lacks, as an older file's may, keep their defaults.

        Raises:
            BadExport: it is damaged, or of a later schema version.
        """
        try:
            body = json.loads(data)
            version = int(body["schema_version"])
            if version > SCHEMA_VERSION:
                raise BadExport(f"{name} is of schema version {version}; this program reads up to {SCHEMA_VERSION}")
            value: Self = _value(cls, body)
        except _DAMAGES as error:
            raise BadExport(f"{name} is damaged: {type(error).__name__} {error}") from error
        return value


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column of the Parquet files and its type, as Arrow writes it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class KeywordRows:
    """How many rows of a postings file belong to a keyword; the rows are in the order of this list."""

    keyword_id: str
    rows: int


@dataclass(frozen=True, slots=True)
class PartFile:
    """A file of the snapshot, named from the snapshot's folder, with the rows of each of its row groups.

    ``version`` is the store's version of the content as written (S3: the ETag); empty in older manifests.
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
    """What the scan read. Gone and undone images and unreadable items are counted, but have no rows."""

    tagged: int
    rejected: dict[str, int]
    gone: int
    undone: int
    unreadable: int = 0

    @property
    def rows(self) -> int:
        """How many rows ``images/`` has."""
        return self.tagged + sum(self.rejected.values())


@dataclass(frozen=True, slots=True)
class Manifest(ExportFile):
    """A complete snapshot: its files in the order of their rows, and what they were made from.

    ``vocabulary_version`` is that of the words in the rows, ``taxonomy_versions`` are those that tagged the records.
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
    coverage_columns: tuple[ColumnType, ...] = ()  # empty in older snapshots, which have no such files
    coverage: tuple[PartFile, ...] = ()
    keywords_columns: tuple[ColumnType, ...] = ()  # empty in older snapshots, likewise
    keywords: tuple[PartFile, ...] = ()
    kind: str = "snapshot"

    @property
    def files(self) -> tuple[PartFile, ...]:
        """Every file of the snapshot except the manifest."""
        return (*self.images, *self.postings, *self.coverage, *self.keywords)


@dataclass(frozen=True, slots=True)
class FileSum:
    """A file by its name from the export's root, with its expected size and hash; ``version`` as in ``PartFile``."""

    name: str
    bytes: int
    sha256: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class DeltaFile:
    """A file of changes, by its name from the export's root, and the time of its newest change."""

    name: str
    rows: int
    bytes: int
    sha256: str
    newest_change_at: datetime
    version: str = ""

    @property
    def sum(self) -> FileSum:
        """The name with the expected size and hash."""
        return FileSum(self.name, self.bytes, self.sha256, self.version)


@dataclass(frozen=True, slots=True)
class Latest(ExportFile):
    """What a reader opens first: the snapshot to read, and the deltas to apply to it, in this order.

    ``previous`` is the snapshot published before, whose ``superseded.json`` lists its deltas; empty for the first one.
    """

    snapshot: str
    manifest: FileSum
    deltas: tuple[DeltaFile, ...] = ()
    previous: str = ""

    @property
    def as_of(self) -> datetime:
        """The time of the newest change, or of the scan if nothing changed since."""
        return max((delta.newest_change_at for delta in self.deltas), default=scan_time_of(self.snapshot))

    def first_rows(self, most_rows: int) -> Latest:
        """Return this with only the first deltas, up to so many rows together: an older but consistent state."""
        ends = list(accumulate(delta.rows for delta in self.deltas))
        return replace(self, deltas=self.deltas[: bisect_right(ends, most_rows)])

    def through(self, last_delta: str) -> Latest | None:
        """Return this with its deltas up to the one of that name (empty: none); None if there is no such delta."""
        names = [delta.name for delta in self.deltas]
        if last_delta and last_delta not in names:
            return None
        count = names.index(last_delta) + 1 if last_delta else 0
        return replace(self, deltas=self.deltas[:count])


def is_later(data: bytes) -> bool:
    """Return whether this is a file of a later schema version, rather than a damaged one."""
    try:
        return int(json.loads(data)["schema_version"]) > SCHEMA_VERSION
    except _DAMAGES:
        return False


def _value(kind: Any, plain: Any) -> Any:
    """Return the JSON as a value of that type."""
    if is_dataclass(kind):
        make: Any = kind
        types = {name: type_ for name, type_ in _types(make).items() if name in plain}
        return make(**{name: _value(type_, plain[name]) for name, type_ in types.items()})
    if get_origin(kind) is tuple:
        return tuple(_value(get_args(kind)[0], part) for part in plain)
    if get_origin(kind) is dict:
        key_type, value_type = get_args(kind)
        return {key_type(key): _value(value_type, value) for key, value in plain.items()}
    if kind is datetime:
        return datetime.fromisoformat(plain)
    if not isinstance(plain, kind):
        raise TypeError(f"{plain!r} is no {kind.__name__}")
    return plain


@cache  # a pointer may list a thousand deltas
def _types(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _plain_of(value: object) -> str:
    """Return a value that JSON lacks as text: a time."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written to a manifest")
