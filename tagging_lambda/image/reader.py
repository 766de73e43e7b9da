"""A reader in its own process: a picture that kills, hangs or bloats the decoder harms only itself."""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from pipeline.errors import ImageRejected, RejectReason, RetryLater
from pipeline.facts import PhotoFacts
from tagging_lambda.image.picture import Picture

if TYPE_CHECKING:
    from typing import IO

    from tagging_lambda.model_card import InputContract

IMAGE_LIMIT_S = 10.0  # the slowest of 30,393 files took 0.5 s on a dedicated machine
MEMORY_LIMIT_BYTES = 1024**3  # a WebP of 64 million pixels takes 16 bytes a pixel, the most of all formats we read
START_LIMIT_S = 20.0  # chosen by us: a start takes 0.2 s on an idle machine
ATTEMPTS = 2  # chosen by us: the first death may have another cause, so only the second blames the picture
FRAME = struct.Struct("<cQ")  # the kind of the payload, and its length in bytes
HEAD = struct.Struct("<IIIIBI")  # rows, columns, original width and height, low_information, bytes of facts
READY, PICTURE, REJECTED = b"+", b"P", b"R"
_CHUNK_BYTES = 1 << 20


class Reader(Protocol):
    """Reads pictures, in this process or in another."""

    def read(self, data: bytes) -> Picture:
        """Return the picture in the file.

        Raises:
            ImageRejected: with the reason and the limit. No file raises anything else.
            RetryLater: the reader itself could not start.
        """
        ...


@dataclass
class ProcessReader:
    """Reads pictures in a child process, replaced when a picture kills it. For one thread at a time.

    ``deaths`` counts the children that pictures have killed.
    """

    contract: InputContract
    limit_s: float = IMAGE_LIMIT_S
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES
    program: str = "tagging_lambda.image.reader_process"
    deaths: int = 0
    _child: _Child | None = field(default=None, repr=False)

    def read(self, data: bytes) -> Picture:
        """Return the picture in the file, like ``Reader``, within the limits of time and memory."""
        left_s = self.limit_s
        for _ in range(ATTEMPTS):
            child = self._ready()
            begun_s = time.monotonic()
            try:
                kind, body = self._asked(child, data, begun_s + left_s)
            except (OSError, EOFError):
                cause = self._buried()
                left_s -= time.monotonic() - begun_s
                continue
            if kind == REJECTED:
                answer = json.loads(body)
                raise ImageRejected(RejectReason(answer["reason"]), answer["detail"])
            return _unpacked(body)
        raise ImageRejected(RejectReason.CORRUPT, f"reading it ends the decoder ({cause})")

    def start(self) -> None:
        """Start the child if none runs, without waiting, so that other work can overlap."""
        if self._child is not None and self._child.process.poll() is None:
            return
        self.close()
        setup = {"contract": asdict(self.contract), "memory_limit_bytes": self.memory_limit_bytes}
        self._child = _Child.started(self.program, json.dumps(setup))

    def close(self) -> None:
        """End the child, however busy it is."""
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def _ready(self) -> _Child:
        self.start()
        child = cast("_Child", self._child)
        child.wait_until_ready()
        return child

    def _asked(self, child: _Child, data: bytes, until_s: float) -> tuple[bytes, bytes]:
        try:
            child.send(data, until_s)
            return child.receive(until_s)
        except TimeoutError as error:
            self._buried()
            raise ImageRejected(RejectReason.CORRUPT, f"reading it takes more than {self.limit_s:g} s") from error

    def _buried(self) -> str:
        """Forget the child, and return its cause of death."""
        child, self._child = cast("_Child", self._child), None
        self.deaths += 1
        code = child.end()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


@dataclass
class _Child:
    """One running reader, and the two pipes to it."""

    process: subprocess.Popen[bytes]
    ready: bool = False

    @classmethod
    def started(cls, program: str, setup: str) -> _Child:
        root = str(Path(__file__).resolve().parents[2])
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",  # each thread's buffers would count against the memory limit
            "PYTHONPATH": os.pathsep.join([root, *(path for path in sys.path if path)]),
        }
        # Pictures are read in a child process, so that a hostile file cannot take the function down (DECISIONS.md, 2).
        process = subprocess.Popen(  # noqa: S603 - this interpreter, our own module
            [sys.executable, "-m", program, setup],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libtiff prints an attacker's text there, thousands of lines a file
            env=environment,
            bufsize=0,
        )
        for stream in (process.stdin, process.stdout):
            os.set_blocking(cast("IO[bytes]", stream).fileno(), False)
        return cls(process)

    def wait_until_ready(self) -> None:
        """Wait until the child can read; a failure here is never a picture's fault."""
        if self.ready:
            return
        try:
            kind, _ = self.receive(time.monotonic() + START_LIMIT_S)
        except (OSError, EOFError) as error:
            raise RetryLater(f"the reader did not start (exit code {self.end()})") from error
        self.ready = kind == READY

    def send(self, data: bytes, until_s: float) -> None:
        pipe = cast("IO[bytes]", self.process.stdin).fileno()
        left = memoryview(FRAME.pack(b"D", len(data)) + data)
        while left:
            _wait([], [pipe], until_s)
            left = left[os.write(pipe, left[:_CHUNK_BYTES]) :]

    def receive(self, until_s: float) -> tuple[bytes, bytes]:
        kind, length = FRAME.unpack(self._exactly(FRAME.size, until_s))
        return kind, self._exactly(length, until_s)

    def _exactly(self, length: int, until_s: float) -> bytes:
        pipe = cast("IO[bytes]", self.process.stdout).fileno()
        received = bytearray()
        while len(received) < length:
            _wait([pipe], [], until_s)
            chunk = os.read(pipe, length - len(received))
            if not chunk:
                raise EOFError("the reader has ended")
            received += chunk
        return bytes(received)

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            cast("IO[bytes]", stream).close()
        return code


def _wait(readable: list[int], writable: list[int], until_s: float) -> None:
    if select.select(readable, writable, [], max(0.0, until_s - time.monotonic())) == ([], [], []):
        raise TimeoutError


def packed(picture: Picture) -> bytes:
    """Return the picture serialised for the pipe."""
    rows, columns, _ = picture.levels.shape
    facts = picture.facts.pack() if picture.facts else b""
    head = HEAD.pack(rows, columns, picture.width_pixels, picture.height_pixels, picture.low_information, len(facts))
    return head + facts + picture.levels.tobytes()


def _unpacked(body: bytes) -> Picture:
    rows, columns, width, height, low_information, facts_bytes = HEAD.unpack_from(body)
    levels_offset = HEAD.size + facts_bytes
    facts = PhotoFacts.unpack(body[HEAD.size : levels_offset])
    levels = np.frombuffer(body, np.uint8, offset=levels_offset).reshape(rows, columns, 3)
    return Picture(levels, width, height, bool(low_information), facts)
