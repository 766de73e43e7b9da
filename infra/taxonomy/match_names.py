"""Finds the category of a keyword by its name, in a published taxonomy."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from infra.taxonomy.standard_file import StandardFile
from pipeline.keywords import LANGUAGES, Keyword, Vocabulary, fold
from pipeline.standard_ids import NONE, StandardIds


@dataclass(frozen=True, slots=True)
class StandardCoverage:
    """How a published taxonomy and the ids of our keywords fit together.

    Attributes:
        keywords: how many keywords a photo can get.
        reviewed: how many of them have a category by the files that were read.
        matched: further keywords, each with the id of the category that has its name, for a person to review.
        unknown: ids of the files that the taxonomy does not have, by keyword.
    """

    keywords: int
    reviewed: int
    matched: dict[str, str]
    unknown: dict[str, str]


def compare(file: StandardFile, ids: StandardIds, vocabulary: Vocabulary) -> StandardCoverage:
    """Return which keywords have a category, and which of the others find one by name.

    A name counts only if exactly one category below that of the keyword's ancestors has it; without such an ancestor,
    exactly one of the whole taxonomy. So ``boot`` finds *Shoes > Boots*, and a name that two shelves share finds none.
    """
    by_name: dict[str, list[str]] = defaultdict(list)
    for category, path in file.paths.items():
        by_name[_singular(path[-1])].append(category)
    own = {keyword_id: row[file.standard] for keyword_id, row in ids.by_keyword.items() if file.standard in row}
    above = {keyword.id: ids.of(keyword.id, file.standard, vocabulary) for keyword in vocabulary.emitted}
    matched: dict[str, str] = {}
    for keyword in vocabulary.emitted:
        if keyword.id not in own:
            match = _by_name(keyword, file, by_name, above[keyword.id])
            if match is not None:
                matched[keyword.id] = match
    unknown = {keyword_id: category for keyword_id, category in own.items() if category not in {NONE, *file.paths}}
    return StandardCoverage(
        len(vocabulary.emitted), sum(category is not None for category in above.values()), matched, unknown
    )


def _by_name(keyword: Keyword, file: StandardFile, by_name: dict[str, list[str]], above: str | None) -> str | None:
    shelf = file.paths.get(above, ()) if above else ()
    categories = {
        category
        for word in keyword.words[LANGUAGES[0]]
        for category in by_name.get(_singular(word), ())
        if file.paths[category][: len(shelf)] == shelf and category != above
    }
    return categories.pop() if len(categories) == 1 else None


def _singular(name: str) -> str:
    """Return the name as it is compared: folded, and its last word in the singular."""
    folded = fold(name.replace("-", " "))
    for ending, singular in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x")):
        if folded.endswith(ending):
            return folded.removesuffix(ending) + singular
    return folded.removesuffix("s") if not folded.endswith("ss") else folded
