"""Files for engines and feeds are held against the types that their makers publish, by TypeScript's compiler.

No registry here has OpenSearch, Elasticsearch, Typesense or Meilisearch themselves, and Algolia is a service
(DECISIONS.md, 148). Shopify, WooCommerce and Google publish no types of their CSV files: those are held against the
columns that their documentation names, in test_formats.py.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from infra.model.npm import Npm
from results_sink.formats.opensearch import bulk_lines
from results_sink.formats.write import Format
from tests.results_sink.small_shop import small_vocabulary
from tests.results_sink.test_formats import CATALOGUE, written

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = (
    "typescript@5.9.3",
    "@opensearch-project/opensearch@3.9.0",
    "@elastic/elasticsearch@9.4.3",
    "typesense@3.1.0",
    "meilisearch@0.62.0",
    "algoliasearch@5.65.0",
    "schema-dts@2.1.0",
)
OPTIONS = {"strict": True, "noEmit": True, "skipLibCheck": True, "types": [], "module": "preserve", "target": "es2022"}
HEAD = """\
import type { Types } from "@opensearch-project/opensearch";
import type { estypes } from "@elastic/elasticsearch";
import type { DocumentSchema } from "typesense/lib/Typesense/Documents";
import type { DocumentsIds, RecordAny } from "meilisearch";
import type { BatchWriteParams } from "algoliasearch";
import type { Product, WithContext } from "schema-dts";
"""


def checks() -> list[tuple[str, object]]:
    """Return what is written, each value with the type that its reader takes."""
    bulk = [json.loads(line) for line in bulk_lines(CATALOGUE, small_vocabulary())]
    actions = [line for line in bulk if line.keys() <= {"index", "delete"}]
    typesense, meilisearch = written(Format.TYPESENSE), written(Format.MEILISEARCH)
    return [
        *(("Types.Core_Bulk.OperationContainer", action) for action in actions),
        *(("estypes.BulkOperationContainer", action) for action in actions),
        *(("DocumentSchema & { id: string }", line) for line in _lines(typesense["documents-00000.jsonl"])),
        *(("RecordAny", line) for line in _lines(meilisearch["documents-00000.ndjson"])),
        ("DocumentsIds", json.loads(meilisearch["deletions-00000.json"])),
        ("BatchWriteParams", json.loads(written(Format.ALGOLIA)["batch-00000.json"])),
        *(("WithContext<Product>", line) for line in _lines(written(Format.JSON_LD)["products.jsonl"])),
    ]


def _lines(text: str) -> list[object]:
    return [json.loads(line) for line in text.splitlines()]


def compiled(folder: Path, values: list[tuple[str, object]]) -> str:
    """Return what the compiler has against these values."""
    body = "".join(f"({json.dumps(value)}) satisfies {kind};\n" for kind, value in values)
    (folder / "files.ts").write_text(HEAD + body, encoding="utf-8")
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": OPTIONS, "files": ["files.ts"]}))
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    command = ["node", str(compiler), "-p", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.mark.slow
def test_engines_and_feeds_take_what_their_makers_types_say(tmp_path: Path) -> None:
    install = [*Npm().command(), "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(tmp_path)]
    subprocess.run([*install, *PACKAGES], check=True, capture_output=True)
    values = checks()

    assert len({kind for kind, _ in values}) == 7
    assert compiled(tmp_path, values) == ""
    damaged: list[tuple[str, object]] = [
        ("Types.Core_Bulk.OperationContainer", {"put": {"_id": "a"}}),
        ("estypes.BulkOperationContainer", {"index": {"_identity": "a"}}),
        ("DocumentsIds", [{"id": "a"}]),
        ("BatchWriteParams", {"requests": [{"action": "upsert", "body": {}}]}),
        ("WithContext<Product>", {"@context": "https://schema.org", "@type": "Product", "keyword": "boot"}),
    ]
    assert compiled(tmp_path, damaged).count("error TS") == len(damaged)
