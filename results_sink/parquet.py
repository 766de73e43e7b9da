"""Parquet, and pyarrow's only door: schemas, tables, files of sorted rows, and reading single row groups.

Tables and batches are pyarrow's own wherever they appear; other modules only pass them on, slice and count them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import BadExport
from pipeline.keywords import KeywordTag, Source
from results_sink.manifest import ColumnType
from results_sink.rows import COLUMNS, SOURCES, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.keywords import Vocabulary
    from pipeline.ratings import Rating
    from results_sink.rows import Kept, KeywordLists

COMPRESSION, COMPRESSION_LEVEL = "zstd", 1
Order = tuple[tuple[str, str], ...]  # columns, each "ascending" or "descending"

_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.WHOLE: pa.int64(),
    Kind.FLAG: pa.bool_(),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
}
_TAG = [("keyword_id", pa.string()), ("score", pa.float64()), ("source", pa.string())]
_RAW_TAG = pa.struct([("number", pa.int32()), ("score", pa.float64()), ("source", pa.int8())])
_KEYWORD_ID, _SCORE, _SOURCE = (f"keywords.list.element.{name}" for name, _ in _TAG)

IMAGES_ORDER: Order = (("image", "ascending"),)
POSTINGS_ORDER: Order = (("rank", "ascending"), ("score", "descending"), ("image_row", "ascending"))


def images_schema(languages: Sequence[str]) -> Any:
    """Return the columns of ``images/``, with words in these languages."""
    columns = [(column.name, _TYPES[column.kind]) for column in COLUMNS]
    return pa.schema([*columns, ("keywords", pa.list_(pa.struct(_TAG + _said(languages))))])


def postings_schema(languages: Sequence[str]) -> Any:
    """Return the columns of ``postings/``, with words in these languages."""
    image = [("image", pa.string()), ("product", pa.string()), ("image_row", pa.int64())]
    return pa.schema([*_TAG, *_said(languages), *image, ("keywords", pa.list_(pa.struct(_TAG)))])


def _said(languages: Sequence[str]) -> list[tuple[str, Any]]:
    words = pa.struct([(language, pa.string()) for language in languages])
    synonyms = pa.struct([(language, pa.list_(pa.string())) for language in languages])
    return [("words", words), ("synonyms", synonyms)]


def column_types(schema: Any) -> tuple[ColumnType, ...]:
    """Return the columns of a schema, as a manifest names them."""
    return tuple(ColumnType(field.name, str(field.type)) for field in schema)


# ---- Tables: from records, by way of numbers for keywords ------------------------------------------------------------


def raw_images(records: Sequence[Kept], lists: KeywordLists) -> Any:
    """Return the records as a table whose keywords are still numbers."""
    columns = [pa.array([column.of(record) for record in records], _TYPES[column.kind]) for column in COLUMNS]
    numbers, scores = pa.array(lists.numbers, pa.int32()), pa.array(lists.scores, pa.float64())
    tags = pa.StructArray.from_arrays([numbers, scores, pa.array(lists.sources, pa.int8())], fields=list(_RAW_TAG))
    keywords = pa.ListArray.from_arrays(pa.array(lists.offsets, pa.int32()), tags)
    return pa.table([*columns, keywords], names=[*(column.name for column in COLUMNS), "keywords"])


class Lexicon:
    """What the numbers of keywords stand for: ids, words, synonyms, and the rank of each id among the sorted ids."""

    def __init__(self, numbered_ids: Sequence[str], vocabulary: Vocabulary) -> None:
        """Look up the ids, whose places are their numbers; one that the vocabulary lacks has no words."""
        languages = vocabulary.languages
        self.images_schema, self.postings_schema = images_schema(languages), postings_schema(languages)
        words = [vocabulary.nodes[each].words if each in vocabulary.nodes else {} for each in numbered_ids]
        names = [{language: next(iter(by.get(language, ())), None) for language in languages} for by in words]
        others = [{language: list(by.get(language, ())[1:]) for language in languages} for by in words]
        rank = {each: at for at, each in enumerate(sorted(numbered_ids))}
        self._ids = pa.array(numbered_ids, pa.string())
        (_, names_type), (_, others_type) = _said(languages)
        self._said = [pa.array(names, names_type), pa.array(others, others_type)]
        self._ranks = pa.array([rank[each] for each in numbered_ids], pa.int32())
        self._sources = pa.array([str(source) for source in SOURCES], pa.string())

    def images(self, raw: Any) -> Any:
        """Return rows of ``images/``."""
        columns = {column.name: raw[column.name] for column in COLUMNS}
        schema = self.images_schema
        return pa.table({**columns, "keywords": self._lists(raw["keywords"], schema.field("keywords"))}, schema=schema)

    def raw_postings(self, raw: Any, first_row: int) -> Any:
        """Return a row for each keyword of each image, of which the first is row ``first_row`` of ``images/``."""
        keywords = raw["keywords"].combine_chunks()
        parents = pc.list_parent_indices(keywords)
        number, score, source = pc.list_flatten(keywords).flatten()
        columns = {
            "rank": self._ranks.take(number),
            "score": score,
            "image_row": pc.add(parents, first_row),
            "number": number,
            "source": source,
            "image": raw["image"].take(parents),
            "product": raw["product"].take(parents),
            "keywords": keywords.take(parents),
        }
        return pa.table(columns)

    def postings(self, raw: Any) -> Any:
        """Return rows of ``postings/``."""
        number = raw["number"]
        columns = {
            "keyword_id": self._ids.take(number),
            "score": raw["score"],
            "source": self._sources.take(raw["source"]),
            "words": self._said[0].take(number),
            "synonyms": self._said[1].take(number),
            **{name: raw[name] for name in ("image", "product", "image_row")},
            "keywords": self._lists(raw["keywords"], self.postings_schema.field("keywords")),
        }
        return pa.table(columns, schema=self.postings_schema)

    def _lists(self, raw: Any, field: Any) -> Any:
        fields = list(field.type.value_type)
        lists = raw.combine_chunks()
        number, score, source = pc.list_flatten(lists).flatten()
        said = [each.take(number) for each in self._said] if len(fields) > len(_TAG) else []
        columns = [self._ids.take(number), score, self._sources.take(source), *said]
        tags = pa.StructArray.from_arrays(columns, fields=fields)
        return pa.ListArray.from_arrays(_starts(lists), tags)


def _starts(lists: Any) -> Any:
    """Return the offsets of a list array counted from its own first element, though it be a slice."""
    return pc.subtract(lists.offsets, lists.offsets[0])


def joined(tables: Iterable[Any]) -> Any:
    """Return the rows of all tables, of which there is at least one."""
    return pa.concat_tables(tables)


def ordered(table: Any, order: Order) -> Any:
    """Return the rows in that order; rows that are level stay as they were."""
    whole = table.combine_chunks()
    return whole.take(pc.sort_indices(whole, sort_keys=list(order)))


def sort_key(table: Any, order: Order, at: int) -> tuple[Any, ...]:
    """Return what the row is compared by, as Python compares."""
    values = ((table[name][at].as_py(), direction) for name, direction in order)
    return tuple(-value if direction == "descending" else value for value, direction in values)


# ---- Files: rows that wait to be merged, and Parquet -----------------------------------------------------------------


def write_run(table: Any, path: Path, batch_rows: int) -> None:
    """Write rows to be read back by ``read_run``, so many at once."""
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(str(path), table.schema, options=options) as stream:
        stream.write_table(table, max_chunksize=batch_rows)


def read_run(path: Path) -> Iterator[Any]:
    """Yield what ``write_run`` wrote, as tables."""
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        for batch in stream:
            yield pa.Table.from_batches([batch])


class Writer:
    """Writes one Parquet file, a row group at a time."""

    def __init__(self, path: Path, schema: Any) -> None:
        """Begin the file."""
        self._file = pq.ParquetWriter(
            str(path),
            schema,
            compression=COMPRESSION,
            compression_level=COMPRESSION_LEVEL,
            write_page_checksum=True,
            store_schema=False,  # every reader sees the same types, pyarrow too
        )

    def write(self, table: Any) -> None:
        """Write the rows as one row group."""
        self._file.write_table(table, row_group_size=max(len(table), 1))

    def close(self) -> None:
        """End the file."""
        self._file.close()


@dataclass(frozen=True, slots=True, eq=False)
class PostingsRows:
    """Rows of postings, best first within a keyword.

    Attributes:
        image_rows: int64 [N], rows of ``images/``.
        scores: float64 [N], in [0, 1].
        set_codes: int32 [N], for each image the place in ``sets`` of all its keywords.
        sets: the different sets of keyword ids, each joined by ``|``.
    """

    image_rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    set_codes: NDArray[np.int32]
    sets: list[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of an image that was found."""

    image: str
    product: str
    keywords: tuple[KeywordTag, ...]


