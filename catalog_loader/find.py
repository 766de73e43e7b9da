"""Finds the images that are to be looked at: those of a listing, or of a manifest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from pipeline.images import SCHEME, ListedImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pipeline.images import BucketPrefix, ImageRef
    from pipeline.ports import ImageStore

FOLDER = "folder"  # the name under which markers of folders are counted: keys that end in a slash

# Endings of what is clearly no picture. Every other ending is sent, known or not, since tagging goes by the bytes; so
# is an object of any size, since the record of a refusal (`empty`, `bytes`) is what tells its owner.
_ENDINGS = """
    .avro .cfg .conf .csv .doc .docx .eml .epub .ini .json .jsonl .log .md .numbers .odp .ods .odt .orc .pages
    .parquet .pdf .ppt .pptx .rtf .toml .tsv .txt .xls .xlsx .xml .yaml .yml
    .bak .css .db .exe .htm .html .jar .java .js .key .lock .map .mdb .otf .pem .php .pkl .py .sh .sql .sqlite .ts
    .ttf .wasm .woff .woff2
    .aac .avi .flac .m4a .m4v .mkv .mov .mp3 .mp4 .mpeg .mpg .ogg .ogv .srt .vtt .wav .webm .wmv
    .7z .bz2 .gz .rar .tar .tgz .xz .zip .zst
"""
# DECISIONS.md, 8
NOT_PICTURES = frozenset(_ENDINGS.split())


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that was named: by a listing, which knows its object, or by a manifest, which may know its product."""

    image: ImageRef
    listed: ListedImage | None = None
    product: str | None = None
    again: bool = False  # whether it is read once more, though it was rejected and did not change


@dataclass
class Found:
    """Counts what was found, and what of it was skipped and why."""

    count: int = 0
    skipped_by: Counter[str] = field(default_factory=Counter)

    @property
    def skipped(self) -> int:
        """How many were found and are not wanted."""
        return self.skipped_by.total()

    def wanted(self, found: Iterable[FoundImage]) -> Iterator[FoundImage]:
        """Yield those that may be pictures, and count them all."""
        for one in found:
            self.count += 1
            reason = skip_reason(one.image)
            if reason is None:
                yield one
            else:
                self.skipped_by[reason] += 1

    def by_reason(self) -> Mapping[str, int]:
        """Return how many were skipped for each reason, most first."""
        return dict(self.skipped_by.most_common())


def skip_reason(image: ImageRef) -> str | None:
    """Return why the image is never sent (``folder``, or its ending), or None where it is."""
    if image.key.endswith("/"):
        return FOLDER
    return image.ending if image.ending in NOT_PICTURES else None


def find_listed(images: ImageStore, place: BucketPrefix, start_after: str = "") -> Iterator[FoundImage]:
    """Yield what lies at the place, in the order of the keys, behind ``start_after``."""
    for listed in images.listing(place, start_after.removeprefix(f"{SCHEME}{place.bucket}/")):
        yield FoundImage(listed.image, listed)


def behind(start_after: str, found: Iterable[FoundImage]) -> Iterator[FoundImage]:
    """Yield what follows the image named ``s3://bucket/key`` in a manifest; everything where the name is empty.

    Raises:
        CallerError: the manifest does not name the image.
    """
    rest = iter(found)
    if start_after and not any(str(one.image) == start_after for one in rest):
        raise CallerError(f"the manifest does not name {start_after}, after which to start")
    yield from rest
