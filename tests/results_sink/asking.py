"""Asks the API as API Gateway does, without one: requests become events, and answers become objects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode

from pipeline.telemetry import make_logger
from results_sink.http.api import Api, make_handler
from results_sink.search.newest import ExportReader
from results_sink.search.snapshot import Downloaded
from tests.results_sink.small_shop import small_shop, small_vocabulary, table_of

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.keywords import Vocabulary
    from pipeline.ports import FileStore, RecordTable

CONTEXT = SimpleNamespace(function_name="api", memory_limit_in_mb=1, invoked_function_arn="", aws_request_id="1")


@dataclass
class Clock:
    """Says the second that it was set to."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True)
class Told:
    """An answer: its status, what its body says, and its headers in lower case."""

    status: int
    body: Any
    headers: dict[str, str]


class Asker:
    """Asks an API over an export and a table, by default those of the small shop."""

    def __init__(
        self, files: FileStore, work: Path, table: RecordTable | None = None, vocabulary: Vocabulary | None = None
    ) -> None:
        self.clock = Clock()
        vocabulary = vocabulary or small_vocabulary()
        newest = ExportReader(
            files, Downloaded(files, "the export", work / "copies"), "the export", vocabulary, self.clock
        )
        self.table = table or table_of(small_shop())
        self._handler = make_handler(Api(self.table, newest, vocabulary, make_logger("api")))

    def get(self, path: str, **query: object) -> Told:
        """Ask for a path; the parameters of the query may have a ``_`` behind their name."""
        return self.ask("GET", path, urlencode({name.rstrip("_"): value for name, value in query.items()}))

    def post(self, path: str, body: str, media_type: str = "application/json") -> Told:
        """Send a body to a path."""
        return self.ask("POST", path, body=body, headers={"content-type": media_type})

    def ask(
        self, method: str, path: str, query: str = "", body: str | None = None, headers: dict[str, str] | None = None
    ) -> Told:
        """Ask anything."""
        answer = self._answered(method, path, query, body, headers)
        sent = {name.lower(): value for name, value in answer["headers"].items()}
        said = json.loads(answer["body"]) if "json" in sent["content-type"] else answer["body"]
        return Told(answer["statusCode"], said, sent)

    def raw(self, method: str, path: str, query: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        """Return the status and the body of the answer to a request whose path is still encoded."""
        answer = self._answered(method, unquote(path), query, body, headers)
        return answer["statusCode"], answer["body"].encode()

    def _answered(
        self, method: str, path: str, query: str, body: str | None, headers: dict[str, str] | None
    ) -> dict[str, Any]:
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "queryStringParameters": dict(parse_qsl(query, keep_blank_values=True)),
            "headers": headers or {},
            "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
            "body": body,
            "isBase64Encoded": False,
        }
        return self._handler(event, CONTEXT)
