"""Watchers in Amazon DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.aws.errors import translated
from pipeline.images import ImageRef
from pipeline.watchers import WATCH_HOURS, Ticket, Waiting, digest_of

ID, PART, IMAGE, LANGUAGE, EXPIRES_AT = "id", "part", "image", "language", "expires_at"
TICKET, WAITING = "ticket", "waiting"


@dataclass(frozen=True)
class DynamoWatchers:
    """Watchers in DynamoDB, as ``Watchers`` promises. Expired items count as absent before DynamoDB removes them."""

    dynamodb: Any
    table_name: str

    def issue(self, ticket: Ticket) -> None:
        """Put the ticket."""
        self._put(
            {
                ID: f"{TICKET}#{digest_of(ticket.secret)}",
                PART: TICKET,
                IMAGE: str(ticket.image),
            },
            ticket.expires_at,
        )

    def image_of(self, secret: str, at_time: datetime) -> ImageRef | None:
        """Get the ticket, strongly consistent."""
        key = {ID: {"S": f"{TICKET}#{digest_of(secret)}"}, PART: {"S": TICKET}}
        with translated(self.table_name):
            item = self.dynamodb.get_item(TableName=self.table_name, Key=key, ConsistentRead=True).get("Item")
        if item is None or int(item[EXPIRES_AT]["N"]) <= at_time.timestamp():
            return None
        return ImageRef.parse(item[IMAGE]["S"])

    def watch(self, image: ImageRef, waiting: Waiting, at_time: datetime) -> None:
        """Put who waits."""
        texts = {ID: f"{WAITING}#{image}", PART: waiting.connection, LANGUAGE: waiting.language}
        self._put(texts, at_time + timedelta(hours=WATCH_HOURS))

    def waiting_for(self, image: ImageRef, at_time: datetime) -> Sequence[Waiting]:
        """Query who waits, strongly consistent."""
        pages = self.dynamodb.get_paginator("query")
        with translated(self.table_name):
            return [
                Waiting(item[PART]["S"], item[LANGUAGE]["S"])
                for page in pages.paginate(
                    TableName=self.table_name,
                    KeyConditionExpression="#id = :id",
                    ExpressionAttributeNames={"#id": ID},
                    ExpressionAttributeValues={":id": {"S": f"{WAITING}#{image}"}},
                    ConsistentRead=True,
                )
                for item in page["Items"]
                if int(item[EXPIRES_AT]["N"]) > at_time.timestamp()
            ]

    def forget(self, image: ImageRef, connection: str) -> None:
        """Delete who waits."""
        key = {ID: {"S": f"{WAITING}#{image}"}, PART: {"S": connection}}
        with translated(self.table_name):
            self.dynamodb.delete_item(TableName=self.table_name, Key=key)

    def _put(self, texts: dict[str, str], expires_at: datetime) -> None:
        item = {name: {"S": text} for name, text in texts.items()}
        item[EXPIRES_AT] = {"N": str(int(expires_at.timestamp()))}
        with translated(self.table_name):
            self.dynamodb.put_item(TableName=self.table_name, Item=item)
