"""A reader in its own process: a picture that kills, hangs or bloats the decoder harms only itself."""

from __future__ import annotations

import importlib
import json
import mmap
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

import numpy as np

from pipeline.errors import ImageRejected, RetryLater
from pipeline.facts import PhotoFacts
from pipeline.images import check_file_size
from pipeline.reject_reasons import RejectReason
from tagging_lambda.image.picture import Picture

if TYPE_CHECKING:
    from tagging_lambda.model_card import InputContract

IMAGE_LIMIT_S = 10.0  # the slowest of 30,393 files took 0.5 s on a dedicated machine
MEMORY_LIMIT_BYTES = 1024**3  # a WebP of 64 million pixels takes 16 bytes a pixel, the most of all formats we read
START_LIMIT_S = 20.0  # chosen by us: a start takes 0.2 s on an idle machine
ATTEMPTS = 2  # chosen by us: the first death may have another cause, so only the second blames the picture
SHARED_BYTES = 32 << 20  # of memory that parent and child share: a file of 20 MiB, or a picture of 3,300 pixels square
FRAME = struct.Struct("<cQ")  # the kind of the payload, and its length in bytes
HEAD = struct.Struct("<IIIIBI")  # rows, columns, original width and height, low_information, bytes of facts
READY, PICTURE, REJECTED = b"+", b"P", b"R"
PROGRAM = "tagging_lambda.image.reader_process"
_SHARED_FD = 3  # of a child


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

    ``deaths`` counts the children that pictures have killed. ``child`` runs, or None does yet.
    """

    contract: InputContract
    limit_s: float = IMAGE_LIMIT_S
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES
    program: str = PROGRAM
    deaths: int = 0
    child: Child | None = field(default=None, repr=False)

    @classmethod
    def forked(cls, contract: InputContract) -> ProcessReader:
        """Return a reader whose child is a copy of this process, or a new one later if this process has threads.

        A copy has imported numpy already, and starts in a third of the processor time (DECISIONS.md, 168).
        """
        return cls(contract, child=Child.fork() if _has_one_thread() else None)

    def read(self, data: bytes) -> Picture:
        """Return the picture in the file, like ``Reader``, within the limits of time and memory."""
        check_file_size(len(data))  # before it is copied to where it would not fit
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
        if self.child is not None and self.child.process.poll() is None:
            return
        self.close()
        self.child = Child.start(self.program)

    def close(self) -> None:
        """End the child, however busy it is."""
        child, self.child = self.child, None
        if child is not None:
            child.end()

    def _ready(self) -> Child:
        self.start()
        child = cast("Child", self.child)
        setup = {"contract": asdict(self.contract), "memory_limit_bytes": self.memory_limit_bytes}
        child.wait_until_ready(json.dumps(setup).encode())
        return child

    def _asked(self, child: Child, data: bytes, until_s: float) -> tuple[bytes, bytes]:
        try:
            child.send(data)
            return child.receive(until_s)
        except TimeoutError as error:
            self._buried()
            raise ImageRejected(RejectReason.CORRUPT, f"reading it takes more than {self.limit_s:g} s") from error

    def _buried(self) -> str:
        """Forget the child, and return its cause of death."""
        child, self.child = cast("Child", self.child), None
        self.deaths += 1
        code = child.end()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


class _Process(Protocol):
    """What is needed of a running child, as ``subprocess.Popen`` offers it. A negative exit code is a signal."""

    def poll(self) -> int | None: ...

    def kill(self) -> None: ...

    def wait(self) -> int: ...


@dataclass
class _ForkedProcess:
    """A forked child."""

    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode if self.returncode is not None else self._collect(os.WNOHANG)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)  # safe: the kernel keeps the id until the exit code is collected

    def wait(self) -> int:
        return cast("int", self.returncode if self.returncode is not None else self._collect(0))

    def _collect(self, options: int) -> int | None:
        pid, status = os.waitpid(self.pid, options)
        self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


@dataclass
class Child:
    """One running reader, the memory shared with it, and this process's ends of the two pipes to it.

    Files and pictures lie in the shared memory; the pipes say that they do. Through a pipe they would be copied four
    times, in pieces (DECISIONS.md, 170).
    """

    process: _Process
    shared: mmap.mmap
    requests: int
    answers: int
    ready: bool = False

    @classmethod
    def start(cls, program: str = PROGRAM) -> Child:
        """Return a child with an interpreter of its own, without waiting for it."""
        root = str(Path(__file__).resolve().parents[2])
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",  # each thread's buffers would count against the memory limit
            "PYTHONPATH": os.pathsep.join([root, *(path for path in sys.path if path)]),
        }
        shared, (stdin, requests), (answers, stdout) = _shared_file(), os.pipe(), os.pipe()
        # Pictures are read in a child process, so that a hostile file cannot take the function down (DECISIONS.md, 2).
        process = subprocess.Popen(  # noqa: S603 - this interpreter, our own module
            [sys.executable, "-m", program, str(shared)],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.DEVNULL,  # libtiff prints an attacker's text there, thousands of lines a file
            env=environment,
            pass_fds=(shared,),
        )
        return cls._of(process, shared, (requests, answers), (stdin, stdout))

    @classmethod
    def fork(cls, program: str = PROGRAM) -> Child:
        """Return a child with a copy of this interpreter, without waiting for it.

        That saves the start of another interpreter, and the imports so far (DECISIONS.md, 134). Only for a process that
        has one thread: locks that other threads hold would never be released in the child.
        """
        shared, (stdin, requests), (answers, stdout) = _shared_file(), os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            _run_forked(program, shared, stdin, stdout)
        return cls._of(_ForkedProcess(pid), shared, (requests, answers), (stdin, stdout))

    @classmethod
    def _of(cls, process: _Process, shared: int, pipes: tuple[int, int], ends_of_child: tuple[int, int]) -> Child:
        memory = mmap.mmap(shared, SHARED_BYTES)
        if sys.platform == "linux":
            memory.madvise(mmap.MADV_DONTFORK)  # another reader's pictures are not the next child's to write to
        for unneeded in (shared, *ends_of_child):
            os.close(unneeded)  # else reading would never end once the child has
        return cls(process, memory, *pipes)

    def wait_until_ready(self, setup: bytes) -> None:
        """Send the child its setup unless it has it, and wait until it can read; a failure is never a picture's fault.

        Raises:
            RetryLater: the child did not start.
        """
        if self.ready:
            return
        until_s = time.monotonic() + START_LIMIT_S
        try:
            self.send(setup)
            kind, _ = self.receive(until_s)
        except (OSError, EOFError) as error:
            raise RetryLater(f"the reader did not start (exit code {self.end()})") from error
        self.ready = kind == READY

    def send(self, data: bytes) -> None:
        """Send one request to the child, of at most ``SHARED_BYTES``."""
        self.shared[: len(data)] = data
        os.write(self.requests, FRAME.pack(b"D", len(data)))

    def receive(self, until_s: float) -> tuple[bytes, bytes]:
        """Return the kind and the content of the child's next answer, or raise TimeoutError when the time has come."""
        if not select.select([self.answers], [], [], max(0.0, until_s - time.monotonic()))[0]:
            raise TimeoutError
        frame = os.read(self.answers, FRAME.size)  # whole: so few bytes are written at once
        if not frame:
            raise EOFError("the reader has ended")
        kind, length = FRAME.unpack(frame)
        return kind, self.shared[:length]

    def end(self) -> int:
        """End the child, however busy it is, and return its exit code."""
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait()
        self.shared.close()
        for pipe in (self.requests, self.answers):
            os.close(pipe)
        return code


