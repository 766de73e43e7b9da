"""The tables of an export: their columns, the numbers that stand for keywords on the way, and the order of their rows.

Tables are pyarrow's own wherever they appear; other modules only pass them on, slice and count them.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.colours import decided_colours
from pipeline.record_backup import pack_backup
from pipeline.records import RejectedImage, TaggedImage
from results_sink.export.manifest import ColumnType
from results_sink.export.rows import SOURCES, Kept, KeywordLists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pipeline.keywords import Vocabulary

Order = tuple[tuple[str, str], ...]  # columns, each "ascending" or "descending"


@dataclass(frozen=True, slots=True)
class Column:
    """A column with one value per image."""

    name: str
    type: Any
    of: Callable[[Kept], object]


def _colours(record: Kept) -> list[str]:
    """Return the ids of a photo's colours, pinned ones first, or nothing if it shows none clearly."""
    if not isinstance(record, TaggedImage):
        return []
    return [colour.colour for colour in decided_colours(record.facts, record.decisions)]


_TIME = pa.timestamp("us", tz="UTC")
COLUMNS = (
    Column("image", pa.string(), lambda r: str(r.observation.image)),
    Column("product", pa.string(), lambda r: r.observation.product),
    Column("title", pa.string(), lambda r: r.observation.listing.title or None),
    Column("brand", pa.string(), lambda r: r.observation.listing.brand or None),
    Column("price", pa.string(), lambda r: r.observation.listing.price or None),
    Column("url", pa.string(), lambda r: r.observation.listing.url or None),
    Column("tags", pa.string(), lambda r: r.observation.listing.tags or None),
    Column("status", pa.string(), lambda r: "tagged" if isinstance(r, TaggedImage) else "rejected"),
    Column("reason", pa.string(), lambda r: str(r.reason) if isinstance(r, RejectedImage) else None),
    Column("detail", pa.string(), lambda r: r.detail if isinstance(r, RejectedImage) else None),
    Column("low_information", pa.bool_(), lambda r: r.low_information if isinstance(r, TaggedImage) else None),
    Column("width_pixels", pa.int64(), lambda r: r.width_pixels if isinstance(r, TaggedImage) else None),
    Column("height_pixels", pa.int64(), lambda r: r.height_pixels if isinstance(r, TaggedImage) else None),
    Column("model_version", pa.string(), lambda r: r.observation.model_version),
    Column("taxonomy_version", pa.string(), lambda r: r.observation.taxonomy_version),
    Column("run_id", pa.string(), lambda r: r.observation.run_id),
    Column("observed_at", _TIME, lambda r: r.observation.observed_at),
    Column("object_time", _TIME, lambda r: r.observation.object_time),
    Column("etag", pa.string(), lambda r: r.observation.etag),
    Column("colours", pa.list_(pa.string()), _colours),
    Column("vector", pa.binary(), lambda r: r.vector.data if isinstance(r, TaggedImage) and r.vector else None),
    Column("vector_space", pa.string(), lambda r: r.vector.space if isinstance(r, TaggedImage) and r.vector else None),
    Column("facts", pa.binary(), lambda r: r.facts.pack() if isinstance(r, TaggedImage) and r.facts else None),
    Column("revision", pa.int64(), lambda r: r.revision),
    Column("backup", pa.binary(), pack_backup),
)

CHANGE = "change"  # the column of a delta with the kind of change
_TAG = [("keyword_id", pa.string()), ("score", pa.float64()), ("source", pa.string())]
_RAW_TAG = pa.struct([("number", pa.int32()), ("score", pa.float64()), ("source", pa.int8())])
TAG_COLUMNS = tuple(
    f"keywords.list.element.{name}" for name, _ in _TAG
)  # the paths in a Parquet file of keyword id, score and source

RECORD_COLUMNS = (*(column.name for column in COLUMNS), "keywords")  # of ``images/``: what makes a record

IMAGES_ORDER: Order = (("image", "ascending"),)
POSTINGS_ORDER: Order = (("rank", "ascending"), ("score", "descending"), ("image_row", "ascending"))


def images_schema(languages: Sequence[str]) -> Any:
    """Return the columns of ``images/``, with words in these languages."""
    columns = [(column.name, column.type) for column in COLUMNS]
    return pa.schema([*columns, ("keywords", pa.list_(pa.struct(_TAG + word_columns(languages))))])


def postings_schema(languages: Sequence[str]) -> Any:
    """Return the columns of ``postings/``, with words in these languages."""
    image = [("image", pa.string()), ("product", pa.string()), ("image_row", pa.int64())]
    return pa.schema([*_TAG, *word_columns(languages), *image, ("keywords", pa.list_(pa.struct(_TAG)))])


def word_columns(languages: Sequence[str]) -> list[tuple[str, Any]]:
    """Return the two columns of a keyword's words: its name in each language, and the other words."""
    words = pa.struct([(language, pa.string()) for language in languages])
    synonyms = pa.struct([(language, pa.list_(pa.string())) for language in languages])
    return [("words", words), ("synonyms", synonyms)]


def words_of(keyword_ids: Sequence[str], vocabulary: Vocabulary) -> list[Any]:
    """Return the columns of ``word_columns`` for these keywords; one that the vocabulary lacks has no words."""
    languages = vocabulary.languages
    words = [vocabulary.nodes[keyword_id].words if keyword_id in vocabulary.nodes else {} for keyword_id in keyword_ids]
    names = [{language: next(iter(by.get(language, ())), None) for language in languages} for by in words]
    others = [{language: list(by.get(language, ())[1:]) for language in languages} for by in words]
    (_, names_type), (_, others_type) = word_columns(languages)
    return [pa.array(names, names_type), pa.array(others, others_type)]


