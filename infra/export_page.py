"""The page and the search API over an export, on this machine alone: no stack, and nothing is changed."""

from __future__ import annotations

import base64
import json
import mimetypes
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import results_sink
from pipeline.http.document import load_document
from pipeline.http.models import ProblemCode
from pipeline.http.problems import problem_response
from pipeline.http.resolver import Resolver, make_http_handler
from pipeline.images import FILE_SCHEME, ImageRef, LocalImage
from pipeline.keywords import Vocabulary
from pipeline.memory.table import MemoryTable
from pipeline.records import Record
from pipeline.unreadable import UnreadableItem
from results_sink.connect import ExportPlace
from results_sink.export.exported_records import ExportedRecords
from results_sink.http import api, page_files
from results_sink.search.newest import ExportReader

HOST = "127.0.0.1"  # photos of this machine are served, so nobody else is answered
LOCAL_BUCKET = "file:"  # what the page takes for the bucket of file:///home/me/a.jpg
PHOTO_PATH = "/photo"
THUMBNAIL_PATH = re.compile(r"/v1/thumbnails/\d+/file://(?P<photo>/.+)", re.DOTALL)
ADDRESS_SECONDS = 900  # for which the page keeps an address; they stay good
MAX_REQUEST_BYTES = 1_048_576  # chosen by us: a hundred names of photos are some 50 kB
PAGE = Path(results_sink.__file__).with_name("page")
# What only a stack can do: the beginnings of its paths.
OF_A_STACK = ("classify", "decisions", "models", "ratings", "status", "uploads", "watch")


class ExportTable(MemoryTable):
    """The records of an export, which are also found by the name that the page gives a local photo."""

    def get_many(self, images: Collection[ImageRef]) -> dict[ImageRef, Record | UnreadableItem]:
        """Return the records as ``RecordTable`` promises."""
        names = {image: _local(image) for image in images}
        records = super().get_many(list(names.values()))
        return {image: records[name] for image, name in names.items() if name in records}


def _local(image: ImageRef) -> ImageRef:
    return LocalImage("", image.key.removeprefix("/")) if image.bucket == LOCAL_BUCKET else image


