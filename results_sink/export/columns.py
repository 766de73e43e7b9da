"""Columns of ``images/`` in memory: what a search needs of the images in a snapshot, or of those that changed since."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.keywords import KeywordTag, Source
from pipeline.listing import FIELDS, Listing
from results_sink.export.delta import last_of_each, visible_rows
from results_sink.export.rows import SOURCES
from results_sink.export.tables import CHANGE, TAG_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from results_sink.export.parquet import ParquetFile

REQUIRED = ("image", "product", "status", "reason", "low_information", "observed_at", *TAG_COLUMNS)
MOST_UINT16 = 65_536  # the number of uint16 values; NumPy sorts uint16 several times faster than wider integers
OPTIONAL = ("needs_a_look", "colours", *FIELDS)  # columns that exports of earlier versions do not have
VECTOR = ("vector", "vector_space")  # of a snapshot too large to be read for every search
FACTS = "facts"  # likewise


@dataclass(frozen=True, slots=True, eq=False)
class ImageColumns:
    """Images by row, in the order of the rows of ``images/``.

    Attributes:
        images: the name of each image, s3://bucket/key: an Arrow string array, read by ``image_of``.
        products: int32 [N], the number of each image's product among ``product_names``.
        product_names: the distinct products: an Arrow string array.
        is_tagged: bool [N].
        offsets: int64 [N + 1]; image ``i`` has the keywords from ``offsets[i]`` to ``offsets[i + 1]``.
        keyword_ids: the distinct keywords; ``keywords`` holds indices into this list.
        keywords: uint16 [K] (int32 beyond 65,536 keywords), grouped by image.
        scores: float64 [K], in [0, 1].
        sources: uint8 [K], who gave the keyword: its index in ``SOURCES``.
        colours: the colour ids of each image, or None if the export has no such column.
        vectors: the two columns of ``VECTOR`` as an Arrow table, or None if they were not read.
        reasons: why each image was rejected, or null: an Arrow string array.
        needs_a_look: bool [N], whether the image is tagged without a certain keyword or a person's decision.
        observed_us: int64 [N], when each image was observed, in microseconds since 1970.
        listings: what the shop says of each image's product by field: Arrow string arrays, null where it says nothing.
        facts: the packed facts of each image, None where it has none; None if they were not read.
    """

    images: Any
    products: NDArray[np.int32]
    product_names: Any
    is_tagged: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    keyword_ids: list[str]
    keywords: NDArray[np.uint16 | np.int32]
    scores: NDArray[np.float64]
    sources: NDArray[np.uint8]
    colours: ColourColumn | None
    vectors: Any
    reasons: Any
    needs_a_look: NDArray[np.bool_]
    observed_us: NDArray[np.int64]
    listings: Mapping[str, Any] = field(default_factory=dict)
    facts: list[bytes | None] | None = None

    @classmethod
    def of(cls, table: Any) -> ImageColumns:
        """Return the columns of rows of ``images/``, or of a delta."""
        whole = table.combine_chunks()
        products = _whole(whole["product"]).dictionary_encode()
        lists = _whole(whole["keywords"])
        ids, scores, sources = (pc.struct_field(pc.list_flatten(lists), [index]) for index in range(3))
        coded = _whole(ids).dictionary_encode()
        offsets, source_indices = _offsets(lists), _source_indices(sources)
        is_tagged = _flags(pc.equal(whole["status"], "tagged"))
        return cls(
            images=_whole(whole["image"]),
            products=_numbers(products.indices, np.int32),
            product_names=products.dictionary,
            is_tagged=is_tagged,
            offsets=offsets,
            keyword_ids=coded.dictionary.to_pylist(),
            keywords=_numbers(coded.indices, np.uint16 if len(coded.dictionary) <= MOST_UINT16 else np.int32),
            scores=_numbers(scores, np.float64),
            sources=source_indices,
            colours=ColourColumn.of(whole["colours"]) if "colours" in whole.column_names else None,
            vectors=whole.select(VECTOR) if set(VECTOR) <= set(whole.column_names) else None,
            reasons=_whole(whole["reason"]),
            needs_a_look=_needs_a_look(whole, is_tagged, offsets, source_indices),
            observed_us=_numbers(_whole(pc.fill_null(whole["observed_at"].cast(pa.int64()), 0)), np.int64),
            listings={name: _whole(whole[name]) for name in FIELDS if name in whole.column_names},
            facts=whole[FACTS].to_pylist() if FACTS in whole.column_names else None,
        )

    def __len__(self) -> int:
        return len(self.products)

    def image_of(self, row: int) -> str:
        """Return the name of an image."""
        return str(self.images[row])

    def product_of(self, row: int) -> str:
        """Return the product of an image."""
        return str(self.product_names[int(self.products[row])])

    def tags_of(self, row: int) -> tuple[KeywordTag, ...]:
        """Return the keywords of an image."""
        inside = range(int(self.offsets[row]), int(self.offsets[row + 1]))
        return tuple(
            KeywordTag(
                self.keyword_ids[self.keywords[index]],
                float(self.scores[index]),
                SOURCES[int(self.sources[index])],
            )
            for index in inside
        )

    def listing_of(self, row: int) -> Listing:
        """Return what the shop says of an image's product."""
        return Listing(**{name: values[row].as_py() or "" for name, values in self.listings.items()})

    def mentions(self, text: str) -> NDArray[np.bool_]:
        """Return of which images the product's id, title or brand holds each word of the text: bool [N]."""
        texts = [self.listings[name] for name in ("title", "brand") if name in self.listings]
        is_named = np.ones(len(self), np.bool_)
        for word in text.split():
            flags = _flags(pc.match_substring(self.product_names, word, ignore_case=True))[self.products]
            for values in texts:
                flags |= _flags(pc.match_substring(values, word, ignore_case=True))
            is_named &= flags
        return is_named

    def listing_texts(self) -> tuple[list[str], NDArray[np.int32]]:
        """Return the distinct texts of titles and tags, and the number of each image's text: int32 [N]."""
        texts = [pc.fill_null(self.listings[name], "") for name in ("title", "tags") if name in self.listings]
        if not texts:
            return [""], np.zeros(len(self), np.int32)
        joined = _whole(pc.binary_join_element_wise(*texts, ", ")).dictionary_encode()
        return joined.dictionary.to_pylist(), _numbers(joined.indices, np.int32)

    def has_keyword(self, keyword_ids: Collection[str]) -> NDArray[np.bool_]:
        """Return which images have one of these keywords: bool [N]."""
        numbers = [number for number, keyword_id in enumerate(self.keyword_ids) if keyword_id in keyword_ids]
        return _flags_of(np.flatnonzero(np.isin(self.keywords, numbers)), self.offsets)

    def has_source(self, source: Source) -> NDArray[np.bool_]:
        """Return which images have a keyword of this source: bool [N]."""
        return _flags_of(np.flatnonzero(self.sources == SOURCES.index(source)), self.offsets)

    @property
    def expected_errors(self) -> NDArray[np.float64]:
        """How many keywords of each image are expected to be wrong, 0 where a person gave one: float64 [N]."""
        sums = np.concatenate([[0.0], np.cumsum(1 - self.scores)])
        errors = sums[self.offsets[1:]] - sums[self.offsets[:-1]]
        return np.where(self.has_source(Source.HUMAN), 0.0, errors)

    def has_reason(self, reason: str) -> NDArray[np.bool_]:
        """Return which images were rejected for a reason: bool [N]."""
        return _flags(pc.equal(self.reasons, reason))

    # DECISIONS.md, 154: one pass over the names here, however many others there are.
    def rows_among(self, images: Any) -> NDArray[np.int64]:
        """Return the rows of those images, an Arrow string array, that are here: int64 [<= len(images)]."""
        return np.flatnonzero(_flags(pc.is_in(self.images, value_set=images)))

    def numbers_of_products(self, others: ImageColumns) -> NDArray[np.int32]:
        """Return the number of each other image's product: a known one's number here, or a new one: int32."""
        found = pc.index_in(self.product_names, value_set=others.product_names)
        numbers = len(self.product_names) + np.arange(len(others.product_names), dtype=np.int32)
        numbers[found.drop_null().to_numpy()] = np.flatnonzero(_flags(found.is_valid()))
        return numbers[others.products]


