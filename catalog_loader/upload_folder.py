"""Uploads the photos of a folder into the images bucket, in parallel, leaving out those that are already there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from pipeline.not_pictures import skip_reason
from pipeline.ordered_map import map_in_order

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.images import BucketPrefix, ListedImage
    from pipeline.ports import FileStore, ImageStore

AT_ONCE = 8  # uploads at the same time; chosen by us: enough to fill a shop's line
AHEAD = 64  # files read ahead; chosen by us: none of them is in memory


class UploadResult(StrEnum):
    """What became of a file."""

    UPLOADED = "uploaded"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class FolderUpload:
    """A folder and the prefix of the bucket that it goes to.

    Attributes:
        store: writes files below the prefix; None uploads nothing.
        existing: what lies below the prefix already, by its name.
    """

    folder: Path
    store: FileStore | None
    existing: Mapping[str, ListedImage] = field(default_factory=dict)

    def run(self, names: list[str]) -> Iterator[tuple[str, UploadResult]]:
        """Upload the named files, and yield each with its result, in their order.

        Raises:
            CallerError: a file cannot be read.
            RetryLater: the bucket stopped answering. Run it again to continue.
        """
        return map_in_order(self._upload, names, at_once=AT_ONCE, ahead=AHEAD)

    def _upload(self, name: str) -> tuple[str, UploadResult]:
        path = self.folder / name
        try:
            if name in self.existing and _is_same(path, self.existing[name]):
                return name, UploadResult.UNCHANGED
            if self.store is not None:
                self.store.write(name, path)
        except OSError as error:
            raise CallerError(f"{path} cannot be read: {error.strerror}") from error
        return name, UploadResult.UPLOADED


def list_photos(folder: Path, skipped_by: Counter[str]) -> list[str]:
    """Return the names of the photos below the folder, sorted, with ``/``; count in ``skipped_by`` what is none."""
    names = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        reason = skip_reason(name)
        if reason is None:
            names.append(name)
        else:
            skipped_by[reason] += 1
    return names


def existing_below(images: ImageStore, prefix: BucketPrefix) -> dict[str, ListedImage]:
    """Return what lies below the prefix, by its name without the prefix."""
    return {listed.image.key.removeprefix(prefix.prefix): listed for listed in images.listing(prefix)}


def _is_same(path: Path, listed: ListedImage) -> bool:
    """Return whether the object has the bytes of the file.

    The ETag of an object that was uploaded in one part is the MD5 of its bytes. boto3 uploads files from 8 MiB on in
    parts, and those have another ETag: they are sent again.
    """
    if path.stat().st_size != listed.size_bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == listed.etag.strip(
            '"'
        )
