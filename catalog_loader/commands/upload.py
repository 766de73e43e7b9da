"""Runs `upload`: copies a folder's photos into the images bucket, reports, and returns the exit code."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from catalog_loader.commands.wait import wait_for_all
from catalog_loader.formatting import counts
from catalog_loader.upload_folder import FolderUpload, UploadResult, existing_below, list_photos
from pipeline.errors import CallerError
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.images import BucketPrefix
from pipeline.progress import Progress
from pipeline.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog_loader.connect import Connect
    from catalog_loader.console import Console


def upload(  # noqa: PLR0913 - one parameter for each option, and the way to the stack
    folder: str,
    prefix: str | None,
    connect: Connect,
    console: Console,
    *,
    dry_run: bool = False,
    wait: bool = False,
    sleep: Callable[[float], object] = time.sleep,
) -> int:
    """Upload the photos of the folder, and report how many were sent and how many were there already.

    Raises:
        CallerError: there is no such folder, or a file cannot be read.
    """
    root = Path(folder)
    if not root.is_dir():
        raise CallerError(f"there is no folder {folder}")
    skipped_by: Counter[str] = Counter()
    names = list_photos(root, skipped_by)
    ports = connect()
    target = BucketPrefix(ports.images_bucket, _prefix(root.resolve().name if prefix is None else prefix))
    store = None if dry_run else ports.files(target)
    job = FolderUpload(root, store, existing_below(ports.images, target))
    results: Counter[UploadResult] = Counter()
    with Progress("upload", total=len(names), quiet=console.as_json) as progress:
        for _, result in progress.over(job.run(names)):
            results[result] += 1
    uploaded, unchanged = results[UploadResult.UPLOADED], results[UploadResult.UNCHANGED]
    document = {
        "target": str(target),
        "would_upload" if dry_run else "uploaded": uploaded,
        "unchanged": unchanged,
        "skipped": skipped_by.total(),
        "skipped_by": dict(skipped_by.most_common()),
    }
    lines = [
        f"target      {printable(str(target))}",
        f"{'would send' if dry_run else 'uploaded':<11} {uploaded:,}",
        f"unchanged   {unchanged:,}",
        f"skipped     {counts(skipped_by)}",
    ]
    console.report(document, lines)
    if not names:
        console.hint(f"there are no photos in {folder}")
        return ATTENTION
    return wait_for_all(ports, console, sleep) if wait else DONE


def _prefix(text: str) -> str:
    stripped = text.strip("/")
    return f"{stripped}/" if stripped else ""
