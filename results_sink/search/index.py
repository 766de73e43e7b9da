"""What was read of a snapshot so far, in memory: postings by keyword, and which keywords each image has."""

from __future__ import annotations

from collections import Counter, OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from results_sink.export.delta import numbered, sorted_numbers
from results_sink.export.postings_layout import stretches
from results_sink.search.evaluate import evaluated
from results_sink.search.hits import Algebra, Hits
from results_sink.search.positions import ImagePlaces, ProductNumbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from results_sink.export.manifest import PartFile
    from results_sink.export.parquet import ParquetFile, Shown
    from results_sink.export.postings_layout import Stretch
    from results_sink.search.layered import DeltaOverlay
    from results_sink.search.query import Node
    from results_sink.search.snapshot import Snapshot

KEPT_POSTINGS = 8_000_000  # rows of postings kept in memory, chosen by us: some 200 MB
KEPT_TERM_ROWS = 16_000_000  # rows of what words were found to mean, chosen by us: some 250 MB
KEPT_ROW_GROUPS = 64  # row groups kept for showing results, chosen by us: some 50 MB
OPENED_AT_ONCE = 8  # files, chosen by us: they may have to be downloaded
UNKNOWN = -1  # the code of an image whose keywords were not read yet


@dataclass(frozen=True, slots=True, eq=False)
class Posted:
    """The images of a keyword.

    Attributes:
        hits: by row of ``images/``.
        places: int64 [N], where each of them stands in the keyword's postings, of which 0 is the best.
    """

    hits: Hits
    places: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _RowGroup:
    part: PartFile = field(compare=False)  # with its thousand keywords, it would be slow to hash
    name: str
    number: int


