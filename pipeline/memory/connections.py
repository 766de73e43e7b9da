"""An in-memory fake of browsers' connections."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import RetryLater


@dataclass
class MemoryConnections:
    """Connections in memory, as ``Connections`` promises.

    ``open`` names those that are; ``sent`` keeps messages; ``refused`` names those that the gateway cannot reach.
    """

    open: set[str] = field(default_factory=set)
    sent: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def send(self, connection: str, message: Mapping[str, Any]) -> bool:
        """Keep the message, if the connection is open."""
        if connection in self.refused:
            raise RetryLater(f"the connection {connection}: the gateway does not answer")
        if connection in self.open:
            self.sent.append((connection, json.loads(json.dumps(message))))
        return connection in self.open

    def close(self, connection: str) -> None:
        """Close the connection."""
        self.open.discard(connection)
