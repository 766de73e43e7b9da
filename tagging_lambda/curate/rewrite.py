"""Rewrites records: each is changed, and written on condition that it did not change meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.batches import batched
from pipeline.errors import RetryLater, RevisionConflict
from pipeline.unreadable import UnreadableItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from pipeline.ports import RecordTable
    from pipeline.records import Record

    Change = Callable[[Record], Record]

AT_ONCE = 16  # concurrent writes; chosen by us: hides DynamoDB's 5 to 10 ms an answer
GROUP = 128  # records buffered; chosen by us: eight a concurrent write, so that none waits for a slow one
WAITS_S = (0.0, 0.2, 0.4, 0.8, 1.6, 3.2)  # before each attempt; chosen by us: six seconds, longer than a throttle


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One record before and after, or as it would be. ``failure`` is empty unless writing failed."""

    before: Record
    after: Record
    failure: str = ""

    @property
    def is_change(self) -> bool:
        """Whether anything but the revision differs."""
        return self.before != self.after


@dataclass(frozen=True)
class Rewriter:
    """Changes records in a table; with ``dry_run`` it only reports what would change."""

    table: RecordTable
    pool: Executor
    dry_run: bool = False
    sleep: Callable[[float], None] = time.sleep

    def rewrite(self, records: Iterable[Record | UnreadableItem], change: Change) -> Iterator[Rewrite | UnreadableItem]:
        """Yield the result for each record, in order. Memory does not grow with their number.

        A record that ``change`` returns as it is costs nothing. After a conflicting write, a record is read and
        changed again. One that cannot be written becomes a ``Rewrite`` with a failure, and stops no other; one that
        cannot be read stays as it is.
        """
        for group in batched(records, GROUP):
            yield from self.pool.map(lambda record: self._rewrite(record, change), group)

    def _rewrite(self, record: Record | UnreadableItem, change: Change) -> Rewrite | UnreadableItem:
        if isinstance(record, UnreadableItem):
            return record
        is_stale, failure = False, ""
        for wait_s in WAITS_S:
            try:
                if is_stale:
                    item = self.table.get_many([record.observation.image]).get(record.observation.image)
                    if item is None:  # it expired or was removed: nothing is left to change
                        return Rewrite(record, record)
                    if isinstance(item, UnreadableItem):
                        return item
                    record, is_stale = item, False
                return self._try(record, change)
            except RevisionConflict as error:
                is_stale, failure = True, str(error)
            except RetryLater as error:  # its message names the table, but the reader needs the image
                failure = f"{record.observation.image}: {error}"
                self.sleep(wait_s)
        return Rewrite(record, record, failure)

    def _try(self, record: Record, change: Change) -> Rewrite:
        after = change(record)
        if after != record and not self.dry_run:
            self.table.put(after, record.revision)
        return Rewrite(record, after)
