"""The images of an export and the damage to its files, as an audit compares them with bucket and table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.images import ImageRef
    from pipeline.ports import ExportedImages


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """An image as searches see it: the observation, the record's revision, and its keywords with their scores."""

    image: ImageRef
    observed_at: datetime
    etag: str | None
    revision: int
    keywords: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ExportDamage:
    """Damage to a file of an export; ``stops_search`` says whether searches fail or answer wrongly because of it."""

    file: str
    problem: str
    stops_search: bool = True


@dataclass(frozen=True, slots=True)
class OpenedExport:
    """An export as an audit opens it; ``images`` is None if it cannot be read or does not exist."""

    images: ExportedImages | None = None
    damages: tuple[ExportDamage, ...] = ()
