"""Folders that exist whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder, which replaces `target` if the block succeeds and is removed if it fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    making = Path(tempfile.mkdtemp(prefix=leftover_prefix(target), dir=target.parent))
    making.chmod(0o755)  # mkdtemp permits only its owner; this folder gets deployed
    try:
        yield making
        _swap(making, target)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def leftover_prefix(target: Path) -> str:
    """Return the name prefix of folders made beside `target` to replace it."""
    return f".{target.name}-in-the-making-"


def remove_leftovers(target: Path) -> None:
    """Remove what a killed process left while making `target`. The caller must hold the lock."""
    for leftover in target.parent.glob(f"{leftover_prefix(target)}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _swap(making: Path, target: Path) -> None:
    before = making.with_name(f"{making.name}-before")
    if target.exists():
        target.rename(before)
    making.rename(target)
    shutil.rmtree(before, ignore_errors=True)
