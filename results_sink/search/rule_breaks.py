"""Which images of an export break a marketplace's photo rule, by the facts on their records."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import CallerError
from pipeline.facts import PhotoFacts
from pipeline.photo_rules import RuleSet, shipped_rule_sets
from results_sink.export.columns import FACTS, ImageColumns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.keywords import Vocabulary
    from results_sink.search.snapshot import Snapshot

_ANY_DAY = date.min  # rules not in effect yet count as well; the day only decides which limit is reported


def parse_rule(name: str) -> RuleSet:
    """Return the rules of this name: one of a set, such as ``google:blurred``, or the whole set.

    Raises:
        CallerError: there is no rule of that name.
    """
    set_name, _, rule_id = name.partition(":")
    for rules in shipped_rule_sets():
        chosen = tuple(rule for rule in rules.rules if rule_id in {"", rule.id})
        if rules.name == set_name and chosen:
            return replace(rules, rules=chosen)
    ids = {rules.name: dict.fromkeys(rule.id for rule in rules.rules) for rules in shipped_rule_sets()}
    choices = "; ".join(f"{set_name} with {', '.join(rule_ids)}" for set_name, rule_ids in ids.items())
    raise CallerError(f"there is no photo rule {name!r}; write google or google:blurred; there are {choices}")


def exported_facts(snapshot: Snapshot) -> list[bytes | None]:
    """Return the packed facts of each image of a snapshot, None if it has none.

    Raises:
        BadExport: a file of the export is missing or damaged.
    """
    groups = (group for part in snapshot.manifest.images for group in snapshot.open(part).row_groups(("image", FACTS)))
    return [packed for group in groups for packed in group.column(FACTS).to_pylist()]


# DECISIONS.md, 145: computed on demand: a stored finding would follow outdated rules.
def breaks(
    rules: RuleSet, facts: Sequence[bytes | None], columns: ImageColumns, vocabulary: Vocabulary
) -> NDArray[np.bool_]:
    """Return which images break one of the rules: bool [N]; False without facts.

    Args:
        rules: from ``parse_rule``.
        facts: the packed facts of each image.
        columns: of the same images; a category's rules apply to images with its keyword, or one below.
        vocabulary: has the keyword tree.
    """
    categories = {rule.keyword_id for rule in rules.rules if rule.keyword_id}
    members = {category: columns.has_keyword(vocabulary.descendants(category)) for category in categories}
    flags = np.zeros(len(columns), np.bool_)
    for row, packed in enumerate(facts):
        photo = PhotoFacts.unpack(packed) if packed else None
        if photo:
            own = [category for category, has_keyword in members.items() if has_keyword[row]]
            flags[row] = bool(rules.findings(photo, own, _ANY_DAY))
    return flags
