"""The verb shadow: compares a candidate's keywords with the present ones. Nothing is written."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from pipeline.terminal import GAP, printable
from tagging_lambda.image.contact_sheet import Figure, Section
from tagging_lambda.tag_files import FileTagger, RejectedFile, TaggedFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.keywords import Vocabulary

SHOWN = 8  # words and photos on a screen; JSON has all
PICTURES = 60  # in the sheet, chosen by us: some 3 MB


@dataclass(frozen=True, slots=True)
class Comparison:
    """One photo: its present and its candidate keywords, and the time of both."""

    path: Path
    now: frozenset[str]
    then: frozenset[str]
    now_ms: float
    then_ms: float

    @property
    def gained(self) -> frozenset[str]:
        """The keywords that only the candidate gives."""
        return self.then - self.now

    @property
    def lost(self) -> frozenset[str]:
        """The keywords that only the present tagger gives."""
        return self.now - self.then


@dataclass(frozen=True, slots=True)
class Shadow:
    """A candidate compared with the present tagger."""

    candidate: str
    comparisons: tuple[Comparison, ...]

    @property
    def agreeing(self) -> int:
        """Photos with the same keywords."""
        return sum(item.now == item.then for item in self.comparisons)

    @property
    def gained(self) -> Counter[str]:
        """How many photos gain each keyword."""
        return Counter(keyword for item in self.comparisons for keyword in item.gained)

    @property
    def lost(self) -> Counter[str]:
        """How many photos lose each keyword."""
        return Counter(keyword for item in self.comparisons for keyword in item.lost)

    @property
    def changed(self) -> list[Comparison]:
        """The photos whose keywords differ, the largest difference first."""
        differing = [item for item in self.comparisons if item.now != item.then]
        return sorted(differing, key=lambda item: (-len(item.gained | item.lost), str(item.path)))

    def milliseconds(self) -> tuple[float, float]:
        """Return the mean time of a photo now and with the candidate."""
        count = max(1, len(self.comparisons))
        return (
            sum(item.now_ms for item in self.comparisons) / count,
            sum(item.then_ms for item in self.comparisons) / count,
        )


def compare(paths: Sequence[Path], present: FileTagger, then: FileTagger) -> Iterator[Comparison]:
    """Yield both taggers' keywords for each photo; an unreadable photo has none.

    Both tag one photo at a time, so that their times are comparable.
    """
    for path in paths:
        before, before_ms = _tagged(path, present)
        after, after_ms = _tagged(path, then)
        yield Comparison(path, before, after, before_ms, after_ms)


def _tagged(path: Path, tagger: FileTagger) -> tuple[frozenset[str], float]:
    started_s = time.perf_counter()
    [result] = tagger.tag([path])
    elapsed_ms = 1000 * (time.perf_counter() - started_s)
    return _keywords(result), elapsed_ms


def _keywords(result: TaggedFile | RejectedFile) -> frozenset[str]:
    if isinstance(result, RejectedFile):
        return frozenset()
    return frozenset(tag.keyword_id for tag in result.keywords)


def shadow_text(shadow: Shadow, vocabulary: Vocabulary) -> str:
    """Return the comparison for a person, the verdict first."""
    count = len(shadow.comparisons)
    now_ms, then_ms = shadow.milliseconds()
    share = shadow.agreeing / count if count else 0.0
    return "\n".join(
        [
            f"{shadow.candidate}: {share:.1%} of {count:,} photos would keep their keywords; nothing was written",
            f"{GAP}a photo takes {now_ms:.0f} ms now and would take {then_ms:.0f} ms",
            *_counts("gained", shadow.gained, vocabulary),
            *_counts("lost", shadow.lost, vocabulary),
            *_changes(shadow, vocabulary),
        ]
    )


def _counts(title: str, counts: Counter[str], vocabulary: Vocabulary) -> list[str]:
    listed = ", ".join(f"{vocabulary.name_of(word)} {count:,}" for word, count in counts.most_common(SHOWN))
    rest = f" and {len(counts) - SHOWN:,} more words" if len(counts) > SHOWN else ""
    return [f"{title:<7}{sum(counts.values()):>6,}{GAP}{listed or '-'}{rest}"]


def _changes(shadow: Shadow, vocabulary: Vocabulary) -> list[str]:
    changed = shadow.changed
    rows = [f"{GAP}{printable(str(item.path))}{GAP}{_marked(item, vocabulary)}" for item in changed[:SHOWN]]
    rest = [f"{GAP}and {len(changed) - SHOWN:,} more; --sheet FILE.html shows them"] if len(changed) > SHOWN else []
    return ["", "photos that would change most", *rows, *rest] if rows else []


def _marked(item: Comparison, vocabulary: Vocabulary) -> str:
    gained = [f"+{name}" for name in sorted(vocabulary.name_of(word) for word in item.gained)]
    return " ".join([*gained, *(f"-{name}" for name in sorted(vocabulary.name_of(word) for word in item.lost))])


def shadow_document(shadow: Shadow, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the comparison as JSON."""
    now_ms, then_ms = shadow.milliseconds()
    return {
        "candidate": shadow.candidate,
        "photos": len(shadow.comparisons),
        "agreeing": shadow.agreeing,
        "gained": {vocabulary.name_of(word): count for word, count in shadow.gained.most_common()},
        "lost": {vocabulary.name_of(word): count for word, count in shadow.lost.most_common()},
        "ms_now": round(now_ms, 1),
        "ms_then": round(then_ms, 1),
        "changed": [
            {
                "image": str(item.path),
                "gained": sorted(vocabulary.name_of(word) for word in item.gained),
                "lost": sorted(vocabulary.name_of(word) for word in item.lost),
            }
            for item in shadow.changed
        ],
    }


def shadow_sections(shadow: Shadow, vocabulary: Vocabulary) -> list[Section]:
    """Return the sheet's sections: the photos that would change, the largest change first."""
    figures = [
        Figure(str(item.path), f"{escape(_marked(item, vocabulary))}<br><small>{escape(item.path.name)}</small>")
        for item in shadow.changed[:PICTURES]
    ]
    return [Section("Photos that would change, most first", figures)]
