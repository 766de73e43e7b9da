"""Coverage: how many images have a keyword and how many have none, by folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MOST_FOLDERS = 1000  # chosen by us: with a folder for each product there would be as many rows as images
EXAMPLES = 1000  # names of images without a keyword, chosen by us: the export has all of them
OTHERS = "(other folders)"


@dataclass(frozen=True, slots=True)
class FolderCoverage:
    """How many of a folder's images have a keyword."""

    folder: str
    images: int
    with_keyword: int

    @property
    def share(self) -> float:
        """The share of images with a keyword, in [0, 1]."""
        return self.with_keyword / self.images if self.images else 0.0


@dataclass
class Coverage:
    """Counts images as they are added, in bounded memory.

    Attributes:
        untagged: names of the first images without a keyword.
    """

    images: int = 0
    with_keyword: int = 0
    untagged: list[str] = field(default_factory=list)
    _images: Counter[str] = field(default_factory=Counter)
    _with_keyword: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, *, has_keyword: bool) -> None:
        """Count one image; its folder is its name up to the last slash."""
        self.add_folder(FolderCoverage(name.rpartition("/")[0] + "/", 1, int(has_keyword)))
        if not has_keyword and len(self.untagged) < EXAMPLES:
            self.untagged.append(name)

    def add_folder(self, counted: FolderCoverage) -> None:
        """Count images of a folder that were counted elsewhere."""
        is_full = counted.folder not in self._images and len(self._images) >= MOST_FOLDERS
        folder = OTHERS if is_full else counted.folder
        self.images += counted.images
        self.with_keyword += counted.with_keyword
        self._images[folder] += counted.images
        self._with_keyword[folder] += counted.with_keyword

    def begin_at(self, name: str) -> None:
        """Keep a place for each folder that the image is in: images before it may have been counted elsewhere."""
        scheme_and_bucket = 3  # s3:, nothing, and the bucket
        parts = name.split("/")
        for depth in range(scheme_and_bucket, len(parts)):
            self._images["/".join(parts[:depth]) + "/"] += 0

    @property
    def share(self) -> float:
        """The share of images with a keyword, in [0, 1]."""
        return self.with_keyword / self.images if self.images else 0.0

    @property
    def folders(self) -> tuple[FolderCoverage, ...]:
        """Each folder's counts, in the order of their first images."""
        counted = ((name, count) for name, count in self._images.items() if count)
        return tuple(FolderCoverage(name, count, self._with_keyword[name]) for name, count in counted)

    def by_folder(self) -> tuple[FolderCoverage, ...]:
        """Return each folder's counts, those with the most images without a keyword first."""
        folders = self.folders
        return tuple(sorted(folders, key=lambda folder: (folder.with_keyword - folder.images, folder.folder)))
