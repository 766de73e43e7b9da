"""A shop in disorder: pictures good and bad, names of every kind, and everything that happens to them."""

from __future__ import annotations

import hashlib
import io
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import numpy as np
from PIL import Image

from pipeline.images import ImageRef
from pipeline.messages import TagImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = 60  # different pictures; most keys hold one with a few bytes of their own behind it
REAL_SIDE_PIXELS = 640  # photos are made smaller: the run is about messages
HOSTILE_BYTES = 100_000  # larger hostile files are left out, for the same reason
MENTIONED_ONLY = 0.05  # of the keys are asked for and never put
CHANGES = 0.5  # changes to the bucket for each key, after the first put
MESSAGES = 10  # for each key
NOT_JSON = 0.01  # of the messages
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
LEVELS = (40, 128, 216)  # of the colours that the tiny model tells apart
NAMES = (
    "shoes/{}.jpg",
    "a b/{}.jpg",
    "a+b/{}.jpg",
    "a%20b/{}.jpg",
    "über/é{}.jpg",
    "日本/靴{}.jpg",
    "😀{}.jpg",
    "a:b?c#d&e=f;g,h{}.jpg",
    'it\'s "quoted" <b>{}.jpg',
    "back\\slash{}.jpg",
    "double//slash{}.jpg",
    "new\nline{}.jpg",
    "no-ending-{}",
    "e\u0301 and \u00e9{}.png",
    "k" * 1000 + "{}",
)


@dataclass(frozen=True, slots=True)
class Put:
    """The object is put or replaced."""

    key: str
    picture: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """The object is removed, or was never there."""

    key: str


@dataclass(frozen=True, slots=True)
class Send:
    """A message is sent, to the uploads queue or to the backfill's."""

    body: str
    to_uploads: bool
    is_bad: bool = False


Event = Put | Delete | Send


@dataclass
class DisorderlyShop:
    """The same pictures, keys and events for the same seed.

    ``files`` says which picture an ETag stands for, ``used`` which keys were put, deleted or asked for so far: of those
    that are only asked for, chance leaves out one in some thousands.
    """

    seed: int
    size: int
    bucket: str
    good: list[bytes] = field(default_factory=list)
    bad: list[bytes] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Make pictures, unless they are given, and keys."""
        chance = random.Random(self.seed)
        self.good = self.good or [good_picture(chance, number) for number in range(GOOD)]
        self.bad = self.bad or bad_pictures(chance)
        self.keys = [NAMES[number % len(NAMES)].format(f"{number:06}") for number in range(self.size)]

    @property
    def pictures(self) -> list[bytes]:
        """All pictures, the good ones first, without what may stand behind their end."""
        return [*self.good, *self.bad]

    @property
    def messages(self) -> int:
        """How many messages are sent, S3's own included, about."""
        return MESSAGES * self.size

    def events(self) -> Iterator[Event]:
        """Yield everything that happens, in an order of no sense."""
        chance = random.Random(self.seed + 1)
        changes = self._changes(chance)
        sends = self.messages - len(changes)
        order = ["change"] * len(changes) + ["send"] * sends
        chance.shuffle(order)
        changing, sent = iter(changes), list[Send]()
        self.used = {change.key for change in changes}
        for kind in order:
            if kind == "change":
                yield next(changing)
                continue
            repeated = sent and chance.random() < 0.3
            send = chance.choice(sent) if repeated else self._send(chance, len(sent))
            sent.append(send)
            yield send

    def _changes(self, chance: random.Random) -> list[Put | Delete]:
        there = [key for key in self.keys if chance.random() >= MENTIONED_ONLY]
        first: list[Put | Delete] = [self._put(chance, key) for key in there]
        later: list[Put | Delete] = []
        for _ in range(round(self.size * CHANGES)):
            key = chance.choice(there)
            later.append(Delete(key) if chance.random() < 0.35 else self._put(chance, key))
        chance.shuffle(first)
        return first + later

    def _put(self, chance: random.Random, key: str) -> Put:
        is_bad = chance.random() < 0.15
        number = len(self.good) + chance.randrange(len(self.bad)) if is_bad else chance.randrange(len(self.good))
        data = self.pictures[number]
        if not is_bad and chance.random() < 0.6:
            data += chance.randbytes(8)  # behind a picture's end: other bytes, same picture
        self.files[f'"{hashlib.md5(data).hexdigest()}"'] = number
        return Put(key, number, data)

    def _send(self, chance: random.Random, number: int) -> Send:
        if chance.random() < NOT_JSON:
            return Send(bad_body(chance, number), chance.random() < 0.5, is_bad=True)
        key = chance.choice(self.keys)
        self.used.add(key)
        if chance.random() < 0.5:
            return Send(s3_event(chance, self.bucket, key), to_uploads=True)
        return Send(
            TagImage(ImageRef(self.bucket, key), f"20260101T0000{chance.randrange(60):02}Z-c0ffee").encode(), False
        )


