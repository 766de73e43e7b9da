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
        folder = name.rpartition("/")[0] + "/"
        if folder not in self._images and len(self._images) >= MOST_FOLDERS:
            folder = OTHERS
        self.images += 1
        self.with_keyword += has_keyword
        self._images[folder] += 1
        self._with_keyword[folder] += has_keyword
        if not has_keyword and len(self.untagged) < EXAMPLES:
            self.untagged.append(name)

    @property
    def share(self) -> float:
        """The share of images with a keyword, in [0, 1]."""
        return self.with_keyword / self.images if self.images else 0.0

    def by_folder(self) -> tuple[FolderCoverage, ...]:
        """Return each folder's counts, those with the most images without a keyword first."""
        folders = [FolderCoverage(name, count, self._with_keyword[name]) for name, count in self._images.items()]
        return tuple(sorted(folders, key=lambda folder: (folder.with_keyword - folder.images, folder.folder)))
