"""S3 and DynamoDB as the bench needs them: a process that answers as late as AWS, and costs the client nothing.

Usage: aws_stub.py FOLDER GET_LATENCY_S TABLE_LATENCY_S. It prints its port, and answers GET /BUCKET/NAME with a file.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

Headers = dict[str, "str | int"]
JSON_HEADERS: Headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "1"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and what AWS's JSON protocols call the operation; none for S3."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """The operation of DynamoDB or SQS."""
        return self.headers.get("x-amz-target", "").partition(".")[2]


def head(status: str, headers: Headers) -> bytes:
    """Return the head of an answer."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def serve(connection: socket.socket, answer: Callable[[Request], tuple[Headers, bytes]]) -> None:
    """Answer what comes in over one connection, until it closes."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = connection.makefile("rb")
    while line := stream.readline():
        method, target, _ = line.decode().split(" ")
        headers = {}
        while header := stream.readline().strip():
            name, _, value = header.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        kind, content = answer(Request(method, target, headers, body))
        connection.sendall(
            head("200 OK", {**kind, "Content-Length": len(content), "Date": formatdate(usegmt=True)}) + content
        )


def serve_all(answer: Callable[[Request], tuple[Headers, bytes]]) -> None:
    """Print the port, and serve until killed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=serve, args=(connection, answer), daemon=True).start()


def photo_or_record(
    folder: Path, get_latency_s: float, table_latency_s: float, request: Request
) -> tuple[Headers, bytes]:
    """Return a photo of the folder, or what an empty table says."""
    if request.method == "GET":
        time.sleep(get_latency_s)
        kind: Headers = {"ETag": '"1"', "Last-Modified": formatdate(0, usegmt=True), "Content-Type": "image/jpeg"}
        return kind, (folder / Path(unquote(request.target)).name).read_bytes()
    time.sleep(table_latency_s)
    is_read = request.operation == "BatchGetItem"
    return JSON_HEADERS, json.dumps({"Responses": {}, "UnprocessedKeys": {}} if is_read else {}).encode()


def main() -> None:
    """Serve until killed."""
    folder, *latencies_s = sys.argv[1:]
    serve_all(partial(photo_or_record, Path(folder), *map(float, latencies_s)))


if __name__ == "__main__":
    main()
