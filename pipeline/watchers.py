"""Watchers: who waits for the result of an upload, and the tickets that let them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.aws.errors import translated
from pipeline.images import ImageRef

if TYPE_CHECKING:
    from collections.abc import Sequence

UPLOADS_PREFIX = "uploads/"  # what the keys of uploads begin with, and of nothing else
WATCH_HOURS = 2  # chosen by us: as long as Amazon API Gateway keeps a connection
ID, PART, IMAGE, LANGUAGE, EXPIRES_AT = "id", "part", "image", "language", "expires_at"
TICKET, WAITING = "ticket", "waiting"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What whoever uploads may watch with: a secret, for one image, until a moment."""

    secret: str
    image: ImageRef
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A connection that waits for an image, and the language that its person reads."""

    connection: str
    language: str


class Watchers(Protocol):
    """Who watches for what."""

    def issue(self, ticket: Ticket) -> None:
        """Let the ticket be good until it expires. Only a digest of the secret is kept."""
        ...

    def image_of(self, secret: str, now: datetime) -> ImageRef | None:
        """Return the image that the ticket with this secret is for; None where there is none that is still good."""
        ...

    def watch(self, image: ImageRef, waiting: Waiting, now: datetime) -> None:
        """Let the connection be among those that wait for the image."""
        ...

    def waiting_for(self, image: ImageRef, now: datetime) -> Sequence[Waiting]:
        """Return the connections that wait for the image."""
        ...

    def forget(self, image: ImageRef, connection: str) -> None:
        """Let the connection wait for the image no more."""
        ...


# DECISIONS.md, 22
def digest_of(secret: str) -> str:
    """Return what is kept of a secret."""
    # Anybody may send anything: half a character is a wrong secret as any other.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


@dataclass(frozen=True)
class DynamoWatchers:
    """Watchers in DynamoDB, as ``Watchers`` promises. What has expired is nothing, also before DynamoDB removes it."""

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

    def image_of(self, secret: str, now: datetime) -> ImageRef | None:
        """Get the ticket, strongly consistent."""
        key = {ID: {"S": f"{TICKET}#{digest_of(secret)}"}, PART: {"S": TICKET}}
        with translated(self.table_name):
            item = self.dynamodb.get_item(TableName=self.table_name, Key=key, ConsistentRead=True).get("Item")
        if item is None or int(item[EXPIRES_AT]["N"]) <= now.timestamp():
            return None
        return ImageRef.parse(item[IMAGE]["S"])

    def watch(self, image: ImageRef, waiting: Waiting, now: datetime) -> None:
        """Put who waits."""
        texts = {ID: f"{WAITING}#{image}", PART: waiting.connection, LANGUAGE: waiting.language}
        self._put(texts, now + timedelta(hours=WATCH_HOURS))

    def waiting_for(self, image: ImageRef, now: datetime) -> Sequence[Waiting]:
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
                if int(item[EXPIRES_AT]["N"]) > now.timestamp()
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


@dataclass
class MemoryWatchers:
    """Watchers in memory."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    waits: dict[tuple[ImageRef, str], tuple[str, datetime]] = field(default_factory=dict)

    def issue(self, ticket: Ticket) -> None:
        """Keep the ticket."""
        self.tickets[digest_of(ticket.secret)] = ticket

    def image_of(self, secret: str, now: datetime) -> ImageRef | None:
        """Return the image as ``Watchers`` promises."""
        ticket = self.tickets.get(digest_of(secret))
        # To the second, as DynamoDB keeps it.
        return ticket.image if ticket and int(ticket.expires_at.timestamp()) > now.timestamp() else None

    def watch(self, image: ImageRef, waiting: Waiting, now: datetime) -> None:
        """Keep who waits."""
        until = (now + timedelta(hours=WATCH_HOURS)).astimezone(UTC)
        self.waits[image, waiting.connection] = (waiting.language, until)

    def waiting_for(self, image: ImageRef, now: datetime) -> Sequence[Waiting]:
        """Return who waits as ``Watchers`` promises."""
        return [
            Waiting(who, language)
            for (what, who), (language, until) in sorted(self.waits.items())
            if what == image and until > now
        ]

    def forget(self, image: ImageRef, connection: str) -> None:
        """Forget who waits."""
        self.waits.pop((image, connection), None)
