"""`catalog-tagger restore`: records of another table, or of an export, come back into this stack's table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import click

from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.batches import batched
from pipeline.errors import CallerError, RevisionConflict
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.images import ImageRef
from pipeline.ports import RecordTable
from pipeline.progress import Progress
from pipeline.records import Record
from pipeline.stack import find_stack
from pipeline.terminal import printable
from pipeline.unreadable import UnreadableItem, UnreadableItems
from results_sink.connect import export_place
from results_sink.export.exported_records import BackedUpRecords
from results_sink.export.rows import RecordSource

BATCH = 100  # the most records that one call reads
AT_ONCE = 16  # writes, chosen by us: some hundred a second


@dataclass
class Restored:
    """How many records were found in the source, were there already as they are, came back, or could not."""

    found: int = 0
    same: int = 0
    missing: int = 0
    other: int = 0
    overtaken: int = 0
    unreadable: UnreadableItems = field(default_factory=UnreadableItems)


@dataclass(frozen=True)
class Restorer:
    """Brings records back. Only what is missing, unless ``over`` says that what is otherwise gives way too."""

    source: RecordSource
    target: RecordTable
    pool: Executor
    over: bool = False
    dry_run: bool = False

    def restore(self, progress: Progress) -> Restored:
        """Return what came back, or would. What somebody writes meanwhile stays as they wrote it."""
        restored = Restored()
        records: Iterator[Record] = restored.unreadable.exclude_from(self.source.scan())
        for batch in batched(records, BATCH):
            items = self.target.get_many([record.observation.image for record in batch])
            # An item that cannot be read has no revision to replace it by: it stays until somebody deletes it.
            at_rest = {i: item for i, item in items.items() if not isinstance(item, UnreadableItem)}
            for item in items.values():
                if isinstance(item, UnreadableItem):
                    restored.unreadable.add(item)
            readable = [r for r in batch if not isinstance(items.get(r.observation.image), UnreadableItem)]
            wanted = [r for r in readable if self._is_wanted(r, at_rest.get(r.observation.image), restored)]
            if not self.dry_run:
                restored.overtaken += sum(self.pool.map(self._overtaken, wanted, [at_rest] * len(wanted)))
            progress.step(len(batch))
        return restored

    def _is_wanted(self, record: Record, at_rest: Record | None, restored: Restored) -> bool:
        restored.found += 1
        if at_rest is None:
            restored.missing += 1
            return True
        if replace(at_rest, revision=record.revision) == record:
            restored.same += 1
            return False
        restored.other += 1
        return self.over

    def _overtaken(self, record: Record, at_rest: Mapping[ImageRef, Record]) -> bool:
        # A record comes back by an ordinary conditional write, so that nothing newer is overwritten (DECISIONS.md, 27).
        before = at_rest.get(record.observation.image)
        try:
            self.target.put(record, before.revision if before else 0)
        except RevisionConflict:
            return True
        return False


@click.command()
@click.argument("table", required=False, metavar="[TABLE]")
@click.option("--from", "export", metavar="DIR|s3://BUCKET/PREFIX", help="An export, instead of another table.")
@click.option("--over", is_flag=True, help="Also records that are here, but otherwise: they become as they were there.")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would come back.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
def restore(*, table: str | None, export: str | None, over: bool, dry_run: bool, as_json: bool) -> int:
    """Bring back the records of another table, or with --from those of an export.

    The table is one of a point in time, or of a stack that was taken down. An export holds everything that the records
    of its photos hold, people's decisions included; photos that were gone or undone when it was written have no record.

    Exits 1 where somebody else wrote a record meanwhile, which stays.
    """
    if (table is None) == (export is None):
        raise CallerError("name one table, TABLE, or one export, --from DIR or --from s3://bucket/prefix")
    stack = find_stack()
    if table == stack.table_name:
        raise CallerError(f"{table} is the stack's own table; name the one that its records come from")
    dynamodb = client("dynamodb", stack.endpoint_url)
    source: RecordSource
    if export is not None:
        source = BackedUpRecords(export_place(export, os.environ))
    else:
        source = DynamoTable(dynamodb, str(table))
    target = DynamoTable(dynamodb, stack.table_name)
    with ThreadPoolExecutor(AT_ONCE) as pool, Progress("restoring", unit="records", quiet=as_json) as progress:
        restored = Restorer(source, target, pool, over, dry_run).restore(progress)
    if as_json:
        click.echo(json.dumps(_document(restored) | {"dry_run": dry_run, "over": over}))
    else:
        click.echo("\n".join(_lines(restored, over=over, dry_run=dry_run)))
    return ATTENTION if restored.overtaken or restored.unreadable.count else DONE


def _lines(restored: Restored, *, over: bool, dry_run: bool) -> list[str]:
    came = "would come back" if dry_run else "came back"
    stay = f"are here, but otherwise, and {'give way' if over else 'stay; --over brings them back too'}"
    lines = [
        f"{restored.found:,} records were found there.",
        f"  {restored.same:,} are here as they were",
        f"  {restored.missing:,} were missing here and {came}",
        f"  {restored.other:,} {stay}",
    ]
    if restored.overtaken:
        lines.append(f"  {restored.overtaken:,} were written meanwhile, and stay")
    if restored.unreadable.count:
        lines.append(f"  {restored.unreadable.count:,} cannot be read, here or there, and stay as they are:")
        lines += [f"    {printable(str(item))}" for item in restored.unreadable.examples]
    return lines


def _document(restored: Restored) -> dict[str, Any]:
    counts = {name: getattr(restored, name) for name in ("found", "same", "missing", "other", "overtaken")}
    return {**counts, **restored.unreadable.document()}