class ParquetFile:
    """One Parquet file, of which only what is asked for is read. ``row_groups_read`` counts."""

    def __init__(self, path: Path) -> None:
        """Open the file and read its footer.

        Raises:
            BadExport: it is no Parquet file.
        """
        self._path = path
        self.row_groups_read = 0
        with self._readable():
            self._file = pq.ParquetFile(str(path), page_checksum_verification=True)

    def postings(self, row_groups: Sequence[int], skip: int, rows: int) -> PostingsRows:
        """Return so many rows of these row groups, without the first ``skip``."""
        table = self._read(row_groups, ["image_row", "score", _KEYWORD_ID]).slice(skip, rows)
        codes, sets = sets_of(table["keywords"])
        return PostingsRows(table["image_row"].to_numpy(), table["score"].to_numpy(), codes, sets)

    def keyword_sets(self) -> tuple[NDArray[np.int32], list[str]]:
        """Return for every row the place of its set of keyword ids, and the different sets."""
        return sets_of(self._read(range(self._file.num_row_groups), [_KEYWORD_ID])["keywords"])

    def tagged(self) -> NDArray[np.bool_]:
        """Return for every row of ``images/`` whether the image was tagged: bool [N]."""
        status = self._read(range(self._file.num_row_groups), ["status"])["status"]
        found: NDArray[np.bool_] = pc.equal(status, "tagged").to_numpy()
        return found

    def column(self, name: str) -> Any:
        """Return the whole column."""
        return self._read(range(self._file.num_row_groups), [name])[name]

    def changes(self) -> Any:
        """Return of a delta what a search needs."""
        columns = ["change", "image", "product", "status", _KEYWORD_ID, _SCORE, _SOURCE]
        return self._read(range(self._file.num_row_groups), columns)

    def tables(self, *more: str) -> Iterator[Any]:
        """Yield what a record is made from, and further columns, a row group at a time."""
        columns = [*more, *(column.name for column in COLUMNS), _KEYWORD_ID, _SCORE, _SOURCE]
        for number in range(self._file.num_row_groups):
            yield self._read([number], columns)

    def groups_of(self, images: Sequence[str]) -> list[tuple[int, Any]]:
        """Return the column of images, from their first row on, of each row group in which one of these may stand.

        The images, in the file as here, are sorted.
        """
        found, first = [], 0
        for number in range(self._file.num_row_groups):
            group = self._file.metadata.row_group(number)
            bounds = group.column(0).statistics
            inside = bounds is None or bisect_left(images, bounds.min) < bisect_right(images, bounds.max)
            if inside:
                found.append((first, self._read([number], ["image"])["image"]))
            first += group.num_rows
        return found

    @property
    def first_image(self) -> str:
        """The first image of a file of ``images/`` that has rows."""
        return str(self._file.metadata.row_group(0).column(0).statistics.min)

    def looks(self, begin: str) -> Iterator[Iterator[tuple[str, datetime, str | None]]]:
        """Yield image, time of the look and ETag of ``images/``, by row group, from where names may reach ``begin``."""
        names = ["image", "looked_at", "etag"]
        for number in range(self._file.num_row_groups):
            if self._file.metadata.row_group(number).column(0).statistics.max >= begin:
                rows = self._read([number], names)
                yield zip(*(rows[name].to_pylist() for name in names), strict=True)

    def read_shown(self, row_group: int) -> Any:
        """Return what ``shown`` takes results from: a table of one row group."""
        return self._read([row_group], ["image", "product", _KEYWORD_ID, _SCORE, _SOURCE])

    @staticmethod
    def shown(table: Any, places: Sequence[int]) -> list[Shown]:
        """Return what is shown of the rows at these places."""
        rows = table.take(pa.array(places, pa.int64())).to_pylist()
        return [Shown(row["image"], row["product"], tuple(_tag(each) for each in row["keywords"])) for row in rows]

    def _read(self, row_groups: Sequence[int], columns: list[str]) -> Any:
        self.row_groups_read += len(row_groups)
        with self._readable():
            return self._file.read_row_groups(list(row_groups), columns=columns, use_threads=len(row_groups) > 1)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise BadExport(f"{self._path} is damaged: {error}") from error


def write_ratings(ratings: Iterable[Rating], path: Path) -> int:
    """Write what people said of keywords as one file, a row for each rating, and return how many there are."""
    texts = ("image", "keyword", "verdict", "model_version", "by")
    kept = sorted(ratings, key=lambda each: (each.image, each.model_version, each.keyword, each.by))
    columns = {name: pa.array([str(getattr(each, name)) for each in kept], pa.string()) for name in texts}
    moments = pa.array([each.rated_at for each in kept], pa.timestamp("us", tz="UTC"))
    pq.write_table(
        pa.table(columns | {"rated_at": moments}), path, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL
    )
    return len(kept)


def _tag(row: dict[str, Any]) -> KeywordTag:
    return KeywordTag(row["keyword_id"], row["score"], Source(row["source"]))


def sets_of(lists: Any) -> tuple[NDArray[np.int32], list[str]]:
    """Return for every list of keywords the place of its set of keyword ids, and the different sets."""
    whole = lists.combine_chunks()
    ids = pc.list_flatten(whole).field(0)
    codes = pc.binary_join(pa.ListArray.from_arrays(_starts(whole), ids), "|").dictionary_encode()
    return codes.indices.to_numpy(), codes.dictionary.to_pylist()