# Python's own server and not the embedded AWS, which takes longer to start and copies the photos (DECISIONS.md, 121).
@dataclass
class ExportPage:
    """Answers the requests of a browser from an export, read anew when a newer one is there."""

    place: ExportPlace
    vocabulary: Vocabulary
    warn: Callable[[str], None]
    clock_s: Callable[[], float] = time.monotonic
    _lock: Lock = field(default_factory=Lock)  # a resolver answers one request at a time

    def __post_init__(self) -> None:
        """Open the export.

        Raises:
            NoExport: nothing was exported to the place.
        """
        self._reader = ExportReader(
            self.place.files, self.place.copies, self.place.name, self.vocabulary, self.clock_s, self.warn
        )
        self._table, self._snapshot = ExportTable(), ""
        self._refresh()
        app = Resolver(self.warn)
        api.add_routes(app, api.Api(self._table, self._reader, self.vocabulary))
        # The page offers nothing that only a stack can do (DECISIONS.md, 156).
        settings = {"watch": "", "sign_in": "", "read_only": "true"}
        page_files.add_routes(app, page_files.PageFiles(PAGE, settings, page_files.AllowedHosts(), load_document))
        self._handler = make_http_handler(app)

    def answer(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request, both in API Gateway's payload format 2.0."""
        with self._lock:
            self._refresh()
            return self._handler(event, None)

    def photo_addresses(self, names: Collection[str]) -> dict[str, str]:
        """Return where a browser on this machine reads each photo that is a file; others are left out."""
        paths = {name: name.removeprefix("s3://").removeprefix(FILE_SCHEME) for name in names if FILE_SCHEME in name}
        return {name: f"{PHOTO_PATH}{quote(path)}" for name, path in paths.items() if self.photo(path) is not None}

    def photo(self, path: str) -> Path | None:
        """Return the file of a photo, if the export has a record of it: no other file is given out."""
        return Path(path) if LocalImage("", path) in self._table.records and Path(path).is_file() else None

    def _refresh(self) -> None:
        snapshot = self._reader.searcher().state.snapshot
        if snapshot != self._snapshot:
            records = ExportedRecords(self.place).scan()
            self._table.records = {record.observation.image: record for record in records}
            self._snapshot = snapshot


class _Browser(BaseHTTPRequestHandler):
    """One connection of a browser."""

    page: ExportPage
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a photo, a file of the page, or the API's answer."""
        self._answer("GET", b"")

    def do_POST(self) -> None:
        """Answer with the API's answer."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_REQUEST_BYTES:
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"connection": "close"}, b"")
            return
        self._answer("POST", self.rfile.read(length))

    def log_message(self, format: str, *words: object) -> None:  # noqa: A002 - the name that http.server gives it
        """Print nothing: the terminal is the person's."""

    def _answer(self, method: str, body: bytes) -> None:
        address = urlsplit(self.path)
        path = unquote(address.path)
        if self.headers.get("Host", "").rpartition(":")[0] not in {HOST, "localhost"}:
            self._send(HTTPStatus.FORBIDDEN, {}, b"")  # another website's name that leads here may read nothing
        elif path.startswith(f"{PHOTO_PATH}/"):
            self._send_photo(path.removeprefix(PHOTO_PATH))
        elif thumbnail := THUMBNAIL_PATH.fullmatch(path):  # on one machine, the photo itself is as quick to send
            self._send_photo(thumbnail["photo"])
        elif path == "/v1/photos" and method == "POST":
            self._send_addresses(body)
        elif path.removeprefix("/v1/").split("/")[0] in OF_A_STACK and path.startswith("/v1/"):
            problem = problem_response(
                ProblemCode.NOT_FOUND, "an export can only be searched; `catalog-tagger open FOLDER` does the rest"
            )
            self._send(problem.status_code, {"content-type": str(problem.content_type)}, str(problem.body).encode())
        else:
            self._send_answer(self.page.answer(self._event(method, address.path, address.query, body)))

    def _event(self, method: str, path: str, query: str, body: bytes) -> dict[str, Any]:
        http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": HOST, "userAgent": ""}
        return {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "queryStringParameters": dict(parse_qsl(query, keep_blank_values=True)),
            "requestContext": {"domainName": self.headers.get("Host", ""), "http": http, "stage": "$default"},
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }

    def _send_photo(self, path: str) -> None:
        file = self.page.photo(path)
        if file is None:
            self._send(HTTPStatus.NOT_FOUND, {}, b"")
            return
        kind, _ = mimetypes.guess_type(file.name)
        headers = {
            "content-type": kind if kind and kind.startswith("image/") else "application/octet-stream",
            "x-content-type-options": "nosniff",
            "cache-control": "private, max-age=900",
        }
        self._send(HTTPStatus.OK, headers, file.read_bytes())

    def _send_addresses(self, body: bytes) -> None:
        try:
            names = [str(name) for name in json.loads(body)["images"]]
        except (ValueError, KeyError, TypeError):
            self._send(HTTPStatus.BAD_REQUEST, {}, b"")
            return
        answer = {"photos": self.page.photo_addresses(names), "seconds": ADDRESS_SECONDS}
        self._send(HTTPStatus.OK, {"content-type": "application/json"}, json.dumps(answer).encode())

    def _send_answer(self, answer: dict[str, Any]) -> None:
        body = answer["body"]
        data = base64.b64decode(body) if answer["isBase64Encoded"] else str(body).encode()
        self._send(answer["statusCode"], answer["headers"], data)

    def _send(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def make_server(page: ExportPage) -> ThreadingHTTPServer:
    """Return a server of the page at a free port of this machine, which answers once ``serve_forever`` is called."""
    server = ThreadingHTTPServer((HOST, 0), type("Browser", (_Browser,), {"page": page}))
    server.daemon_threads = True
    return server
