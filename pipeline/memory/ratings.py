"""An in-memory fake of ratings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.ratings import Rating


@dataclass
class MemoryRatings:
    """Ratings in memory, as ``Ratings`` promises."""

    kept: dict[tuple[str, str], Rating] = field(default_factory=dict)

    def put(self, rating: Rating) -> None:
        """Keep the rating."""
        self.kept[rating.image, rating.part] = rating

    def of_image(self, image: str) -> Iterator[Rating]:
        """Yield the ratings of one image."""
        yield from (rating for rating in self.kept.values() if rating.image == image)

    def scan(self) -> Iterator[Rating]:
        """Yield the ratings."""
        yield from self.kept.values()
