"""Asks the API of searches and lookups over an export and a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode

from pipeline.http.resolver import VERSION
from pipeline.memory.files import MemoryFiles
from results_sink.http.api import Api, add_routes
from results_sink.search.newest import ExportReader
from results_sink.search.snapshot import Downloaded
from tests.api_caller import ApiAnswer, caller_for
from tests.results_sink.small_shop import exported, small_shop, small_vocabulary, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.keywords import Vocabulary
    from pipeline.ports import FileStore, RecordTable
    from pipeline.records import Record


@dataclass
class Clock:
    """Says the second that it was set to."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


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
        self.warnings: list[str] = []
        api = Api(self.table, newest, vocabulary)
        self.caller = caller_for(lambda app: add_routes(app, api), warn=self.warnings.append)

    def get(self, path: str, **query: object) -> ApiAnswer:
        """Ask for a path of the API; the parameters of the query may have a ``_`` behind their name."""
        return self.ask("GET", path, urlencode({name.rstrip("_"): value for name, value in query.items()}))

    def post(self, path: str, body: str, media_type: str = "application/json") -> ApiAnswer:
        """Send a body to a path."""
        return self.ask("POST", path, body=body.encode(), headers={"content-type": media_type})

    def ask(
        self, method: str, path: str, query: str = "", body: bytes = b"", headers: dict[str, str] | None = None
    ) -> ApiAnswer:
        """Ask anything below the API's version."""
        return self.caller.send(method, VERSION + path, query, body, headers)

    def raw(self, method: str, path: str, query: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Return the status and the body of the answer to a request whose path is whole and still encoded."""
        answer = self.caller.send(method, unquote(path), query, body, headers)
        return answer.status, answer.data


def asker_of(work: Path, records: Sequence[Record] | None = None) -> Asker:
    """Return what asks an API over these records and an export of them; by default the small shop's."""
    files = MemoryFiles()
    exported(files, work, records)
    return Asker(files, work, None if records is None else table_of(records))