@dataclass(frozen=True, slots=True, eq=False)
class ColourColumn:
    """The colours of images: a list of ids for each.

    Attributes:
        offsets: int64 [N + 1]; image ``i`` has the colours from ``offsets[i]`` to ``offsets[i + 1]``.
        ids: an Arrow string array [C].
    """

    offsets: NDArray[np.int64]
    ids: Any

    @classmethod
    def of(cls, column: Any) -> ColourColumn:
        """Return the colours of a column of lists, of ids or of structs whose first field is the id."""
        lists = _whole(column)
        values = pc.list_flatten(lists)
        return cls(_offsets(lists), pc.struct_field(values, [0]) if pa.types.is_struct(values.type) else values)

    def has(self, colour_id: str) -> NDArray[np.bool_]:
        """Return which images have a colour: bool [N]."""
        return _flags_of(np.flatnonzero(_flags(pc.equal(self.ids, colour_id))), self.offsets)


def vectors_in_space(table: Any, space: str) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Return the rows of a table with the columns ``VECTOR`` that have a vector of that space, and the vectors.

    They are int64 [n] and int8 [n, D].
    """
    is_in_space = pc.fill_null(pc.equal(table["vector_space"], space), fill_value=False)
    levels = table["vector"].filter(is_in_space).to_pylist()
    vectors = np.frombuffer(b"".join(levels), np.int8).reshape(len(levels), -1 if levels else 0)
    return np.flatnonzero(is_in_space.to_numpy()), vectors


def changed_columns(deltas: Sequence[Any]) -> ImageColumns:
    """Return the last row of each image in these deltas, without gone images, in the order of the deltas."""
    return ImageColumns.of(visible_rows(last_of_each(deltas)))


def changed_images(deltas: Sequence[Any]) -> Any:
    """Return the names of the images in these deltas, each once, gone ones included: an Arrow string array."""
    return pc.unique(pa.chunked_array([chunk for delta in deltas for chunk in delta["image"].chunks], pa.string()))


def read_images(files: Iterable[ParquetFile]) -> ImageColumns:
    """Return the columns of one or more consecutive files of ``images/``.

    Raises:
        BadExport: a file is damaged.
    """
    tables = [file.columns(REQUIRED, OPTIONAL) for file in files]
    return ImageColumns.of(pa.concat_tables(tables, promote_options="default"))


def read_delta(file: ParquetFile) -> Any:
    """Return the rows of a delta.

    Raises:
        BadExport: the file is damaged.
    """
    return file.columns((CHANGE, *REQUIRED), (*OPTIONAL, *VECTOR, FACTS))


def _flags_of(positions: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the lists with these offsets contain one of these positions: bool [N]."""
    flags = np.zeros(len(offsets) - 1, np.bool_)
    flags[np.searchsorted(offsets, positions, side="right") - 1] = True
    return flags


