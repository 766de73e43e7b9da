"""A small shop: a vocabulary, records, and file stores that remember or refuse what is written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import TYPE_CHECKING

from pipeline.errors import RetryLater
from pipeline.folder import FolderFiles
from pipeline.images import ImageRef
from pipeline.keywords import Keyword, KeywordTag, Source, Use, Vocabulary
from pipeline.memory.files import MemoryFiles
from pipeline.memory.table import MemoryTable
from pipeline.records import GoneImage, Observation, Record, RejectedImage, TaggedImage, UndoneImage
from pipeline.reject_reasons import RejectReason
from pipeline.standard_ids import StandardIds
from results_sink.export.export import Exporter
from results_sink.search.search import Searcher
from results_sink.search.snapshot import Copies, Downloaded, InPlace, Snapshot, open_snapshot, read_latest
from tests.builders import vocabulary_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from pipeline.ports import Clock, FileStore
    from results_sink.export.manifest import Manifest

LOOKED_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def keyword(keyword_id: str, parents: str, use: Use, **words: str) -> Keyword:
    """Return a node; parents and the words of a language are separated by ``|``."""
    said = {language: tuple(words.get(language, "").split("|")) for language in ("en", "de", "fr", "es")}
    spoken = {language: tuple(word for word in each if word) for language, each in said.items()}
    return Keyword(keyword_id, tuple(each for each in parents.split("|") if each), use, None, spoken)


@cache
def reviewed_ids() -> StandardIds:
    """Return the reviewed ids of standard taxonomies: to read them anew took a fifth of a small export."""
    return StandardIds.load()


@cache
def small_vocabulary(version: str = "words-1") -> Vocabulary:
    """Return a vocabulary with synonyms, two keywords of one name, and a keyword below two others."""
    word, through, department = Use.KEYWORD, Use.THROUGH, Use.FALLBACK
    return vocabulary_of(
        [
            keyword("goods", "", through, en="goods"),
            keyword("fashion", "goods", department, en="fashion", de="Mode"),
            keyword("footwear", "fashion", word, en="footwear|shoes", de="Schuhwerk", fr="chaussures", es="calzado"),
            keyword("boot", "footwear", word, en="boot|bootee", de="Stiefel", fr="botte", es="bota"),
            keyword("cowboy-boot", "boot", word, en="cowboy boot", de="Cowboystiefel"),
            keyword("sneaker", "footwear|sports", word, en="sneaker|trainer", de="Turnschuh", fr="basket|tennis"),
            keyword("sports", "goods", word, en="sports equipment", de="Sportgerät", fr="équipement de sport"),
            keyword("home", "goods", department, en="home", de="Wohnen"),
            keyword("chair", "home", word, en="chair", de="Stuhl", fr="chaise", es="silla"),
            keyword("rocking-chair", "chair", word, en="rocking chair|rocker", de="Schaukelstuhl"),
            keyword("basket", "home", word, en="basket", de="Korb", fr="panier", es="cesta"),
            keyword("computer", "goods", word, en="computer", de="Computer"),
            keyword("computer-mouse", "goods", word, en="computer mouse"),
            keyword("mouse", "goods", word, en="mouse", de="Maus"),
            keyword("crane-bird", "goods", word, en="crane", de="Kranich"),
            keyword("crane-toy", "goods", word, en="crane", de="Kran"),
        ],
        version,
    )


def observation(key: str, product: str | None = None, **changes: object) -> Observation:
    """Return a look at a photo of the shop, whose product is the key without its ending."""
    facts = {
        "image": ImageRef("shop", key),
        "product": product or key.removesuffix(".jpg"),
        "run_id": "run-1",
        "observed_at": LOOKED_AT,
        "etag": '"abc"',
        "object_time": LOOKED_AT - timedelta(days=1),
        "model_version": "model-1",
        "taxonomy_version": "words-1",
    }
    return Observation(**(facts | changes))


def tagged(key: str, product: str | None = None, **scores: float) -> TaggedImage:
    """Return a tagged photo with these keywords; ``_`` in a name stands for ``-``."""
    tags = tuple(KeywordTag(name.replace("_", "-"), score) for name, score in scores.items())
    return TaggedImage(observation(key, product), tags, (), 800, 600, revision=1)


def pinned(key: str, *keyword_ids: str) -> TaggedImage:
    """Return a photo whose keywords a person gave it."""
    tags = tuple(KeywordTag(each, 1.0, Source.HUMAN) for each in keyword_ids)
    return TaggedImage(observation(key), tags, (), 800, 600, low_information=True, revision=2)


def rejected(key: str, reason: RejectReason = RejectReason.CORRUPT) -> RejectedImage:
    """Return a photo that cannot be tagged."""
    return RejectedImage(observation(key, etag=None, object_time=None), reason, "it ends too early", revision=1)


def gone(key: str) -> GoneImage:
    """Return the tombstone of a photo."""
    return GoneImage(observation(key, etag=None, object_time=None), revision=3)


def undone(key: str) -> UndoneImage:
    """Return a photo whose look was taken back."""
    return UndoneImage(observation(key), revision=4)


def small_shop() -> list[Record]:
    """Return the records of a small shop, in no order."""
    return [
        tagged("sneaker.jpg", sneaker=0.97, sports=0.97, footwear=0.99),
        tagged("boot/2.jpg", "boot", boot=0.7, footwear=0.75),
        tagged("boot/1.jpg", "boot", cowboy_boot=0.8, boot=0.9, footwear=0.95),
        tagged("chair.jpg", rocking_chair=0.6, chair=0.9),
        tagged("both.jpg", boot=0.55, chair=0.65),
        tagged("nothing.jpg"),
        pinned("crane é.jpg", "crane-toy"),
        tagged("bird.jpg", crane_bird=0.9),
        rejected("broken.jpg"),
        rejected("huge.jpg", RejectReason.BYTES),
        gone("gone.jpg"),
        undone("undone.jpg"),
    ]


def table_of(records: Iterable[Record]) -> MemoryTable:
    """Return a table that holds these records."""
    return MemoryTable({record.observation.image: record for record in records})


def keep_time(files: FileStore, clock: Clock) -> FileStore:
    """Return these files by another clock; a store that is no folder stays the same object."""
    if isinstance(files, FolderFiles):
        return replace(files, clock=clock)
    files.clock = clock
    return files


def open_latest(files: FileStore, copies: Copies, export_name: str) -> Snapshot:
    """Return the snapshot that ``latest.json`` names, without the changes since."""
    return open_snapshot(read_latest(files, export_name), files, copies, export_name)


def exported(
    files: FileStore, work: Path, records: Iterable[Record] | None = None, *, at: datetime = NOW, **parts: object
) -> Manifest:
    """Export the records, by default the small shop, and return the manifest; any part can be replaced."""
    ids = count()
    defaults = {
        "table": table_of(small_shop() if records is None else records),
        "files": keep_time(files, lambda: at),
        "vocabulary": small_vocabulary(),
        "new_id": lambda: f"id{next(ids)}",
        "work": work,
        "standard_ids": reviewed_ids(),
    }
    return Exporter(**(defaults | parts)).export().manifest


def searcher_of(files: FileStore, work: Path) -> Searcher:
    """Return what answers queries from the last export in this place."""
    in_place = isinstance(files, FolderFiles)
    copies = InPlace(files) if in_place else Downloaded(files, "the export", work / "copies")
    return Searcher(open_latest(files, copies, "the export"), small_vocabulary())


@dataclass
class Diary(MemoryFiles):
    """Remembers the names in the order in which they were written, and what was deleted."""

    written: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def write(self, name: str, source: Path) -> str:
        """Write the file and its name."""
        self.written.append(name)
        return super().write(name, source)

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        """Write the file and its name."""
        done = super().write_if(name, data, seen)
        self.written += [name] * done
        return done

    def delete(self, names: Collection[str]) -> None:
        """Delete the files and remember their names."""
        super().delete(names)
        self.deleted += names


@dataclass
class Breaking(MemoryFiles):
    """Fails at one of the calls that change anything, and at all after it."""

    calls_left: int = 0

    def write(self, name: str, source: Path) -> str:
        """Write the file, or fail."""
        self._count()
        return super().write(name, source)

    def write_if(self, name: str, data: bytes, seen: str | None) -> bool:
        """Write the file, or fail."""
        self._count()
        return super().write_if(name, data, seen)

    def delete(self, names: Collection[str]) -> None:
        """Delete the files, or fail."""
        self._count()
        super().delete(names)

    def _count(self) -> None:
        if not self.calls_left:
            raise RetryLater("the store is out of order")
        self.calls_left -= 1
