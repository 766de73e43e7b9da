"""The newest state of an export, a snapshot under its deltas, for a long-running process."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadExport, Denied, NoExport, PageGone, RetryLater
from results_sink.export.columns import read_delta
from results_sink.export.manifest import SNAPSHOTS, SUPERSEDED_NAME, DeltaFile, Latest
from results_sink.export.parquet import ParquetFile
from results_sink.search.cursor import ExportState
from results_sink.search.search import Searcher
from results_sink.search.snapshot import Copies, open_snapshot, read_latest
from results_sink.search.words import QueryWords

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.keywords import Vocabulary
    from pipeline.ports import FileStore

REFRESH_S = 2.0  # chosen by us: the age a searched state may have, and how often a busy process asks S3
MOST_CHANGED_ROWS = 300_000  # over a snapshot; chosen by us: some 400 MB, see docs/backfill.svg
KEPT_STATES = 4  # chosen by us: the newest and some before, for searches under way; of two snapshots at most
FETCHED_AT_ONCE = 8  # deltas, chosen by us: a thousand of 30 ms each take 4 s


def ignore_warning(message: str) -> None:
    """Do not log: a one-off caller sees the failure as an exception."""
    del message


@dataclass
class ExportReader:
    """Opens the state that ``latest.json`` names, and reads that file again every few seconds.

    Opened states are kept for a while. If a newer state cannot be opened, the one before answers, and ``warn`` gets a
    line that says how old it is. The same holds if more rows changed than ``MOST_CHANGED_ROWS``.
    """

    files: FileStore
    copies: Copies
    name: str
    vocabulary: Vocabulary
    clock_s: Callable[[], float]
    warn: Callable[[str], object] = ignore_warning
    _states: OrderedDict[ExportState, Searcher] = field(default_factory=OrderedDict)
    _deltas: dict[str, Any] = field(default_factory=dict)
    _latest: Latest | None = None
    _checked_at_s: float = 0.0
    _renewed_at_s: float = 0.0

    @cached_property
    def _words(self) -> QueryWords:
        return QueryWords(self.vocabulary)

    def searcher(self) -> Searcher:
        """Return a searcher of the newest state, or of the last one that could be opened.

        Raises:
            NoExport: nothing was exported.
            BadExport, RetryLater, Denied: no state could be opened so far.
        """
        now_s = self.clock_s()
        if self._latest is None or now_s - self._checked_at_s >= REFRESH_S:
            self._latest = self._renewed(now_s)
            self._checked_at_s = now_s
        return self._state(self._latest)

    def _renewed(self, now_s: float) -> Latest:
        try:
            latest = self._openable()
        except NoExport:
            raise
        except (BadExport, RetryLater, Denied) as error:
            if self._latest is None:
                raise
            age_s = now_s - self._renewed_at_s
            self.warn(
                f"answers are from {self.name} as it was {age_s:.0f} s ago; no newer state can be opened: {error}"
            )
            return self._latest
        self._renewed_at_s = now_s
        return latest

    def _openable(self) -> Latest:
        """Return the pointer in ``latest.json``, after opening its state."""
        latest = self._read_latest()
        try:
            self._state(latest)
        except BadExport:
            seen, latest = latest, self._read_latest()
            if latest == seen:
                raise
            self._state(latest)  # the first one was removed meanwhile: newer ones were published
        return latest

    def _read_latest(self) -> Latest:
        published = read_latest(self.files, self.name)
        latest = published.first_rows(MOST_CHANGED_ROWS)
        if latest != published:
            # If a backfill outruns the folds, memory and cold starts stay bounded, and answers are minutes old.
            rows = sum(delta.rows for delta in published.deltas)
            self.warn(f"answers are as of {latest.as_of:%H:%M:%S} UTC: {rows:,} changed rows wait to be folded")
        current = {delta.sha256 for delta in latest.deltas}
        self._deltas = {sha256: delta for sha256, delta in self._deltas.items() if sha256 in current}
        return latest

    def searcher_if_any(self) -> Searcher | None:
        """Return a searcher of the newest state, or None before the first export."""
        try:
            return self.searcher()
        except BadExport:
            return None

    def searcher_of(self, state: ExportState) -> Searcher:
        """Return a searcher of that state.

        Raises:
            PageGone: its snapshot was removed.
        """
        self.searcher()
        if state in self._states:
            return self._state(state)
        try:
            return self._state(self._pointer_of(state))
        except BadExport as error:
            raise PageGone(f"the snapshot {state.snapshot} is gone; search again without a cursor") from error

    def _pointer_of(self, state: ExportState) -> Latest:
        """Return the pointer with this snapshot, and this delta as the last."""
        latest = self._latest
        if latest is None or latest.snapshot != state.snapshot:
            name = f"{SNAPSHOTS}{state.snapshot}/{SUPERSEDED_NAME}"
            data = self.files.read(name)
            if data is None:
                raise BadExport(f"{self.name}/{name} is missing")
            latest = Latest.decode(data, name)
        pointer = latest.through(state.last_delta)
        if pointer is None:
            raise BadExport(f"{state.last_delta} is no delta of the snapshot {state.snapshot}")
        return pointer

    def _state(self, pointer: Latest | ExportState) -> Searcher:
        state = pointer if isinstance(pointer, ExportState) else state_of(pointer)
        if state not in self._states and isinstance(pointer, Latest):
            self._states[state] = self._opened(pointer)
            while len(self._states) > KEPT_STATES:
                self._states.popitem(last=False)
        self._states.move_to_end(state)
        return self._states[state]

    def _opened(self, latest: Latest) -> Searcher:
        deltas = self._fetch(latest.deltas)
        for state, searcher in self._states.items():
            if state.snapshot == latest.snapshot:
                return searcher.under(deltas, latest.as_of)
        self._make_room()
        snapshot = open_snapshot(latest, self.files, self.copies, self.name)
        return Searcher(snapshot, self.vocabulary, self._words).under(deltas, latest.as_of)

    def _make_room(self) -> None:
        """Forget all states but the newest: each snapshot of a large catalogue takes half a gigabyte."""
        newest = state_of(self._latest) if self._latest else None
        for state in [state for state in self._states if state != newest]:
            del self._states[state]

    def _fetch(self, deltas: Sequence[DeltaFile]) -> dict[str, Any]:
        missing = [delta for delta in deltas if delta.sha256 not in self._deltas]
        if len(missing) > 1:
            with ThreadPoolExecutor(FETCHED_AT_ONCE) as pool:
                read = list(pool.map(self._read, missing))
        else:
            read = [self._read(delta) for delta in missing]
        self._deltas.update(zip((delta.sha256 for delta in missing), read, strict=True))
        return {delta.name: self._deltas[delta.sha256] for delta in deltas}

    def _read(self, delta: DeltaFile) -> Any:
        return read_delta(ParquetFile(self.copies.path_of(delta.sum)))


def state_of(latest: Latest) -> ExportState:
    """Return the state that a pointer names."""
    return ExportState(latest.snapshot, latest.deltas[-1].name if latest.deltas else "")