def good_picture(chance: random.Random, number: int) -> bytes:
    """Return a picture of nearly one of the colours that the tiny model knows."""
    colour = np.array([chance.choice(LEVELS) for _ in range(3)])
    width, height = chance.randrange(16, 120), chance.randrange(16, 120)
    noise = np.random.default_rng(number).integers(-8, 9, (height, width, 3))
    file = io.BytesIO()
    picture = Image.fromarray((colour + noise).clip(0, 255).astype(np.uint8))
    kind = FORMATS[number % len(FORMATS)]
    picture.save(file, kind, **({"lossless": True} if kind == "WEBP" else {}))
    return file.getvalue()


def real_pictures(catalogue: Path) -> list[bytes]:
    """Return the photos of a folder, made smaller."""
    found = []
    for path in sorted(catalogue.glob("*.jpg")):
        file = io.BytesIO()
        with Image.open(path) as photo:
            photo.thumbnail((REAL_SIDE_PIXELS, REAL_SIDE_PIXELS))
            photo.save(file, "JPEG")
        found.append(file.getvalue())
    return found


def hostile_files(folder: Path) -> list[bytes]:
    """Return the files of a folder of hostile ones, or none where there is no such folder."""
    files = sorted(path for path in folder.glob("*") if path.is_file() and path.suffix != ".csv")
    return [path.read_bytes() for path in files if path.stat().st_size <= HOSTILE_BYTES]


def bad_pictures(chance: random.Random) -> list[bytes]:
    """Return files that can never be tagged, each for a reason of its own."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "JPEG")
    jpeg = file.getvalue()
    small, deep = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 400), "red").save(small, "PNG")
    Image.new("F", (64, 64), 0.5).save(deep, "TIFF")
    return [
        b"",
        b"no picture at all",
        b"%PDF-1.7\n" + chance.randbytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        jpeg[: len(jpeg) // 2],
        jpeg[:20],
        b"\x89PNG\r\n\x1a\n" + chance.randbytes(50),
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"GIF89a" + bytes(7),
        small.getvalue(),
        deep.getvalue(),
        chance.randbytes(500),
    ]


def bad_body(chance: random.Random, number: int) -> str:
    """Return a message in no language of ours, with a name of its own."""
    name = f"bad-{number}-{chance.getrandbits(32):08x}"
    return chance.choice(
        (
            name,
            f'{{"{name}',
            json.dumps({"name": name}),
            json.dumps([name]),
            json.dumps({"kind": "tag_image", "bucket": 7, "key": name}),
            json.dumps({"kind": "tag_image", "bucket": "shop", "key": "k" * 2000, "run_id": name}),
            json.dumps({"Records": [{"eventSource": name}]}),
            f"<xml>{name}</xml>",
            f"{name} ü 😀 \t",
        )
    )


def s3_event(chance: random.Random, bucket: str, key: str) -> str:
    """Return S3's message of something that may or may not have happened, early or late."""
    name = chance.choice(("ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload", "ObjectRemoved:Delete"))
    place = {
        "bucket": {"name": bucket},
        "object": {"key": quote_plus(key), "sequencer": f"{chance.getrandbits(64):016X}"},
    }
    return json.dumps({"Records": [{"eventVersion": "2.1", "eventName": name, "s3": place}]})