def column_types(schema: Any) -> tuple[ColumnType, ...]:
    """Return the columns of a schema, as a manifest lists them."""
    return tuple(ColumnType(field.name, str(field.type)) for field in schema)


def raw_images(records: Sequence[Kept], lists: KeywordLists) -> Any:
    """Return the records as a table whose keywords are still numbers."""
    columns = [pa.array([column.of(record) for record in records], column.type) for column in COLUMNS]
    numbers, scores = pa.array(lists.numbers, pa.int32()), pa.array(lists.scores, pa.float64())
    tags = pa.StructArray.from_arrays([numbers, scores, pa.array(lists.sources, pa.int8())], fields=list(_RAW_TAG))
    keywords = pa.ListArray.from_arrays(pa.array(lists.offsets, pa.int32()), tags)
    return pa.table([*columns, keywords], names=[*(column.name for column in COLUMNS), "keywords"])


class Lexicon:
    """What the keyword numbers stand for: ids, words, synonyms, and the rank of each id among the sorted ids."""

    def __init__(self, numbered_ids: Sequence[str], vocabulary: Vocabulary) -> None:
        """Look up the ids, whose indices are their numbers; an id that the vocabulary lacks has no words."""
        languages = vocabulary.languages
        self.images_schema, self.postings_schema = images_schema(languages), postings_schema(languages)
        rank = {keyword_id: index for index, keyword_id in enumerate(sorted(numbered_ids))}
        self._ids = pa.array(numbered_ids, pa.string())
        self._words = words_of(numbered_ids, vocabulary)
        self._ranks = pa.array([rank[keyword_id] for keyword_id in numbered_ids], pa.int32())
        self._sources = pa.array([str(source) for source in SOURCES], pa.string())

    def images(self, raw: Any) -> Any:
        """Return rows of ``images/``."""
        columns = {column.name: raw[column.name] for column in COLUMNS}
        schema = self.images_schema
        return pa.table({**columns, "keywords": self._lists(raw["keywords"], schema.field("keywords"))}, schema=schema)

    def raw_postings(self, raw: Any, first_row: int) -> Any:
        """Return a row for each keyword of each image; the first image is row ``first_row`` of ``images/``."""
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
            "words": self._words[0].take(number),
            "synonyms": self._words[1].take(number),
            **{name: raw[name] for name in ("image", "product", "image_row")},
            "keywords": self._lists(raw["keywords"], self.postings_schema.field("keywords")),
        }
        return pa.table(columns, schema=self.postings_schema)

    def _lists(self, raw: Any, field: Any) -> Any:
        fields = list(field.type.value_type)
        lists = raw.combine_chunks()
        number, score, source = pc.list_flatten(lists).flatten()
        words = [column.take(number) for column in self._words] if len(fields) > len(_TAG) else []
        columns = [self._ids.take(number), score, self._sources.take(source), *words]
        tags = pa.StructArray.from_arrays(columns, fields=fields)
        return pa.ListArray.from_arrays(_starts(lists), tags)


def _starts(lists: Any) -> Any:
    """Return the offsets of a list array counted from its first element, even if it is a slice."""
    return pc.subtract(lists.offsets, lists.offsets[0])


def with_every_column(table: Any) -> Any:
    """Return rows of ``images/``, adding as empty the columns that an older export lacks."""
    for column in COLUMNS:
        if column.name not in table.column_names:
            table = table.append_column(column.name, pa.nulls(len(table), column.type))
    return table


def renumber(raw: Any, numbers: Sequence[int]) -> Any:
    """Return raw images in which ``numbers[n]`` stands for the keyword that had number ``n``."""
    lists = raw["keywords"].combine_chunks()
    number, score, source = pc.list_flatten(lists).flatten()
    tags = pa.StructArray.from_arrays(
        [pa.array(numbers, pa.int32()).take(number), score, source], fields=list(_RAW_TAG)
    )
    keywords = pa.ListArray.from_arrays(_starts(lists), tags)
    return raw.set_column(raw.column_names.index("keywords"), "keywords", keywords)


def batches(table: Any, rows: int) -> Iterator[Any]:
    """Yield the rows, so many at a time."""
    for begin in range(0, len(table), rows):
        yield table.slice(begin, rows)


def divide_rows(table: Any, column: str, bounds: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Yield the rows of each range of a column by which they are sorted, with the number of the range.

    Range ``n`` begins with the value ``bounds[n - 1]``. Ranges without rows are left out.
    """
    values = table[column]

    def value_of(row: int) -> Any:
        return values[row].as_py()

    ends = [bisect_left(range(len(table)), bound, key=value_of) for bound in bounds]
    for number, (begin, end) in enumerate(pairwise([0, *ends, len(table)])):
        if begin < end:
            yield number, table.slice(begin, end - begin)


def join(tables: Iterable[Any]) -> Any:
    """Return the rows of one or more tables."""
    return pa.concat_tables(tables)


def sort_rows(table: Any, order: Order) -> Any:
    """Return the rows in that order, without reordering equal ones."""
    whole = table.combine_chunks()
    return whole.take(pc.sort_indices(whole, sort_keys=list(order)))


def sort_key(table: Any, order: Order, row: int) -> tuple[Any, ...]:
    """Return the row's sort key, for Python's comparison."""
    values = ((table[name][row].as_py(), direction) for name, direction in order)
    return tuple(-value if direction == "descending" else value for value, direction in values)
