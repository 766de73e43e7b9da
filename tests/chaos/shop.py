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
from tests.chaos.words import read_words

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = 60  # different pictures; most keys hold one with a few bytes of their own behind it
MENTIONED_ONLY = 0.05  # of the keys are asked for and never put
CHANGES = 0.5  # changes to the bucket for each key, after the first put
MESSAGES = 10  # for each key, unless a run wants fewer
A_B_A = 0.1  # of the changes are three: a picture, another one, and the first one again
MULTIPART = 0.2  # of the objects are put in parts, and so have an ETag that is no MD5 of theirs
NOT_JSON = 0.01  # of the messages
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
LEVELS = (40, 128, 216)  # of the colours that the tiny model tells apart
COLOURS = len(LEVELS) ** 3
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


Truth = tuple[str, ...] | str  # the keywords of a picture, all of them sure, or the reason why it has none


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, and what must be said of it."""

    data: bytes
    truth: Truth


@dataclass(frozen=True, slots=True)
class Put:
    """The object is put or replaced, at once or in parts."""

    key: str
    data: bytes
    in_parts: bool = False

    @property
    def etag(self) -> str:
        """What S3 calls the object."""
        digest = hashlib.md5(self.data)
        return f'"{hashlib.md5(digest.digest()).hexdigest()}-1"' if self.in_parts else f'"{digest.hexdigest()}"'


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

    ``truths`` says what must be said of the object with an ETag, ``used`` which keys were put, deleted or asked for so
    far: of those that are only asked for, chance leaves out one in some thousands.
    """

    seed: int
    size: int
    bucket: str
    good: list[Picture] = field(default_factory=list)
    bad: list[Picture] = field(default_factory=list)
    messages_a_key: int = MESSAGES
    keys: list[str] = field(default_factory=list)
    truths: dict[str, Truth] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Make pictures, unless they are given, and keys."""
        chance = random.Random(self.seed)
        self.good = self.good or [good_picture(chance, number) for number in range(GOOD)]
        self.bad = self.bad or bad_pictures(chance)
        self.keys = [NAMES[number % len(NAMES)].format(f"{number:06}") for number in range(self.size)]

    @property
    def messages(self) -> int:
        """How many messages are sent, S3's own included, about."""
        return self.messages_a_key * self.size

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
        stored = [key for key in self.keys if chance.random() >= MENTIONED_ONLY]
        first: list[Put | Delete] = [self._put(chance, key) for key in stored]
        later: list[Put | Delete] = []
        while len(later) < round(self.size * CHANGES):
            key = chance.choice(stored)
            if chance.random() < A_B_A:
                before = self._put(chance, key)
                later += [before, self._put(chance, key), before]
            else:
                later.append(Delete(key) if chance.random() < 0.35 else self._put(chance, key))
        chance.shuffle(first)
        return first + later

    def _put(self, chance: random.Random, key: str) -> Put:
        is_bad = chance.random() < 0.15
        picture = chance.choice(self.bad if is_bad else self.good)
        # Behind a picture's end: other bytes, same picture.
        more = chance.randbytes(8) if not is_bad and chance.random() < 0.6 else b""
        return self.put(Put(key, picture.data + more, in_parts=chance.random() < MULTIPART), picture)

    def put(self, put: Put, picture: Picture) -> Put:
        """Return the event, having noted what must be said of the object."""
        self.truths[put.etag] = picture.truth
        return put

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


def good_picture(chance: random.Random, number: int) -> Picture:
    """Return a picture of nearly one of the colours that the tiny model knows, and the keywords of that class."""
    levels = [chance.randrange(len(LEVELS)) for _ in range(3)]
    colour = np.array([LEVELS[level] for level in levels])
    width, height = chance.randrange(16, 120), chance.randrange(16, 120)
    noise = np.random.default_rng(number).integers(-8, 9, (height, width, 3))
    file = io.BytesIO()
    picture = Image.fromarray((colour + noise).clip(0, 255).astype(np.uint8))
    kind = FORMATS[number % len(FORMATS)]
    picture.save(file, kind, **({"lossless": True} if kind == "WEBP" else {}))
    words, (red, green, blue) = read_words(), levels
    class_number = (red * len(LEVELS) + green) * len(LEVELS) + blue
    return Picture(file.getvalue(), words.line(words.leaves(COLOURS)[class_number]))


def bad_pictures(chance: random.Random) -> list[Picture]:
    """Return files that can never be tagged, each for a reason of its own."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "JPEG")
    jpeg = file.getvalue()
    small, deep = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 400), "red").save(small, "PNG")
    Image.new("F", (64, 64), 0.5).save(deep, "TIFF")
    return [
        Picture(b"", "empty"),
        Picture(b"no picture at all", "not_image"),
        Picture(b"%PDF-1.7\n" + chance.randbytes(100), "not_image"),
        Picture(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_image"),
        Picture(jpeg[: len(jpeg) // 2], "corrupt"),
        Picture(jpeg[:20], "corrupt"),
        Picture(b"\x89PNG\r\n\x1a\n" + chance.randbytes(50), "corrupt"),
        Picture(b"RIFF\x00\x00\x00\x00WEBPVP8 ", "corrupt"),
        Picture(b"GIF89a" + bytes(7), "corrupt"),
        Picture(small.getvalue(), "too_small"),
        Picture(deep.getvalue(), "unsupported"),
        Picture(chance.randbytes(500), "not_image"),
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
    entity = {
        "bucket": {"name": bucket},
        "object": {"key": quote_plus(key), "sequencer": f"{chance.getrandbits(64):016X}"},
    }
    return json.dumps({"Records": [{"eventVersion": "2.1", "eventName": name, "s3": entity}]})
