"""Records as newline-delimited JSON for OpenSearch's bulk API, deletions included."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.batches import batched
from pipeline.colours import decided_colours
from pipeline.keyword_names import KeywordNames
from pipeline.records import Record, TaggedImage
from pipeline.unreadable import UnreadableItems
from results_sink.export.manifest import NAME_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipeline.keywords import Vocabulary
    from pipeline.ports import Clock, FileStore
    from results_sink.export.rows import RecordSource

INDEX = "catalogue"
FOLDER = "opensearch-bulk/"
WHOLE_WORDS = ("image", "product", "keyword_ids", "colours", "vector_space")  # found as they are, and counted
NEWEST_NAME = f"{FOLDER}latest.txt"  # the files of the newest complete export, one per line, in order
INDEX_NAME = f"{FOLDER}index.json"  # the body of the request that creates the index
PART_IMAGES = 20_000  # chosen by us: some 40 MB, where OpenSearch takes requests of up to 100 MB


def bulk_lines(
    records: Iterable[Record], vocabulary: Vocabulary, index: str = INDEX, dimensions: int = 0
) -> Iterator[str]:
    """Yield two lines for each tagged image, its action and its document, and one line for any other: its deletion.

    The image's name is the document's id, so that loading twice changes nothing. Each line ends with a line feed.
    Documents have their vectors where these are of so many dimensions: a field takes vectors of one length.
    """
    for record in records:
        target = {"_index": index, "_id": str(record.observation.image)}
        if isinstance(record, TaggedImage):
            yield _line({"index": target})
            yield _line(document_of(record, vocabulary) | _vector_of(record, dimensions))
        else:
            yield _line({"delete": target})


def document_of(record: TaggedImage, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the image as a document: ids of its keywords and their ancestors, words by language, scores by id."""
    ids = [tag.keyword_id for tag in record.keywords]
    above = (ancestor for keyword_id in ids for ancestor in _ancestors(keyword_id, vocabulary))
    return {
        "image": str(record.observation.image),
        "product": record.observation.product,
        "keyword_ids": list(dict.fromkeys([*ids, *above])),
        "keywords": KeywordNames(vocabulary).documents(record.keywords),
        "words": {language: _words(ids, language, vocabulary) for language in vocabulary.languages},
        "colours": [colour.colour for colour in decided_colours(record.facts, record.decisions)],
        "best_score": max((tag.score for tag in record.keywords), default=0.0),
        "low_information": record.low_information,
        "model_version": record.observation.model_version,
        "taxonomy_version": record.observation.taxonomy_version,
        "run_id": record.observation.run_id,
        "observed_at": record.observation.observed_at.isoformat(),
        "revision": record.revision,
    }


def index_body(dimensions: int) -> dict[str, Any]:
    """Return what OpenSearch, from 2.9 on, needs to know before it takes the documents: fields and their types.

    Vectors are compared by cosine, as `catalog-tagger similar` compares looks; of 0 dimensions, there are none.
    """
    fields: dict[str, Any] = {name: {"type": "keyword"} for name in WHOLE_WORDS}
    if not dimensions:
        return {"mappings": {"properties": fields}}
    method = {"name": "hnsw", "space_type": "cosinesimil", "engine": "lucene"}
    # Bytes are what records hold; floats would take four times the room and say the same (DECISIONS.md, 141).
    vector = {"type": "knn_vector", "dimension": dimensions, "data_type": "byte", "method": method}
    return {"settings": {"index.knn": True}, "mappings": {"properties": {**fields, "vector": vector}}}


def _vector_of(record: TaggedImage, dimensions: int) -> dict[str, Any]:
    if record.vector is None or len(record.vector) != dimensions:
        return {}
    return {"vector": memoryview(record.vector.data).cast("b").tolist(), "vector_space": record.vector.space}


def _words(ids: Iterable[str], language: str, vocabulary: Vocabulary) -> list[str]:
    known = (vocabulary.nodes[keyword_id] for keyword_id in ids if keyword_id in vocabulary.nodes)
    return [word for node in known for word in node.words.get(language, ())]


def _ancestors(keyword_id: str, vocabulary: Vocabulary) -> list[str]:
    above = vocabulary.ancestors(keyword_id) if keyword_id in vocabulary.nodes else ()
    return [ancestor for ancestor in above if vocabulary.nodes[ancestor].is_emitted]


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


@dataclass(frozen=True, slots=True)
class BulkReport:
    """What was written: the files, and how many images they index or delete."""

    files: tuple[str, ...]
    indexed: int
    deleted: int


@dataclass
class BulkExporter:
    """Writes a table's records as files of bulk actions, each small enough for one request."""

    table: RecordSource
    files: FileStore
    vocabulary: Vocabulary
    clock: Clock
    part_images: int = PART_IMAGES

    def export(self, over: Callable[[Iterable[Record]], Iterable[Record]] = iter) -> BulkReport:
        """Write all records, what creates their index, and the list of their files; return what was written.

        The list names neither an unfinished export nor files of an earlier one.
        """
        folder = f"{FOLDER}{self.clock().strftime(NAME_TIME)}/"
        records = over(UnreadableItems().exclude_from(self.table.scan()))
        names: list[str] = []
        indexed = deleted = dimensions = 0
        for batch in batched(records, self.part_images):
            names.append(f"{folder}part-{len(names):05d}.ndjson")
            tagged = [record for record in batch if isinstance(record, TaggedImage)]
            dimensions = dimensions or next((len(record.vector) for record in tagged if record.vector), 0)
            self._write_lines(names[-1], bulk_lines(batch, self.vocabulary, dimensions=dimensions))
            indexed, deleted = indexed + len(tagged), deleted + len(batch) - len(tagged)
        self._write_lines(INDEX_NAME, [_line(index_body(dimensions))])
        self._write_lines(NEWEST_NAME, (f"{name}\n" for name in names))
        return BulkReport(tuple(names), indexed, deleted)

    def _write_lines(self, name: str, lines: Iterable[str]) -> None:
        with tempfile.TemporaryDirectory(prefix="bulk-") as work:
            path = Path(work) / "lines"
            with path.open("w", encoding="utf-8") as file:
                file.writelines(lines)
            self.files.write(name, path)
