"""The newest state of an export, a snapshot under its deltas, as a process that runs on reads it."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import BadExport, Denied, NoExport, PageGone, RetryLater
from results_sink.export.delta import Delta
from results_sink.export.manifest import SNAPSHOTS, SUPERSEDED_NAME, Latest
from results_sink.export.parquet import ParquetFile
from results_sink.search.cursor import Place
from results_sink.search.search import Searcher
from results_sink.search.snapshot import open_snapshot, read_latest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.keywords import Vocabulary
    from pipeline.ports import FileStore
    from results_sink.export.manifest import DeltaFile
    from results_sink.search.snapshot import Copies

REFRESH_S = 2.0  # chosen by us: how old what is searched may be, and how often a busy process asks S3
MOST_CHANGED_ROWS = 300_000  # laid over a snapshot; chosen by us: some 400 MB, see docs/backfill.svg
KEPT_STATES = 4  # chosen by us: the newest and some before, for pages that were begun on them; of two snapshots at most
FETCHED_AT_ONCE = 8  # deltas, chosen by us: a thousand of 30 ms each are there in 4 s


def unheard(said: str) -> None:
    """Tell nobody: for who asks once, and so hears of what fails as an error."""
    del said


@dataclass
class Newest:
    """Opens what ``latest.json`` names, which it looks at every few seconds; what was opened stays for a while.

    ``warn`` is told when what is newest cannot be had, and what was had before answers in its place.
    """

    files: FileStore
    copies: Copies
    name: str
    vocabulary: Vocabulary
    clock_s: Callable[[], float]
    warn: Callable[[str], object] = unheard
    _states: OrderedDict[Place, Searcher] = field(default_factory=OrderedDict)
    _deltas: dict[str, Delta] = field(default_factory=dict)
    _latest: Latest | None = None
    _looked_at_s: float = 0.0
    _renewed_at_s: float = 0.0

    def searcher(self) -> Searcher:
        """Return what answers from the newest state; where that cannot be had, from the one that could last.

        Raises:
            NoExport: there is none.
            BadExport, RetryLater, Denied: it cannot be had, and neither could any before.
        """
        now_s = self.clock_s()
        if self._latest is None or now_s - self._looked_at_s >= REFRESH_S:
            self._latest = self._renewed(now_s)
            self._looked_at_s = now_s
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
            self.warn(f"answers are from {self.name} as it was {age_s:.0f} s ago; what is newer cannot be had: {error}")
            return self._latest
        self._renewed_at_s = now_s
        return latest

    def _openable(self) -> Latest:
        """Return what ``latest.json`` says, and open it."""
        latest = self._look()
        try:
            self._state(latest)
        except BadExport:
            seen, latest = latest, self._look()
            if latest == seen:
                raise
            self._state(latest)  # so much was published meanwhile that what was named has gone
        return latest

    def _look(self) -> Latest:
        published = read_latest(self.files, self.name)
        latest = published.first_rows(MOST_CHANGED_ROWS)
        if latest != published:
            # While a backfill outruns the folds, memory and cold starts stay bounded, and answers are some minutes old.
            rows = sum(delta.rows for delta in published.deltas)
            self.warn(f"answers are as of {latest.as_of:%H:%M:%S} UTC: {rows:,} changed rows wait to be folded")
        named = {delta.sha256 for delta in latest.deltas}
        self._deltas = {sha256: table for sha256, table in self._deltas.items() if sha256 in named}
        return latest

    def found(self) -> Searcher | None:
        """Return what answers from the newest state, or None before the first export."""
        try:
            return self.searcher()
        except BadExport:
            return None

    def searcher_of(self, place: Place) -> Searcher:
        """Return what answers from that state.

        Raises:
            PageGone: it is no longer there.
        """
        self.searcher()
        if place in self._states:
            return self._state(place)
        try:
            return self._state(self._pointer_of(place))
        except BadExport as error:
            raise PageGone(f"the snapshot {place.snapshot} is gone; search again without a cursor") from error

    def _pointer_of(self, place: Place) -> Latest:
        """Return what ``latest.json`` was when it named this snapshot, and this delta last."""
        latest = self._latest
        if latest is None or latest.snapshot != place.snapshot:
            name = f"{SNAPSHOTS}{place.snapshot}/{SUPERSEDED_NAME}"
            data = self.files.read(name)
            if data is None:
                raise BadExport(f"{self.name}/{name} is missing")
            latest = Latest.decode(data, name)
        pointer = latest.through(place.last_delta)
        if pointer is None:
            raise BadExport(f"{place.last_delta} never lay over {place.snapshot}")
        return pointer

    def _state(self, wanted: Latest | Place) -> Searcher:
        place = wanted if isinstance(wanted, Place) else place_of(wanted)
        if place not in self._states and isinstance(wanted, Latest):
            self._states[place] = self._opened(wanted)
            while len(self._states) > KEPT_STATES:
                self._states.popitem(last=False)
        self._states.move_to_end(place)
        return self._states[place]

    def _opened(self, latest: Latest) -> Searcher:
        deltas = self._laid(latest.deltas)
        for place, searcher in self._states.items():
            if place.snapshot == latest.snapshot:
                return searcher.under(deltas)
        self._make_room()
        return Searcher(open_snapshot(latest, self.files, self.copies, self.name), self.vocabulary).under(deltas)

    def _make_room(self) -> None:
        """Forget all states but the newest: each snapshot of a large catalogue takes half a gigabyte."""
        newest = place_of(self._latest) if self._latest else None
        for place in [each for each in self._states if each != newest]:
            del self._states[place]

    def _laid(self, deltas: Sequence[DeltaFile]) -> dict[str, Delta]:
        missing = [delta for delta in deltas if delta.sha256 not in self._deltas]
        if len(missing) > 1:
            with ThreadPoolExecutor(FETCHED_AT_ONCE) as pool:
                read = list(pool.map(self._read, missing))
        else:
            read = [self._read(delta) for delta in missing]
        self._deltas.update(zip((delta.sha256 for delta in missing), read, strict=True))
        return {delta.name: self._deltas[delta.sha256] for delta in deltas}

    def _read(self, delta: DeltaFile) -> Delta:
        return Delta.of(ParquetFile(self.copies.path_of(delta.sum)).changes())


def place_of(latest: Latest) -> Place:
    """Return the state that a pointer leads to."""
    return Place(latest.snapshot, latest.deltas[-1].name if latest.deltas else "")
