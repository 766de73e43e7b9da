"""Pictures that kill, hang or swell the decoder, played by a reader's child that does what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagging_lambda.image.reader import ProcessReader
from tests.builders import CONTRACT, jpeg

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_S = 4.0  # in place of ten
PATIENCE_S = 60.0  # chosen by us, for what ends by itself: at once on an idle machine
MEMORY_BYTES = 300 << 20  # in place of a gibibyte
PROGRAM = "harmful_reader"

# A child that does what the picture says, and otherwise reads as the product does.
HARMFUL = """
import os, signal, sys, time
from tagging_lambda.image import reader_process
from tagging_lambda.image.decode import read_picture

def read(data):
    if data == b"exit": os._exit(3)
    if data == b"late": time.sleep(3), os._exit(3)
    if data == b"kill": os.kill(os.getpid(), signal.SIGSEGV)
    if data == b"hang": time.sleep(600)
    if data == b"noise": os.write(2, b"the attacker's text" * 100_000)
    if data == b"swell":
        try:
            hoard = [bytearray(1 << 24) for _ in range(1 << 12)]
        except MemoryError:
            os.abort()
    return read_picture(jpeg if data in (b"noise",) else data, contract)

parent = reader_process.Parent.of(int(sys.argv[1]))
contract, memory_limit_bytes = reader_process.receive_setup(parent)
jpeg = bytes.fromhex("JPEG")
reader_process.limit_memory(memory_limit_bytes)
reader_process.serve(read, parent)
"""


def harmed_reader(folder: Path, limit_s: float = LIMIT_S) -> ProcessReader:
    """Return a reader whose child, whose program is written into the folder, can be harmed; the path must have it."""
    (folder / f"{PROGRAM}.py").write_text(HARMFUL.replace("JPEG", jpeg().hex()))
    return ProcessReader(CONTRACT, limit_s=limit_s, memory_limit_bytes=MEMORY_BYTES, program=PROGRAM)
