"""An in-memory fake of watchers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pipeline.images import ImageRef
from pipeline.watchers import WATCH_HOURS, Ticket, Waiting, digest_of


@dataclass
class MemoryWatchers:
    """Watchers in memory."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    waits: dict[tuple[ImageRef, str], tuple[str, datetime]] = field(default_factory=dict)

    def issue(self, ticket: Ticket) -> None:
        """Keep the ticket."""
        self.tickets[digest_of(ticket.secret)] = ticket

    def image_of(self, secret: str, at_time: datetime) -> ImageRef | None:
        """Return the image as ``Watchers`` promises."""
        ticket = self.tickets.get(digest_of(secret))
        # To the second, as DynamoDB keeps it.
        return ticket.image if ticket and int(ticket.expires_at.timestamp()) > at_time.timestamp() else None

    def watch(self, image: ImageRef, waiting: Waiting, at_time: datetime) -> None:
        """Register the connection."""
        until = (at_time + timedelta(hours=WATCH_HOURS)).astimezone(UTC)
        self.waits[image, waiting.connection] = (waiting.language, until)

    def waiting_for(self, image: ImageRef, at_time: datetime) -> Sequence[Waiting]:
        """Return the connections as ``Watchers`` promises."""
        return [
            Waiting(connection, language)
            for (watched, connection), (language, until) in sorted(self.waits.items())
            if watched == image and until > at_time
        ]

    def forget(self, image: ImageRef, connection: str) -> None:
        """Forget the connection."""
        self.waits.pop((image, connection), None)
