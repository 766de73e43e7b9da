"""Ways to answer the same queries from the same rows: ours, DuckDB on our Parquet, and three indexes of others.

Each answers two keywords, each with those below it, joined by AND: how many photos there are, and the best twenty.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from typing import TYPE_CHECKING

from pipeline.folder import FolderFiles
from results_sink.search.newest import ExportReader
from results_sink.search.search import SearchRequest
from results_sink.search.snapshot import InPlace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.keywords import Vocabulary

Pair = tuple[str, str]
BEST = 20


def size_bytes(path: Path) -> int:
    """Return the size of a file, or of all files below a folder."""
    return sum(each.stat().st_size for each in ([path] if path.is_file() else path.rglob("*")) if each.is_file())


class Ours:
    """The export as its own index; facets are counted too."""

    name = "the export itself"

    def __init__(
        self,
        export: Path,
        vocabulary: Vocabulary,
        work: Path,
        *,
        per_product: bool = False,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        files = FolderFiles(export)
        self.size_bytes, self._vocabulary, self._per_product = 0, vocabulary, per_product
        self._newest = ExportReader(files, InPlace(files), str(export), vocabulary, clock_s)
        self._newest.searcher()

    def ask(self, pair: Pair) -> int:
        """Return how many results there are."""
        query = " ".join(f'"{self._vocabulary.nodes[each].name()}"' for each in pair)
        return self._newest.searcher().answer(SearchRequest(query, BEST, per_product=self._per_product)).total


class OursByProduct(Ours):
    """The same, as the API answers it by default."""

    name = "the export itself, by product"

    def __init__(self, export: Path, vocabulary: Vocabulary, work: Path) -> None:
        super().__init__(export, vocabulary, work, per_product=True)


class DuckDb:
    """DuckDB over the export's own postings, joined by the numbers of rows: names of images take four times as long."""

    name = "DuckDB on the same Parquet"

    def __init__(self, export: Path, vocabulary: Vocabulary, work: Path) -> None:
        import duckdb

        self.size_bytes, self._vocabulary = 0, vocabulary
        self._database = duckdb.connect(config={"threads": 2})
        self._postings = f"read_parquet('{export}/snapshots/*/postings/*.parquet')"

    def ask(self, pair: Pair) -> int:
        one, other = (
            f"(SELECT image_row, max(score) AS score FROM {self._postings}"
            f" WHERE keyword_id IN ({ids}) GROUP BY image_row)"
            for ids in (_quoted(self._vocabulary, each) for each in pair)
        )
        found = self._database.sql(
            f"SELECT image_row, least(a.score, b.score) AS score, count(*) OVER () AS total"
            f" FROM {one} a JOIN {other} b USING (image_row) ORDER BY score DESC, image_row LIMIT {BEST}"
        ).fetchall()
        return found[0][2] if found else 0


def _quoted(vocabulary: Vocabulary, keyword_id: str) -> str:
    return ", ".join(f"'{each}'" for each in sorted(vocabulary.descendants(keyword_id)))


class Sqlite:
    """SQLite's FTS5: a document of keyword ids for each photo, those above among them; its own ranking."""

    name = "SQLite FTS5"

    def __init__(self, export: Path, vocabulary: Vocabulary, work: Path) -> None:
        path = work / "fts5.sqlite"
        self._database = sqlite3.connect(path)
        self._database.execute("CREATE VIRTUAL TABLE photos USING fts5(image UNINDEXED, ids, detail=none)")
        with self._database:
            rows = ((image, " ".join(_word(each) for each in ids)) for image, ids in _rows(export, vocabulary))
            self._database.executemany("INSERT INTO photos VALUES (?, ?)", rows)
        self.size_bytes = size_bytes(path)

    def ask(self, pair: Pair) -> int:
        query = " AND ".join(_word(each) for each in pair)
        self._database.execute(
            f"SELECT image FROM photos WHERE photos MATCH ? ORDER BY rank LIMIT {BEST}", (query,)
        ).fetchall()
        return self._database.execute("SELECT count(*) FROM photos WHERE photos MATCH ?", (query,)).fetchone()[0]


class Tantivy:
    """Tantivy: the same documents; its own ranking."""

    name = "tantivy"

    def __init__(self, export: Path, vocabulary: Vocabulary, work: Path) -> None:
        import tantivy

        folder = work / "tantivy"
        folder.mkdir()
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("image", stored=True, tokenizer_name="raw", index_option="basic")
        builder.add_text_field("ids", stored=False, tokenizer_name="whitespace", index_option="basic")
        self._index = tantivy.Index(builder.build(), path=str(folder))
        writer = self._index.writer(heap_size=128_000_000, num_threads=1)
        for image, ids in _rows(export, vocabulary):
            writer.add_document(tantivy.Document(image=image, ids=" ".join(_word(each) for each in ids)))
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        self._searcher, self.size_bytes = self._index.searcher(), size_bytes(folder)

    def ask(self, pair: Pair) -> int:
        query = self._index.parse_query(" AND ".join(_word(each) for each in pair), ["ids"])
        found = self._searcher.search(query, BEST)
        for _, address in found.hits:
            self._searcher.doc(address)
        return found.count


def _word(keyword_id: str) -> str:
    """Return the id as one word to any tokenizer."""
    return keyword_id.replace("-", "")


def _rows(export: Path, vocabulary: Vocabulary):
    """Yield each photo of the export with its keyword ids, and those above them."""
    import pyarrow.parquet as pq

    above: dict[str, tuple[str, ...]] = {}
    for path in sorted(export.glob("snapshots/*/images/*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(columns=["image", "keywords.list.element.keyword_id"]):
            for row in batch.to_pylist():
                ids: set[str] = set()
                for each in row["keywords"]:
                    keyword_id = each["keyword_id"]
                    if keyword_id not in above:
                        known = keyword_id in vocabulary.nodes
                        above[keyword_id] = (keyword_id, *(vocabulary.ancestors(keyword_id) if known else ()))
                    ids.update(above[keyword_id])
                yield row["image"], sorted(ids)


WAYS = (Ours, OursByProduct, DuckDb, Sqlite, Tantivy)


def forget(work: Path) -> None:
    """Remove what a way built."""
    shutil.rmtree(work, ignore_errors=True)
