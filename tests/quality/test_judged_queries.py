"""What people type is answered: none of the judged queries is refused, and nearly all are right in the first ten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.keywords import LANGUAGES, Vocabulary
from tests.quality.judged_queries import QueryReport, ask_all, full_catalogue, read_queries

if TYPE_CHECKING:
    from pathlib import Path

LEAST_QUERIES = 300
GOAL = 0.95


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> QueryReport:
    vocabulary = Vocabulary.load()
    work: Path = tmp_path_factory.mktemp("judged")
    return ask_all(full_catalogue(vocabulary, work), vocabulary)


def test_no_query_is_refused(report: QueryReport) -> None:
    assert report.refused == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_queries_are_answered_and_right_in_the_first_ten(report: QueryReport, language: str) -> None:
    assert report.share(language) >= GOAL, report.text()
    assert report.share(language, right=True) >= GOAL, report.text()


def test_what_the_catalogue_lacks_is_not_answered_with_something_else(report: QueryReport) -> None:
    wrong = [
        outcome.judged.query
        for outcome in report.outcomes
        if not outcome.judged.keyword_ids and outcome.answer and outcome.answer.total
    ]

    assert wrong == []


def test_the_queries_are_many_and_name_keywords_of_the_taxonomy() -> None:
    queries = read_queries()
    known = {keyword.id for keyword in Vocabulary.load().emitted}

    assert len({(query.language, query.query) for query in queries}) == len(queries) >= LEAST_QUERIES
    assert {query.language for query in queries} == set(LANGUAGES)
    assert [query.query for query in queries if query.keyword_ids and not query.keyword_ids & known] == []
