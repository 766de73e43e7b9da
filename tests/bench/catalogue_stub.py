"""A bucket, its table and a queue for any number of images, as AWS answers: the other side of ``bench_load``.

Usage: catalogue_stub.py IMAGES. It prints its port. Every image has the same record, under its own name.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from boto3.dynamodb.types import TypeSerializer

from pipeline.keywords import KeywordTag
from pipeline.records import ClassScore, TaggedImage
from pipeline.table_layout import to_item
from pipeline.vectors import FeatureVector
from tests.bench.aws_stub import JSON_HEADERS, serve_all
from tests.builders import observation, photo_facts, shop

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.bench.aws_stub import Headers, Request

# Of a listing of S3, and of the operations of others; chosen by us, as AWS answers within a region.
LATENCIES_S = {
    "": 0.05,
    "BatchGetItem": 0.01,
    "Scan": 0.02,
    "SendMessageBatch": 0.01,
    "GetQueueAttributes": 0.01,
    "ReceiveMessage": 0.01,
}
LISTED_A_CALL, SCANNED_A_CALL = 1000, 2000  # a megabyte of records
KEY = "catalogue/{:09d}.jpg"
NUMBER = re.compile(rb"catalogue/(\d{9})\.jpg")


def record_template() -> bytes:
    """Return a record in DynamoDB's JSON, of the size of a real one; ``NUMBER`` finds its names."""
    image = shop(KEY.format(0))
    tags = tuple(KeywordTag(keyword_id, 0.98) for keyword_id in ("n04120489", "n03001627", "shop-furniture"))
    scores = tuple(ClassScore(index, 0.05) for index in range(13))
    vector = FeatureVector("0123456789ab", bytes(256), 0.01)
    record = TaggedImage(observation(image), tags, scores, 1200, 1600, vector=vector, facts=photo_facts())
    serialize = TypeSerializer().serialize
    item = {name: serialize(value) for name, value in to_item(record, 1).items()}
    return json.dumps(item, default=_base64).encode()


def _base64(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode()


def answer(images: int, template: bytes, request: Request) -> tuple[Headers, bytes]:
    """Return what AWS would say of a bucket of so many images, each with its record."""
    time.sleep(LATENCIES_S[request.operation])
    if request.method == "GET":
        return {"Content-Type": "application/xml"}, _listing(images, parse_qs(urlsplit(request.target).query))
    if request.operation == "BatchGetItem":
        items = _items(template, NUMBER.findall(request.body))
        return JSON_HEADERS, b'{"Responses": {"table": [' + items + b']}, "UnprocessedKeys": {}}'
    if request.operation == "Scan":
        return JSON_HEADERS, _scanned(images, template, request.body)
    return JSON_HEADERS, json.dumps(_queue_answer(request)).encode()


def _listing(images: int, query: dict[str, list[str]]) -> bytes:
    first = int(query["continuation-token"][0]) if "continuation-token" in query else 0
    last = min(first + LISTED_A_CALL, images)
    entries = "".join(
        f"<Contents><Key>{KEY.format(number)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        '<ETag>"e"</ETag><Size>200000</Size><StorageClass>STANDARD</StorageClass></Contents>'
        for number in range(first, last)
    )
    more = f"<NextContinuationToken>{last}</NextContinuationToken>" if last < images else ""
    is_cut = str(last < images).lower()
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>shop</Name>'
        f"<IsTruncated>{is_cut}</IsTruncated>{more}{entries}</ListBucketResult>"
    ).encode()


def _items(template: bytes, numbers: Iterable[bytes]) -> bytes:
    return b", ".join(template.replace(b"000000000", number) for number in numbers)


def _scanned(images: int, template: bytes, body: bytes) -> bytes:
    start = NUMBER.search(body)
    first = int(start[1]) + 1 if start else 0
    last = min(first + SCANNED_A_CALL, images)
    page = b'{"Items": [' + _items(template, (f"{number:09d}".encode() for number in range(first, last))) + b"]"
    if last < images:
        page += f', "LastEvaluatedKey": {{"image": {{"S": "s3://shop/{KEY.format(last - 1)}"}}}}'.encode()
    return page + b"}"


def _queue_answer(request: Request) -> dict[str, Any]:
    document = json.loads(request.body)
    if request.operation == "SendMessageBatch":
        entries = [
            {
                "Id": entry["Id"],
                "MessageId": entry["Id"],
                "MD5OfMessageBody": hashlib.md5(entry["MessageBody"].encode()).hexdigest(),
            }
            for entry in document["Entries"]
        ]
        return {"Successful": entries, "Failed": []}
    if request.operation == "GetQueueAttributes":
        return {"Attributes": dict.fromkeys(document["AttributeNames"], "0")}
    return {}  # no dead letter is received


if __name__ == "__main__":
    serve_all(partial(answer, int(sys.argv[1]), record_template()))
