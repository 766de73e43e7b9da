"""AWS Lambda's Runtime API, as small as a runtime client needs it: events go in, answers come out."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

VERSION = "/2018-06-01/runtime"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:under-test"


@dataclass
class Call:
    """One call of the function: its event, and once it has ended, its answer or its error."""

    event: dict[str, Any]
    timeout_s: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    ended: threading.Event = field(default_factory=threading.Event)
    answer: Any = None
    error: dict[str, Any] | None = None


class RuntimeApi:
    """Serves one function on 127.0.0.1. ``refused`` holds the error of a function that could not start."""

    def __init__(self) -> None:
        """Begin to serve."""
        self.refused: dict[str, Any] | None = None
        self.waiting: queue.Queue[Call] = queue.Queue()
        self.begun: dict[str, Call] = {}
        self.stopped = threading.Event()
        self.started = threading.Event()  # the function is loaded: it has asked for its first event
        self.server = _QuietServer(("127.0.0.1", 0), _handler_of(self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API says."""
        return f"127.0.0.1:{self.server.server_port}"

    def call(self, event: dict[str, Any], timeout_s: float) -> Call:
        """Return the call of the function with this event, once it has ended or its time is over."""
        call = Call(event, timeout_s)
        self.waiting.put(call)
        call.ended.wait(timeout_s)
        return call

    def next(self) -> Call | None:
        """Return the next call, or None when nobody wants any more."""
        self.started.set()
        while not self.stopped.is_set():
            try:
                call = self.waiting.get(timeout=0.1)
            except queue.Empty:
                continue
            self.begun[call.id] = call
            return call
        return None


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a function that is ended drops its connection."""


def _handler_of(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().setup()

        def do_GET(self) -> None:
            call = api.next()
            if call is None:
                self.close_connection = True
                return
            deadline_ms = round((time.time() + call.timeout_s) * 1000)
            self._answer(
                200,
                json.dumps(call.event).encode(),
                {
                    "Lambda-Runtime-Aws-Request-Id": call.id,
                    "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
                    "Lambda-Runtime-Invoked-Function-Arn": ARN,
                },
            )

        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null")
            parts = self.path.removeprefix(VERSION).strip("/").split("/")
            if parts == ["init", "error"]:
                api.refused = said
                api.started.set()
            else:
                _, id_, what = parts
                call = api.begun[id_]
                call.answer, call.error = (said, None) if what == "response" else (None, said)
                call.ended.set()
            self._answer(202, b'{"status": "OK"}', {})

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            lines = {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}
            head = f"HTTP/1.1 {status} OK\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            self.wfile.write(head.encode() + b"\r\n" + body)  # at once: two writes wait for each other

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
