"""Records in Amazon DynamoDB."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from pipeline import table_layout
from pipeline.aws.errors import code_of, translated
from pipeline.errors import RejectReason, RetryLater, RevisionConflict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pipeline.images import ImageRef
    from pipeline.records import Record, RecordSummary, Rejection

GET_BATCH = 100  # the most keys Amazon DynamoDB permits in one BatchGetItem
UNPROCESSED_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8)  # chosen by us: under two seconds, then the queue's back-off


@dataclass(frozen=True)
class DynamoTable:
    """Records in DynamoDB, as ``RecordTable`` promises."""

    dynamodb: Any
    name: str
    sleep: Callable[[float], None] = time.sleep

    def get_many(self, images: Collection[ImageRef]) -> dict[ImageRef, Record]:
        """Return the records by BatchGetItem, strongly consistent, a hundred a call."""
        wanted = [_to_wire(table_layout.key_of(image)) for image in dict.fromkeys(images)]
        found: list[Record] = []
        for at in range(0, len(wanted), GET_BATCH):
            found += self._get_batch(wanted[at : at + GET_BATCH])
        return {record.observation.image: record for record in found}

    def _get_batch(self, keys: list[dict[str, Any]]) -> list[Record]:
        asked = {self.name: {"Keys": keys, "ConsistentRead": True}}
        found: list[Record] = []
        for wait_s in (*UNPROCESSED_WAITS_S, None):
            with translated(self.name):
                answer = self.dynamodb.batch_get_item(RequestItems=asked)
            found += [_from_wire(item) for item in answer["Responses"].get(self.name, ())]
            asked = answer.get("UnprocessedKeys") or {}
            if not asked:
                return found
            if wait_s is not None:
                self.sleep(wait_s)
        raise RetryLater(f"{self.name}: keys stay unprocessed")

    def put(self, record: Record, seen_revision: int) -> None:
        """Write the record by one conditional PutItem."""
        # DECISIONS.md, 1
        names = {"#at": table_layout.REVISION if seen_revision else table_layout.IMAGE}
        condition = "#at = :seen" if seen_revision else "attribute_not_exists(#at)"
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
                raise RevisionConflict(
                    f"{record.observation.image} was written by another look since it was read"
                ) from error
            raise

    def scan(self) -> Iterator[Record]:
        """Yield the records by Scan, strongly consistent, a megabyte a call."""
        pages = self.dynamodb.get_paginator("scan")
        with translated(self.name):
            for page in pages.paginate(TableName=self.name, ConsistentRead=True):
                for item in page["Items"]:
                    yield _from_wire(item)

    def summaries(self) -> Iterator[RecordSummary]:
        """Yield the ends by Scan, eventually consistent, which halves its price; only their attributes travel."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.name,
            ProjectionExpression=",".join(table_layout.END),
            ExpressionAttributeNames=table_layout.END_NAMES,
        )
        with translated(self.name):
            for page in pages:
                for item in page["Items"]:
                    yield table_layout.end_of(_plain(item))

    def of_product(self, product: str) -> tuple[Record, ...]:
        """Return the records by Query on the index by product."""
        found = self._query(table_layout.PRODUCT_INDEX, table_layout.PRODUCT, product)
        return tuple(_from_wire(item) for item in found)

    def rejected(self, reason: RejectReason) -> Iterator[Rejection]:
        """Yield the rejections by Query on the index by reason, a megabyte a call."""
        for item in self._query(table_layout.REASON_INDEX, table_layout.REASON, str(reason)):
            yield table_layout.rejection_of(_plain(item))

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


def record_of_wire(item: dict[str, Any]) -> Record:
    """Return the record of an item as it goes over the wire, in a table's stream as in its answers."""
    return _from_wire(item)


def _to_wire(item: dict[str, Any]) -> dict[str, Any]:
    serializer = TypeSerializer()
    return {name: serializer.serialize(value) for name, value in item.items()}


def _from_wire(item: dict[str, Any]) -> Record:
    return table_layout.from_item(_plain(item))


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    deserializer = TypeDeserializer()
    return {name: deserializer.deserialize(value) for name, value in item.items()}
