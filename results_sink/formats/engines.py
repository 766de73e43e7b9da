"""Photos for search engines: documents to put, and documents to delete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.batches import batched
from pipeline.records import Record, TaggedImage
from results_sink.formats.documents import category_levels, category_path, document_id, keyword_names
from results_sink.formats.opensearch import document_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.keywords import Vocabulary

PART_IMAGES = 5_000  # photos a file; chosen by us: some 6 MB, where Algolia takes batches of up to 10 MB
TYPESENSE_DELETE_IDS = (
    100  # ids a filter; chosen by us: 3.4 kB, where Typesense takes filters of up to 4,000 characters
)


def typesense(records: Iterable[Record], vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    """Yield files for Typesense: JSON lines to import with ``action=upsert``, and filters that delete, one a line.

    The collection needs the fields ``image``, ``product``, ``keywords`` and ``.*`` of the type ``auto``.
    """
    for number, (tagged, removed) in enumerate(_parts(records)):
        yield f"documents-{number:05d}.jsonl", _lines(_document(record, vocabulary, "id") for record in tagged)
        ids = (document_id(str(record.observation.image)) for record in removed)
        filters = [f"id:[{','.join(batch)}]\n" for batch in batched(ids, TYPESENSE_DELETE_IDS)]
        if filters:
            yield f"deletions-{number:05d}.txt", "".join(filters)


def meilisearch(records: Iterable[Record], vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    """Yield files for Meilisearch: NDJSON to put into ``/documents``, and id lists to post to ``delete-batch``."""
    for number, (tagged, removed) in enumerate(_parts(records)):
        yield f"documents-{number:05d}.ndjson", _lines(_document(record, vocabulary, "id") for record in tagged)
        if removed:
            ids = [document_id(str(record.observation.image)) for record in removed]
            yield f"deletions-{number:05d}.json", json.dumps(ids)


def algolia(records: Iterable[Record], vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    """Yield files for Algolia: bodies of ``POST /1/indexes/{index}/batch``, deletions among them."""
    for number, (tagged, removed) in enumerate(_parts(records)):
        requests: list[dict[str, Any]] = [
            {"action": "updateObject", "body": _document(record, vocabulary, "objectID")} for record in tagged
        ]
        requests += [
            {"action": "deleteObject", "body": {"objectID": document_id(str(record.observation.image))}}
            for record in removed
        ]
        yield f"batch-{number:05d}.json", json.dumps({"requests": requests}, ensure_ascii=False)


def _document(record: TaggedImage, vocabulary: Vocabulary, id_field: str) -> dict[str, Any]:
    """Return the photo as OpenSearch gets it, with an id that every engine takes and its category by level."""
    ids = [tag.keyword_id for tag in record.keywords]
    document = document_of(record, vocabulary)
    return {
        id_field: document_id(document["image"]),
        **document,
        "keywords": keyword_names(ids, vocabulary, vocabulary.languages[0]),
        "categories": category_levels(category_path(ids, vocabulary, vocabulary.languages[0])),
    }


def _parts(records: Iterable[Record]) -> Iterator[tuple[list[TaggedImage], Sequence[Record]]]:
    """Yield, part by part, the records to put and those to delete."""
    for batch in batched(records, PART_IMAGES):
        tagged = [record for record in batch if isinstance(record, TaggedImage)]
        yield tagged, [record for record in batch if not isinstance(record, TaggedImage)]


def _lines(documents: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n" for document in documents)
