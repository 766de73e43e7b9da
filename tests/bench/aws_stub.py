"""S3 and DynamoDB as the bench needs them: a process that answers as late as AWS, and costs the client nothing.

Usage: aws_stub.py FOLDER GET_LATENCY_S TABLE_LATENCY_S. It prints its port, and answers GET /BUCKET/NAME with a file.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote


def head(status: str, headers: dict[str, str | int]) -> bytes:
    """Return the head of an answer."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def serve(connection: socket.socket, folder: Path, get_latency_s: float, table_latency_s: float) -> None:
    """Answer what comes in over one connection, until it closes."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = connection.makefile("rb")
    while line := stream.readline():
        method, target, _ = line.decode().split(" ")
        headers = {}
        while header := stream.readline().strip():
            name, _, value = header.decode().partition(":")
            headers[name.lower()] = value.strip()
        stream.read(int(headers.get("content-length", 0)))
        if method == "GET":
            time.sleep(get_latency_s)
            body = (folder / Path(unquote(target)).name).read_bytes()
            kind = {"ETag": '"1"', "Last-Modified": formatdate(0, usegmt=True), "Content-Type": "image/jpeg"}
        else:
            time.sleep(table_latency_s)
            is_read = headers["x-amz-target"].endswith("BatchGetItem")
            body = json.dumps({"Responses": {}, "UnprocessedKeys": {}} if is_read else {}).encode()
            kind = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "1"}
        connection.sendall(
            head("200 OK", {**kind, "Content-Length": len(body), "Date": formatdate(usegmt=True)}) + body
        )


def main() -> None:
    """Serve until killed."""
    folder, *latencies = sys.argv[1:]
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            arguments = (connection, Path(folder), *map(float, latencies))
            threading.Thread(target=serve, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main()
