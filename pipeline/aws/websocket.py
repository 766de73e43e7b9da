"""Browsers' connections to a WebSocket API in Amazon API Gateway."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.errors import is_code, translated


@dataclass(frozen=True)
class ApiGatewayConnections:
    """Connections of a WebSocket API in API Gateway, as ``Connections`` promises."""

    management: Any

    def send(self, connection: str, message: Mapping[str, Any]) -> bool:
        """Post to the connection."""
        data = json.dumps(message, separators=(",", ":")).encode()
        return self._reaches(lambda: self.management.post_to_connection(ConnectionId=connection, Data=data))

    def close(self, connection: str) -> None:
        """Delete the connection."""
        self._reaches(lambda: self.management.delete_connection(ConnectionId=connection))

    def _reaches(self, call: Callable[[], object]) -> bool:
        try:
            with translated("the connection"):
                call()
        except Exception as error:
            if is_code(error, "GoneException", "410"):
                return False
            raise
        return True