def _shared_file() -> int:
    """Return the descriptor of a new file of ``SHARED_BYTES``, in memory where the system can."""
    if sys.platform == "linux":  # not shm_open(3): Lambda has no /dev/shm
        shared = os.memfd_create("pictures")
    else:
        with tempfile.TemporaryFile() as file:
            shared = os.dup(file.fileno())
    os.truncate(shared, SHARED_BYTES)
    return shared


def _run_forked(program: str, shared: int, stdin: int, stdout: int) -> NoReturn:
    """Run the program in the forked child, with this memory and these pipes, and end the child."""
    code = 1
    try:
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # an attacker's text, as above
        os.dup2(shared, _SHARED_FD)
        os.closerange(_SHARED_FD + 1, os.sysconf("SC_OPEN_MAX"))  # nothing else of the parent's is the decoder's
        importlib.import_module(program).main(_SHARED_FD)
        code = 0
    finally:
        os._exit(code)  # the parent's exit handlers are not the child's to run


def _has_one_thread() -> bool:
    """Return whether this process has no other thread, of Python or of a library; False if the system does not tell."""
    try:
        return len([*Path("/proc/self/task").iterdir()]) == 1
    except FileNotFoundError:
        return False


def packed(picture: Picture) -> bytes:
    """Return the picture serialised for the shared memory."""
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
