"""Through the function itself: one bad image never costs its neighbours."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pipeline.messages import TagImage
from pipeline.records import RejectedImage, TaggedImage
from pipeline.reject_reasons import RejectReason
from tagging_lambda.image.reader import ProcessReader
from tests.builders import CONTRACT, encoded, jpeg, shop, tagger
from tests.harmful import harmed_reader
from tests.post import Post, sqs

if TYPE_CHECKING:
    from pathlib import Path

MUTANTS, BATCH = 10_000, 50
HARM = {
    "exits.jpg": (b"exit", "exit code 3"),
    "crashes.jpg": (b"kill", "signal 11"),
    "hangs.jpg": (b"hang", "more than 4 s"),
    "swells.jpg": (b"swell", "signal 6"),
}


@pytest.mark.slow
def test_pictures_that_kill_hang_or_swell_the_decoder_are_rejected_with_the_cause_and_their_neighbours_tagged(
    tmp_path: Path, monkeypatch
):
    monkeypatch.syspath_prepend(str(tmp_path))
    reader = harmed_reader(tmp_path)
    post = Post(tagger(reader=reader))
    images, good = post.reconciler.images, [f"good-{number}.jpg" for number in range(6)]
    for number, key in enumerate(good):
        images.put(shop(key), jpeg(size=(64 + number, 48)))
    for key, (data, _) in HARM.items():
        images.put(shop(key), data)
    keys = [good[0], "exits.jpg", good[1], "hangs.jpg", good[2], good[3], "swells.jpg", "crashes.jpg", *good[4:]]
    try:
        assert post.handled(sqs(*(TagImage(shop(key)).encode() for key in keys))) == []
    finally:
        reader.close()
    records = post.reconciler.table.records
    assert all(isinstance(records[shop(key)], TaggedImage) for key in good)
    for key, (_, cause) in HARM.items():
        record = records[shop(key)]
        assert isinstance(record, RejectedImage)
        assert record.reason is RejectReason.CORRUPT
        assert cause in record.detail
    assert post.uploads.letters == []


@pytest.mark.slow
def test_a_picture_that_hangs_the_decoder_does_so_once_under_all_its_names(tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    reader = harmed_reader(tmp_path)
    post = Post(tagger(reader=reader))
    keys = [f"hangs-{number}.jpg" for number in range(10)]
    for key in keys:
        post.reconciler.images.put(shop(key), b"hang")
    try:
        assert post.handled(sqs(*(TagImage(shop(key)).encode() for key in keys))) == []
    finally:
        reader.close()
    assert reader.deaths == 1
    assert {record.reason for record in post.reconciler.table.records.values()} == {RejectReason.CORRUPT}


def good_files(chance: random.Random) -> list[bytes]:
    """Return a picture in every format that is read, and in the ways of writing them that differ most."""
    levels = np.random.default_rng(chance.randrange(100)).integers(0, 256, (60, 80, 3), np.uint8)
    levels[20:40, 10:60] = (200, 30, 30)
    picture = Image.fromarray(levels)
    frames = {"save_all": True, "append_images": [picture.rotate(90), picture.rotate(180)]}
    ways = (
        (picture, "JPEG", {}),
        (picture, "JPEG", {"progressive": True}),
        (picture.convert("L"), "JPEG", {}),
        (picture.convert("CMYK"), "JPEG", {}),
        (picture, "PNG", {}),
        (picture.convert("P"), "PNG", {}),
        (picture.convert("RGBA"), "PNG", {}),
        (picture, "WEBP", {}),
        (picture.convert("RGBA"), "WEBP", {"lossless": True}),
        (picture, "GIF", frames),
        (picture, "BMP", {}),
        (picture, "TIFF", {}),
        (picture, "TIFF", {"compression": "tiff_lzw"}),
        (picture, "TIFF", {"compression": "jpeg"}),
        (picture, "AVIF", {}),
    )
    return [encoded(each, kind, **options) for each, kind, options in ways]


def mutant(chance: random.Random, good: bytes) -> bytes:
    """Return the file with some bits flipped, most of them near its head, and sometimes a piece cut out or repeated."""
    damaged = bytearray(good)
    for _ in range(chance.choice((0, 1, 1, 2, 5, 20, 100))):
        where = int(len(damaged) * chance.random() ** chance.choice((1, 4)))
        damaged[where] ^= 1 << chance.randrange(8)
    begin, end = sorted(chance.randrange(len(damaged) + 1) for _ in range(2))
    change = chance.random()
    if change < 0.2:
        return bytes(damaged[:end])
    if change < 0.3:
        return bytes(damaged[:begin] + damaged[end:])
    if change < 0.4:
        return bytes(damaged[:end] + damaged[begin:])
    return bytes(damaged)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_done_to_a_file_it_ends_tagged_or_with_a_reason_and_nothing_else(seed: int):
    chance = random.Random(seed)
    goods = good_files(chance)
    reader = ProcessReader(CONTRACT)
    post = Post(tagger(reader=reader))
    keys = [f"{number}.jpg" for number in range(MUTANTS)]
    for number, key in enumerate(keys):
        post.reconciler.images.put(shop(key), mutant(chance, goods[number % len(goods)]))
    try:
        for at in range(0, MUTANTS, BATCH):
            assert post.handled(sqs(*(TagImage(shop(key)).encode() for key in keys[at : at + BATCH]))) == []
    finally:
        reader.close()
    records = post.reconciler.table.records
    assert len(records) == MUTANTS
    reasons = {record.reason for record in records.values() if isinstance(record, RejectedImage)}
    assert reasons <= set(RejectReason)
    assert len(reasons) >= 3
    assert sum(isinstance(record, TaggedImage) for record in records.values()) > MUTANTS / 10
