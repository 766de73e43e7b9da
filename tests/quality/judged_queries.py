"""Asks the judged queries of ``queries.csv`` of a catalogue that has every keyword, and reports how they are answered.

``python -m tests.quality.judged_queries`` prints the report, and the queries whose first ten results are wrong.
"""

from __future__ import annotations

import csv
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import CallerError
from pipeline.keywords import Vocabulary
from pipeline.memory.files import MemoryFiles
from results_sink.search.search import SearchAnswer, Searcher, SearchRequest
from results_sink.search.snapshot import Downloaded
from tests.results_sink.small_shop import exported, open_latest, tagged

QUERIES = Path(__file__).with_name("queries.csv")
FIRST = 10  # results that a person looks at
PHOTOS_OF_EACH = 2  # photos of each keyword in the catalogue


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """What a person types, and the keywords of which one is right; none where the catalogue has nothing right."""

    language: str
    query: str
    keyword_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class QueryOutcome:
    """How a judged query was answered; ``answer`` is None where it was refused."""

    judged: JudgedQuery
    answer: SearchAnswer | None
    is_right: bool
    took_ms: float


@dataclass(frozen=True, slots=True)
class QueryReport:
    """How all judged queries were answered."""

    outcomes: tuple[QueryOutcome, ...]

    @property
    def refused(self) -> list[str]:
        """The queries that were answered with an error."""
        return [outcome.judged.query for outcome in self.outcomes if outcome.answer is None]

    def share(self, language: str | None = None, *, right: bool = False) -> float:
        """Return the share of queries that were answered, or rightly so in the first ten, where something is right."""
        chosen = [
            outcome
            for outcome in self.outcomes
            if outcome.judged.keyword_ids and language in {None, outcome.judged.language}
        ]
        done = [outcome.is_right if right else bool(outcome.answer and outcome.answer.total) for outcome in chosen]
        return sum(done) / len(done)

    def text(self) -> str:
        """Return the report for a person."""
        times_ms = [outcome.took_ms for outcome in self.outcomes]
        cuts_ms = statistics.quantiles(times_ms, n=100)
        lines = [f"{len(self.outcomes)} queries, {len(self.refused)} refused, half within {cuts_ms[49]:.1f} ms,"]
        lines[0] += f" 99 of 100 within {cuts_ms[98]:.1f} ms"
        for language in (*sorted({outcome.judged.language for outcome in self.outcomes}), None):
            answered, right = self.share(language), self.share(language, right=True)
            lines.append(f"{language or 'all':4}answered {answered:.1%}, right in the first ten {right:.1%}")
        wrong = [outcome.judged for outcome in self.outcomes if outcome.judged.keyword_ids and not outcome.is_right]
        return "\n".join([*lines, *(f"wrong: {judged.language} {judged.query}" for judged in wrong)])


def read_queries() -> list[JudgedQuery]:
    """Return the judged queries."""
    with QUERIES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        JudgedQuery(row["language"], row["query"], frozenset(filter(None, row["keywords"].split("|")))) for row in rows
    ]


def full_catalogue(vocabulary: Vocabulary, work: Path) -> Searcher:
    """Return a searcher of a catalogue with photos of every keyword, each with the keywords above it."""
    records = []
    for keyword in vocabulary.emitted:
        above = [node for node in vocabulary.ancestors(keyword.id) if vocabulary.nodes[node].is_emitted]
        for number in range(PHOTOS_OF_EACH):
            scores = {keyword.id: 0.9 - number / 100, **dict.fromkeys(above, 0.95)}
            records.append(tagged(f"{keyword.id}-{number}.jpg", **scores))
    files = MemoryFiles()
    exported(files, work, records, vocabulary=vocabulary)
    return Searcher(open_latest(files, Downloaded(files, "memory", work / "copies"), "memory"), vocabulary)


def ask_all(searcher: Searcher, vocabulary: Vocabulary) -> QueryReport:
    """Ask every judged query, once the words of its language were read."""
    queries = read_queries()
    for language in vocabulary.languages:
        searcher.answer(SearchRequest("qqqqqq", language=language))
    return QueryReport(tuple(_outcome(searcher, vocabulary, judged) for judged in queries))


def _outcome(searcher: Searcher, vocabulary: Vocabulary, judged: JudgedQuery) -> QueryOutcome:
    began_s = time.perf_counter()
    try:
        answer = searcher.answer(SearchRequest(judged.query, limit=FIRST, language=judged.language))
    except CallerError:
        answer = None
    took_ms = 1000 * (time.perf_counter() - began_s)
    right = frozenset().union(*(vocabulary.descendants(keyword_id) for keyword_id in judged.keyword_ids))
    first = answer.results if answer else ()
    is_right = any(tag.keyword_id in right for hit in first for tag in hit.keywords)
    return QueryOutcome(judged, answer, is_right, took_ms)


if __name__ == "__main__":
    words = Vocabulary.load()
    with tempfile.TemporaryDirectory() as work:
        print(ask_all(full_catalogue(words, Path(work)), words).text())  # noqa: T201 - the report is printed