class Index:
    """Reads what a query needs, and keeps it up to a limit."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Read nothing yet."""
        self._snapshot = snapshot
        self.image_rows = snapshot.manifest.counts.rows
        self.sets: list[str] = []  # the different sets of keyword ids seen so far, each joined by "|"
        self.keyword_numbers: dict[str, int] = {}  # of keywords on images that changed
        self.laid: OrderedDict[str, DeltaOverlay] = (
            OrderedDict()
        )  # what ``layered`` found out of each delta that lies over it
        self._code_of_set: dict[str, int] = {}
        self._set_codes = np.full(self.image_rows, UNKNOWN, np.int32)
        self._files: dict[str, ParquetFile] = {}
        self._posted: OrderedDict[str, Posted] = OrderedDict()
        self._shown: OrderedDict[_RowGroup, Any] = OrderedDict()
        self._terms: OrderedDict[frozenset[str], Hits] = OrderedDict()
        self.algebra = Algebra(self.image_rows)

    @cached_property
    def tagged(self) -> Hits:
        """All tagged images, with the score 1."""
        rows = np.flatnonzero(np.concatenate([file.tagged() for file in self._image_files]))
        return Hits(rows, np.ones(len(rows)))

    def find(self, node: Node) -> Hits:
        """Return the images that a query finds."""
        return evaluated(node, self)

    def products_of(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return a number for each of these images that is the same for all images of a product: int32 [N]."""
        return self.products.of_rows[rows]

    @cached_property
    def products(self) -> ProductNumbers:
        """The numbers of products."""
        numbers, products = numbered(file.column("product") for file in self._image_files)
        return ProductNumbers(numbers, products, sorted_numbers(products))

    def rows_named(self, images: Sequence[str]) -> NDArray[np.int64]:
        """Return the row of each of these images, or ``places.ABSENT`` where the snapshot does not have it."""
        return self._places.rows(images)

    @cached_property
    def _places(self) -> ImagePlaces:
        return ImagePlaces(self._image_files, [part.row_groups for part in self._snapshot.manifest.images])

    @cached_property
    def _image_files(self) -> list[ParquetFile]:
        return self._opened(self._snapshot.manifest.images)

    def _opened(self, parts: Iterable[PartFile]) -> list[ParquetFile]:
        """Return these files; those that were not opened before are, several at once."""
        named = {part.name: part for part in parts}
        new = [name for name in named if name not in self._files]
        with ThreadPoolExecutor(OPENED_AT_ONCE) as pool:
            self._files.update(zip(new, pool.map(self._snapshot.open, [named[name] for name in new]), strict=True))
        return [self._files[name] for name in named]

    def term(self, keyword_ids: frozenset[str]) -> Hits:
        """Return the images that have any of these keywords, by the best of their scores."""
        if keyword_ids not in self._terms:
            stretches = [stretch for each in keyword_ids for stretch in self._stretches.get(each, ())]
            self._opened(stretch.part for stretch in stretches)
            posted = (self.posted(each) for each in sorted(keyword_ids))
            self._terms[keyword_ids] = self.algebra.union([each.hits for each in posted if each is not None])
            while len(self._terms) > 1 and sum(len(each.rows) for each in self._terms.values()) > KEPT_TERM_ROWS:
                self._terms.popitem(last=False)
        self._terms.move_to_end(keyword_ids)
        return self._terms[keyword_ids]

    def posted(self, keyword_id: str) -> Posted | None:
        """Return the images of exactly this keyword, or None where there are none."""
        if keyword_id not in self._stretches:
            return None
        if keyword_id not in self._posted:
            self._posted[keyword_id] = self._read(self._stretches[keyword_id])
            while len(self._posted) > 1 and sum(len(each.places) for each in self._posted.values()) > KEPT_POSTINGS:
                self._posted.popitem(last=False)
        self._posted.move_to_end(keyword_id)
        return self._posted[keyword_id]

    def set_codes(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return for each of these images the place in ``sets`` of its keywords: int32 [N]."""
        found = self._set_codes[rows]
        if (found == UNKNOWN).any():
            self._read_all_sets()
            found = self._set_codes[rows]
        return found

    def shown(self, rows: Sequence[int], keyword_ids: Iterable[str]) -> list[Shown]:
        """Return what is shown of these images, of which most have one of the keywords, from few row groups."""
        candidates = self._where(rows, keyword_ids)
        shown: dict[int, Shown] = {}
        while left := [row for row in rows if row not in shown]:
            counts = Counter(group for row in left for group in candidates[row])
            group = max(counts, key=lambda each: (counts[each], each in self._shown))
            inside = [row for row in left if group in candidates[row]]
            shown.update(zip(inside, self._read_shown(group, [candidates[row][group] for row in inside]), strict=True))
        return [shown[row] for row in rows]

    @cached_property
    def _stretches(self) -> dict[str, list[Stretch]]:
        return stretches(self._snapshot.manifest.postings)

    @cached_property
    def _group_ends(self) -> dict[str, NDArray[np.int64]]:
        """Behind which row each row group of a file ends."""
        manifest = self._snapshot.manifest
        return {
            part.name: np.array(list(accumulate(part.row_groups)), np.int64)
            for part in (*manifest.images, *manifest.postings)
        }

    def _read(self, places: Sequence[Stretch]) -> Posted:
        read = []
        for stretch in places:
            groups, skip = stretch.row_groups
            read.append(self._snapshot.open(stretch.part).postings(groups, skip, stretch.rows))
        rows = np.concatenate([each.image_rows for each in read])
        scores = np.concatenate([each.scores for each in read])
        self._set_codes[rows] = np.concatenate([self.codes(each.set_codes, each.sets) for each in read])
        order = np.argsort(rows)
        return Posted(Hits(rows[order], scores[order]), order)

    def _read_all_sets(self) -> None:
        read = [file.keyword_sets() for file in self._image_files]
        self._set_codes = np.concatenate([self.codes(codes, sets) for codes, sets in read])

    def codes(self, codes: NDArray[np.int32], sets: Sequence[str]) -> NDArray[np.int32]:
        """Return codes that mean the same in all files."""
        for each in sets:
            if each not in self._code_of_set:
                self._code_of_set[each] = len(self.sets)
                self.sets.append(each)
        return np.array([self._code_of_set[each] for each in sets], np.int32)[codes]

    def _where(self, rows: Sequence[int], keyword_ids: Iterable[str]) -> dict[int, dict[_RowGroup, int]]:
        """Return for each image the row groups in which it stands, and where in them."""
        found: dict[int, dict[_RowGroup, int]] = {row: {} for row in rows}
        wanted = np.array(rows, np.int64)
        for keyword_id in self._carried(wanted, keyword_ids):
            posted = self.posted(keyword_id)
            if posted is None:
                continue
            at = np.minimum(np.searchsorted(posted.hits.rows, wanted), len(posted.places) - 1)
            for here in np.flatnonzero(posted.hits.rows[at] == wanted).tolist():
                group, place = self._of_posting(keyword_id, int(posted.places[at[here]]))
                found[rows[here]][group] = place
        for row in rows:
            if not found[row]:
                group, place = self._of_row(self._snapshot.manifest.images, row)
                found[row][group] = place
        return found

    def _carried(self, rows: NDArray[np.int64], keyword_ids: Iterable[str]) -> set[str]:
        """Return those of these keywords that any of the images carries, as far as their sets were read."""
        codes = set(self._set_codes[rows].tolist())
        if UNKNOWN in codes:
            return set(keyword_ids)
        return {each for code in codes for each in self.sets[code].split("|")}.intersection(keyword_ids)

    def _of_posting(self, keyword_id: str, place: int) -> tuple[_RowGroup, int]:
        for stretch in self._stretches[keyword_id]:
            if place < stretch.rows:
                return self._of_row([stretch.part], stretch.first + place)
            place -= stretch.rows
        raise IndexError(place)

    def _of_row(self, parts: Sequence[PartFile], row: int) -> tuple[_RowGroup, int]:
        for part in parts:
            if row < part.rows:
                ends = self._group_ends[part.name]
                number = int(np.searchsorted(ends, row, side="right"))
                return _RowGroup(part, part.name, number), row - int(ends[number]) + part.row_groups[number]
            row -= part.rows
        raise IndexError(row)

    def _read_shown(self, group: _RowGroup, places: Sequence[int]) -> list[Shown]:
        file = self._snapshot.open(group.part)
        if group not in self._shown:
            self._shown[group] = file.read_shown(group.number)
            if len(self._shown) > KEPT_ROW_GROUPS:
                self._shown.popitem(last=False)
        self._shown.move_to_end(group)
        return file.shown(self._shown[group], places)
