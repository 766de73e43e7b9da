"""Connections: open WebSockets of browsers, and what is sent through them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.aws.errors import is_code, translated

if TYPE_CHECKING:
    from collections.abc import Mapping


class Connections(Protocol):
    """Where messages go to browsers."""

    def send(self, connection: str, message: Mapping[str, Any]) -> bool:
        """Send the message as JSON and return whether somebody was there: False means that it is closed for good.

        Raises:
            RetryLater: it is not known.
        """
        ...

    def close(self, connection: str) -> None:
        """Close the connection; one that is closed already is no error."""
        ...


@dataclass(frozen=True)
class ApiGatewayConnections:
    """Connections of a WebSocket API in API Gateway, as ``Connections`` promises."""

    management: Any

    def send(self, connection: str, message: Mapping[str, Any]) -> bool:
        """Post to the connection."""
        data = json.dumps(message, separators=(",", ":")).encode()
        return self._was_there(lambda: self.management.post_to_connection(ConnectionId=connection, Data=data))

    def close(self, connection: str) -> None:
        """Delete the connection."""
        self._was_there(lambda: self.management.delete_connection(ConnectionId=connection))

    def _was_there(self, call: Any) -> bool:
        try:
            with translated("the connection"):
                call()
        except Exception as error:
            if is_code(error, "GoneException", "410"):
                return False
            raise
        return True


@dataclass
class MemoryConnections:
    """Connections in memory: what was sent, by connection. ``open`` names those that are."""

    open: set[str] = field(default_factory=set)
    sent: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def send(self, connection: str, message: Mapping[str, Any]) -> bool:
        """Keep the message, if the connection is open."""
        if connection in self.open:
            self.sent.append((connection, json.loads(json.dumps(message))))
        return connection in self.open

    def close(self, connection: str) -> None:
        """Close the connection."""
        self.open.discard(connection)
