"""Files from the wild that harm, deceive or confuse decoders each get the verdict they must, through the function."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import quote_plus

import psutil
import pytest

from pipeline.records import RejectedImage, TaggedImage
from tagging_lambda.image.reader import IMAGE_LIMIT_S, ProcessReader
from tests.builders import CONTRACT, SHARED, jpeg, shop, tagger
from tests.post import Post, sqs, uploaded

HOSTILE = SHARED / "hostile"
MOST_MEMORY_BYTES = 400_000_000
BATCH = 10

pytestmark = pytest.mark.skipif(not HOSTILE.exists(), reason="the hostile files are not on this machine")


@dataclass
class TimedReader(ProcessReader):
    """A reader that notes how long each file took."""

    seconds: list[float] = field(default_factory=list)

    def read(self, data: bytes):
        begun_s = time.monotonic()
        try:
            return super().read(data)
        finally:
            self.seconds.append(time.monotonic() - begun_s)


@dataclass
class Passed:
    """What the function made of the files: by name, and what that cost."""

    rows: dict[str, dict[str, str]]
    said: dict[str, str]
    sent_back: list[str]
    deaths: int
    slowest_s: float
    peak_bytes: int


@cache
def passed() -> Passed:
    """Return what comes of it when every file is uploaded under its own odd name, and the function told by events."""
    reader = TimedReader(CONTRACT)
    post = Post(tagger(reader=reader))
    rows = {row["file"]: row for row in csv.DictReader((HOSTILE / "manifest.csv").open(encoding="utf-8"))}
    keys = {name: f"{row['sha256']}/{row['upload_as'] or name}" for name, row in rows.items()}
    for name, key in keys.items():
        post.reconciler.images.put(shop(key), (HOSTILE / name).read_bytes())
    try:
        reader.read(jpeg())
        child = psutil.Process(reader.child.process.pid)
        base_bytes, bodies = child.memory_info().rss, [uploaded(quote_plus(key)) for key in keys.values()]
        sent_back = [
            each for at in range(0, len(bodies), BATCH) for each in post.handled(sqs(*bodies[at : at + BATCH]))
        ]
        peak_bytes = _peak_bytes(child.pid) - base_bytes if child.is_running() else 0
    finally:
        reader.close()
    said = {name: _said(post.reconciler.table.records[shop(key)]) for name, key in keys.items()}
    return Passed(rows, said, sent_back, reader.deaths, max(reader.seconds), peak_bytes)


def _said(record: object) -> str:
    if isinstance(record, RejectedImage):
        return f"refused:{record.reason}"
    assert isinstance(record, TaggedImage)
    return "tagged"


def _peak_bytes(pid: int) -> int:
    """Return the most memory that the process ever had, as the kernel counted it."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def firm(*columns: str) -> list[tuple[str, str, str]]:
    """Return name, expected and found of every file for which these columns say that the verdict is firm."""
    rows = passed().rows.items()
    return [
        (name, row["expected"], passed().said[name])
        for name, row in rows
        if all(row[column] == "1" for column in columns)
    ]


def test_every_firm_verdict_is_met():
    verdicts = firm("verdict_firm", "reason_firm")
    assert len(verdicts) >= 280
    assert [each for each in verdicts if each[1] != each[2]] == []


def test_what_must_be_refused_is_refused_whatever_the_reason():
    verdicts = firm("verdict_firm")
    assert len(verdicts) >= 300
    assert [each for each in verdicts if each[1].split(":")[0] != each[2].split(":")[0]] == []


def test_every_file_is_acknowledged_with_an_end_of_its_own():
    assert passed().sent_back == []
    assert set(passed().said) == set(passed().rows)


def test_no_file_ends_the_reader_or_takes_much_memory_or_time():
    assert passed().deaths == 0
    assert 0 < passed().peak_bytes < MOST_MEMORY_BYTES
    assert passed().slowest_s < IMAGE_LIMIT_S
