"""Photo rules of the marketplaces where a shop sells, and which of them a photo breaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipeline.csv_rows import rows
from pipeline.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from pipeline.csv_rows import CsvRow
    from pipeline.facts import PhotoFacts
    from pipeline.keywords import KeywordTag, Vocabulary

T = TypeVar("T")
RULES_FILE = Path(__file__).with_name("photo_rules.csv")
RULE_SETS = ("google", "amazon")  # built in
_COLUMNS = (
    "rule_set",
    "id",
    "measure",
    "comparison",
    "limit",
    "keyword",
    "level",
    "since",
    "source",
    "source_date",
    "text",
)
# Only within these limits can a product be separated from its background; measured in docs/signals.md.
_SEPARABLE_FILL = (0.02, 0.97)
_SEPARABLE_EVENNESS = 0.7


class Comparison(StrEnum):
    """How a measured value is compared with its limit."""

    MIN = "min"
    MAX = "max"
    ONE_OF = "one_of"  # the limit is a list of words separated by spaces
    NOT_JUDGED = "not_judged"  # cannot be judged from pixels; listed, so that nobody takes silence for approval


class Level(StrEnum):
    """What happens to a photo that breaks a rule."""

    REQUIRED = "required"  # the photo is refused
    RECOMMENDED = "recommended"  # the photo is shown less often


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, a row of the rules file.

    Attributes:
        keyword_id: the rule applies to photos with this keyword or one below it; empty if it applies to all.
        since: the date it takes effect; None if it is in effect already.
        source: the page that states it, as of ``source_date``.
    """

    id: str
    measure: str
    comparison: Comparison
    limit: str
    keyword_id: str
    level: Level
    since: date | None
    source: str
    source_date: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a photo breaks, and what was measured."""

    rule: Rule
    value: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one marketplace, and those that cannot be judged from pixels."""

    name: str
    rules: tuple[Rule, ...]
    not_judged: tuple[Rule, ...]

    @classmethod
    def load(cls, name: str) -> RuleSet:
        """Return the rule set of that name, ``google`` or ``amazon``, or the one in the CSV file of that path.

        Raises:
            CallerError: there is none, or a row of the file is invalid; the message names the line.
        """
        is_shipped = name in RULE_SETS
        path = RULES_FILE if is_shipped else Path(name)
        if not path.is_file():
            known = ", ".join(RULE_SETS)
            raise CallerError(f"there is no rule set {name!r}; choose one of {known}, or name a CSV file of your own")
        read = [_rule(row) for row in rows(path, _COLUMNS) if not is_shipped or row["rule_set"] == name]
        judged = tuple(rule for rule in read if rule.comparison is not Comparison.NOT_JUDGED)
        if not judged:
            raise CallerError(f"{path} holds no rule that a photo can break")
        return cls(name if is_shipped else path.stem, judged, tuple(rule for rule in read if rule not in judged))

    def findings(self, facts: PhotoFacts, keyword_ids: Collection[str], today: date) -> tuple[Finding, ...]:
        """Return the rules that the photo breaks, in the order of the file, one finding for each id.

        A rule in effect takes precedence over the same rule with a later date. Of several in effect the last one in
        the file remains, so a file lists the strictest last.

        Args:
            facts: the photo's facts.
            keyword_ids: the photo's keywords and their ancestors, which select the rules by category.
            today: decides which rules are in effect; later ones are reported too, with their date.
        """
        broken: dict[str, Finding] = {}
        for rule in self.rules:
            if rule.keyword_id and rule.keyword_id not in keyword_ids:
                continue
            value = _MEASURES[rule.measure](facts)
            if value is None or not _breaks(rule, value):
                continue
            is_in_effect = rule.since is None or rule.since <= today
            if rule.id not in broken or is_in_effect:
                broken[rule.id] = Finding(rule, _shown(value))
        return tuple(broken.values())


@lru_cache(maxsize=1)
def shipped_rule_sets() -> tuple[RuleSet, ...]:
    """Return the built-in rule sets, read once."""
    return tuple(RuleSet.load(name) for name in RULE_SETS)


def broken_ids(
    sets: Iterable[RuleSet], facts: PhotoFacts | None, keyword_ids: Collection[str], today: date
) -> dict[str, list[str]]:
    """Return the ids that the photo breaks by rule set; an empty dict for a photo without facts."""
    if facts is None:
        return {}
    return {rules.name: [finding.rule.id for finding in rules.findings(facts, keyword_ids, today)] for rules in sets}


def with_ancestors(keywords: Iterable[KeywordTag], vocabulary: Vocabulary) -> frozenset[str]:
    """Return the ids of a photo's keywords and of everything above them."""
    ids = {tag.keyword_id for tag in keywords}
    above = (vocabulary.ancestors(keyword_id) for keyword_id in ids if keyword_id in vocabulary.nodes)
    return frozenset(ids.union(*above))


Value = float | str


def _breaks(rule: Rule, value: Value) -> bool:
    if rule.comparison is Comparison.ONE_OF:
        return str(value) not in rule.limit.split()
    if rule.comparison is Comparison.MIN:
        return float(value) < float(rule.limit)
    return float(value) > float(rule.limit)


def _shown(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:.6g}" if value % 1 else str(int(value))


def _product_extent(facts: PhotoFacts) -> float | None:
    """Return how much of the width or height, whichever is more, the product's box fills; None if unclear."""
    least, most = _SEPARABLE_FILL
    if facts.border_evenness < _SEPARABLE_EVENNESS or not least <= facts.fill <= most:
        return None
    sides = facts.margins
    return round(max(1 - sides.left - sides.right, 1 - sides.top - sides.bottom), 4)


_MEASURES: Mapping[str, Callable[[PhotoFacts], Value | None]] = {
    "shorter_side_pixels": lambda facts: min(facts.width_pixels, facts.height_pixels),
    "longer_side_pixels": lambda facts: max(facts.width_pixels, facts.height_pixels),
    "pixels": lambda facts: facts.width_pixels * facts.height_pixels,
    "aspect": lambda facts: facts.width_pixels / facts.height_pixels,
    "file_bytes": lambda facts: facts.file_bytes,
    "format": lambda facts: facts.format,
    "border_level": lambda facts: min(facts.border_rgb),
    "border_whiteness": lambda facts: facts.border_whiteness,
    "border_evenness": lambda facts: facts.border_evenness,
    "frame": lambda facts: facts.frame,
    "fill": lambda facts: facts.fill,
    "product_extent": _product_extent,
    "sharpness": lambda facts: facts.sharpness,
    "brightness": lambda facts: facts.brightness,
}


def _rule(row: CsvRow) -> Rule:
    comparison, measure = _parse(row, "comparison", Comparison), row["measure"]
    if comparison is not Comparison.NOT_JUDGED and measure not in _MEASURES:
        raise row.mistake("measure", f"there is no measure {measure!r}; choose one of {', '.join(_MEASURES)}")
    if comparison in {Comparison.MIN, Comparison.MAX}:
        if measure == "format":
            raise row.mistake("comparison", "a format has no minimum or maximum; use one_of")
        _parse(row, "limit", float)
    return Rule(
        id=row["id"],
        measure=measure,
        comparison=comparison,
        limit=row["limit"],
        keyword_id=row["keyword"],
        level=_parse(row, "level", Level),
        since=_parse(row, "since", date.fromisoformat) if "since" in row else None,
        source=row["source"],
        source_date=row["source_date"],
        text=row["text"],
    )


def _parse(row: CsvRow, column: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(row[column])
    except ValueError as error:
        raise row.mistake(column, str(error)) from error
