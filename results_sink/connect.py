"""Puts an export's place behind the ports that the verbs need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.aws.clients import client
from pipeline.aws.s3 import S3Files
from pipeline.errors import CallerError
from pipeline.folder import FolderFiles
from pipeline.images import SCHEME, BucketPrefix
from pipeline.settings import home
from pipeline.stack import endpoint_url_of, find_stack
from results_sink.search.snapshot import Copies, Downloaded, InPlace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.ports import FileStore


@dataclass(frozen=True)
class ExportPlace:
    """Where an export lies, what it is called in messages, and how its files come to this machine."""

    name: str
    files: FileStore
    copies: Copies


def export_place(named: str | None, environment: Mapping[str, str]) -> ExportPlace:
    """Return the place of that name: a folder, ``s3://bucket/prefix``, or the stack's own where there is none.

    Raises:
        NoStack: none is deployed, and no place is named.
    """
    if named is None:
        stack = find_stack(environment)
        return _in_s3(folder_of(stack.export_bucket, stack.export_prefix), stack.endpoint_url)
    if named.startswith(SCHEME):
        prefix = BucketPrefix.parse(named)
        return _in_s3(folder_of(prefix.bucket, prefix.prefix), endpoint_url_of(environment))
    if "://" in named:
        raise CallerError(f"{named} is no place of an export; name a folder, or s3://bucket/prefix")
    root = Path(named)
    if root.exists() and not root.is_dir():
        raise CallerError(f"{root} is a file; an export is a folder")
    files = FolderFiles(root)
    return ExportPlace(str(root), files, InPlace(files))


def folder_of(bucket: str, prefix: str) -> BucketPrefix:
    """Return the place whose names begin with the prefix as a folder: it ends with a slash, or is empty."""
    bare = prefix.strip("/")
    return BucketPrefix(bucket, f"{bare}/" if bare else "")


def _in_s3(prefix: BucketPrefix, endpoint_url: str | None) -> ExportPlace:
    files = S3Files(client("s3", endpoint_url), prefix)
    name = str(prefix).rstrip("/")
    return ExportPlace(name, files, Downloaded(files, name, home() / "downloads" / "export"))
