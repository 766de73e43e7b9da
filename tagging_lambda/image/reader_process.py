"""The child of ``ProcessReader``: reads pictures from its input until that closes."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pipeline.errors import ImageRejected
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.reader import FRAME, PICTURE, READY, REJECTED, packed
from tagging_lambda.model_card import InputContract

if TYPE_CHECKING:
    from collections.abc import Callable

    from tagging_lambda.image.picture import Picture


def serve(read: Callable[[bytes], Picture], requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer every request with a picture or a rejection, until the input ends."""
    _say(answers, READY, b"")
    while head := requests.read(FRAME.size):
        _, length = FRAME.unpack(head)
        data = requests.read(length)
        try:
            _say(answers, PICTURE, packed(read(data)))
        except ImageRejected as rejected:
            _say(answers, REJECTED, json.dumps({"reason": rejected.reason, "detail": rejected.detail}).encode())


def _say(answers: IO[bytes], kind: bytes, body: bytes) -> None:
    answers.write(FRAME.pack(kind, len(body)) + body)
    answers.flush()


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


def receive_setup(requests: IO[bytes]) -> tuple[InputContract, int]:
    """Return the input contract and the memory limit in bytes, which are the first request, a JSON object."""
    _, length = FRAME.unpack(requests.read(FRAME.size))
    setup = json.loads(requests.read(length))
    return InputContract(**setup["contract"]), setup["memory_limit_bytes"]


def main() -> None:
    """Serve on standard input and output, whatever ``sys.stdin`` was before a fork."""
    with open(0, "rb", closefd=False) as requests, open(1, "wb", closefd=False) as answers:
        contract, memory_limit_bytes = receive_setup(requests)
        limit_memory(memory_limit_bytes)
        serve(lambda data: read_picture(data, contract), requests, answers)


if __name__ == "__main__":
    main()
