"""The child of ``ProcessReader``: reads pictures until its input closes."""

from __future__ import annotations

import json
import mmap
import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ImageRejected
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.reader import FRAME, PICTURE, READY, REJECTED, SHARED_BYTES, packed
from tagging_lambda.model_card import InputContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tagging_lambda.image.picture import Picture


@dataclass(frozen=True)
class Parent:
    """The parent, as the child knows it: the memory shared with it, and the pipes, which are descriptors 0 and 1.

    ``sys.stdin`` and ``sys.stdout`` may be something else after a fork.
    """

    shared: mmap.mmap  # files come and pictures go there (DECISIONS.md, 170)

    @classmethod
    def of(cls, shared: int) -> Parent:
        """Return the parent whose memory is open as this descriptor, which is closed."""
        memory = mmap.mmap(shared, SHARED_BYTES)
        os.close(shared)  # mmap has a copy of its own
        return cls(memory)

    def requests(self) -> Iterator[bytes]:
        """Yield the content of each request, until there will be no more."""
        while frame := os.read(0, FRAME.size):
            _, length = FRAME.unpack(frame)
            yield self.shared[:length]

    def answer(self, kind: bytes, body: bytes = b"") -> None:
        """Answer the last request."""
        self.shared[: len(body)] = body
        os.write(1, FRAME.pack(kind, len(body)))


def serve(read: Callable[[bytes], Picture], parent: Parent) -> None:
    """Answer every request with a picture or a rejection, until there will be no more."""
    parent.answer(READY)
    for data in parent.requests():
        try:
            parent.answer(PICTURE, packed(read(data)))
        except ImageRejected as rejected:
            parent.answer(REJECTED, json.dumps({"reason": rejected.reason, "detail": rejected.detail}).encode())


def limit_memory(limit_bytes: int) -> None:
    """Make the kernel refuse memory beyond the limit: the decoder gets an error, and the machine is safe.

    What the process has already does not count, since a forked one has what its parent had. Disable core dumps as well:
    writing one takes longer than a picture may.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Else a large parent's child could not read the largest pictures (DECISIONS.md, 168).
    most_bytes = _data_bytes() + limit_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))


def _data_bytes() -> int:
    """Return the memory of this process that RLIMIT_DATA counts; 0 if the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
    except FileNotFoundError:
        return 0


def receive_setup(parent: Parent) -> tuple[InputContract, int]:
    """Return the input contract and the memory limit in bytes, which are the first request, a JSON object."""
    setup = json.loads(next(parent.requests()))
    return InputContract(**setup["contract"]), setup["memory_limit_bytes"]


def main(shared: int) -> None:
    """Serve the parent whose memory is open as this descriptor."""
    parent = Parent.of(shared)
    contract, memory_limit_bytes = receive_setup(parent)
    limit_memory(memory_limit_bytes)
    serve(lambda data: read_picture(data, contract), parent)


if __name__ == "__main__":
    main(int(sys.argv[1]))
