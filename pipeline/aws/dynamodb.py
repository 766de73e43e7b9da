"""Records in Amazon DynamoDB."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from pipeline import table_layout
from pipeline.aws.clients import client
from pipeline.aws.errors import code_of, translated
from pipeline.errors import RetryLater, RevisionConflict
from pipeline.images import ImageRef
from pipeline.records import Record, RecordSummary, Rejection
from pipeline.reject_reasons import RejectReason
from pipeline.stack import find_stack
from pipeline.unreadable import UnreadableItem

T = TypeVar("T")
GET_BATCH = 100  # the most keys Amazon DynamoDB permits in one BatchGetItem
UNPROCESSED_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8)  # chosen by us: under two seconds, then the queue's back-off


@dataclass(frozen=True)
class DynamoTable:
    """Records in DynamoDB, as ``RecordTable`` promises."""

    dynamodb: Any
    name: str
    sleep: Callable[[float], None] = time.sleep

    def get_many(self, images: Collection[ImageRef]) -> dict[ImageRef, Record | UnreadableItem]:
        """Return the records by BatchGetItem, strongly consistent, a hundred a call."""
        images_by_key = {table_layout.key_of(image)[table_layout.IMAGE]: image for image in images}
        keys = [_to_wire({table_layout.IMAGE: key}) for key in images_by_key]
        records: dict[ImageRef, Record | UnreadableItem] = {}
        for start in range(0, len(keys), GET_BATCH):
            for item in self._get_batch(keys[start : start + GET_BATCH]):
                image = images_by_key[item[table_layout.IMAGE]["S"]]
                record = read_wire_record(item)
                records[image] = replace(record, image=image) if isinstance(record, UnreadableItem) else record
        return records

    def _get_batch(self, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
        requested = {self.name: {"Keys": keys, "ConsistentRead": True}}
        items: list[dict[str, Any]] = []
        for wait_s in (*UNPROCESSED_WAITS_S, None):
            with translated(self.name):
                answer = self.dynamodb.batch_get_item(RequestItems=requested)
            items += answer["Responses"].get(self.name, ())
            requested = answer.get("UnprocessedKeys") or {}
            if not requested:
                return items
            if wait_s is not None:
                self.sleep(wait_s)
        raise RetryLater(f"{self.name}: keys stay unprocessed")

    def put(self, record: Record, seen_revision: int) -> None:
        """Write the record by one conditional PutItem."""
        # The condition makes the older of two observations lose (DECISIONS.md, 1).
        names = {"#name": table_layout.REVISION if seen_revision else table_layout.IMAGE}
        condition = "#name = :seen" if seen_revision else "attribute_not_exists(#name)"
        values = {"ExpressionAttributeValues": {":seen": {"N": str(seen_revision)}}} if seen_revision else {}
        try:
            with translated(self.name):
                self.dynamodb.put_item(
                    TableName=self.name,
                    Item=_to_wire(table_layout.to_item(record, seen_revision + 1)),
                    ConditionExpression=condition,
                    ExpressionAttributeNames=names,
                    **values,
                )
        except ClientError as error:
            if code_of(error) == "ConditionalCheckFailedException":
                raise RevisionConflict(f"{record.observation.image} was written since it was read") from error
            raise

    def scan(self, segment: int = 0, segments: int = 1) -> Iterator[Record | UnreadableItem]:
        """Yield the records by Scan, strongly consistent, a megabyte a call."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.name, ConsistentRead=True, Segment=segment, TotalSegments=segments
        )
        with translated(self.name):
            for page in pages:
                for item in page["Items"]:
                    yield read_wire_record(item)

    def summaries(self) -> Iterator[RecordSummary | UnreadableItem]:
        """Yield the summaries by Scan, eventually consistent, which halves the price; only their attributes travel."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.name,
            ProjectionExpression=",".join(table_layout.SUMMARY),
            ExpressionAttributeNames=table_layout.SUMMARY_NAMES,
        )
        with translated(self.name):
            for page in pages:
                for item in page["Items"]:
                    yield _read(item, table_layout.read_summary)

    def of_product(self, product: str) -> tuple[Record | UnreadableItem, ...]:
        """Return the records by Query on the index by product."""
        items = self._query(table_layout.PRODUCT_INDEX, table_layout.PRODUCT, product)
        return tuple(read_wire_record(item) for item in items)

    def rejected(self, reason: RejectReason) -> Iterator[Rejection | UnreadableItem]:
        """Yield the rejections by Query on the index by reason, a megabyte a call."""
        for item in self._query(table_layout.REASON_INDEX, table_layout.REASON, str(reason)):
            yield _read(item, table_layout.read_rejection)

    def _query(self, index: str, key: str, value: str) -> Iterator[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=index,
            KeyConditionExpression="#key = :value",
            ExpressionAttributeNames={"#key": key},
            ExpressionAttributeValues={":value": {"S": value}},
        )
        with translated(self.name):
            for page in pages:
                yield from page["Items"]


def table_of_stack() -> DynamoTable:
    """Return the table of the deployed stack.

    Raises:
        NoStack: none is deployed.
    """
    stack = find_stack()
    return DynamoTable(client("dynamodb", stack.endpoint_url), stack.table_name)


def read_wire_record(item: dict[str, Any]) -> Record | UnreadableItem:
    """Return the record of an item in DynamoDB's JSON, as a table's stream has it too."""
    return _read(item, table_layout.read_record)


def _to_wire(item: dict[str, Any]) -> dict[str, Any]:
    serializer = TypeSerializer()
    return {name: serializer.serialize(value) for name, value in item.items()}


def _read(item: dict[str, Any], read: Callable[[dict[str, Any]], T | UnreadableItem]) -> T | UnreadableItem:
    deserializer = TypeDeserializer()
    return read({name: deserializer.deserialize(value) for name, value in item.items()})