# Computed, because a stored column would keep the rule of the day it was written (DECISIONS.md, 86).
def _needs_a_look(
    table: Any, is_tagged: NDArray[np.bool_], offsets: NDArray[np.int64], sources: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Return which images have no certain keyword, and none from a person: bool [N]."""
    if "needs_a_look" in table.column_names:
        return _flags(table["needs_a_look"])
    is_decided = _flags_of(np.flatnonzero(sources == SOURCES.index(Source.HUMAN)), offsets)
    is_unsure = _flags(table["low_information"]) | (np.diff(offsets) == 0)
    return np.asarray(is_tagged & is_unsure & ~is_decided, np.bool_)


def _whole(column: Any) -> Any:
    """Return a column as one array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _numbers(column: Any, dtype: type) -> Any:
    return _whole(column).to_numpy(zero_copy_only=False).astype(dtype, copy=False)


def _source_indices(sources: Any) -> NDArray[np.uint8]:
    """Return the index in ``SOURCES`` of each source; a source of a later version counts as the first."""
    indices = pc.index_in(_whole(sources), pa.array([str(source) for source in SOURCES]))
    return np.asarray(_numbers(pc.fill_null(indices, 0), np.uint8))


def _flags(column: Any) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = _whole(pc.fill_null(column, fill_value=False)).to_numpy(zero_copy_only=False)
    return flags


def _offsets(lists: Any) -> NDArray[np.int64]:
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return np.asarray(offsets - offsets[0] if len(offsets) else np.zeros(1, np.int64))
