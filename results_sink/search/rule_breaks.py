"""Which images of an export break a photo rule of a marketplace, by the facts that their records keep."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import CallerError
from pipeline.facts import PhotoFacts
from pipeline.photo_rules import RuleSet, shipped_rule_sets
from results_sink.export.columns import FACTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.keywords import Vocabulary
    from results_sink.export.columns import ImageColumns
    from results_sink.search.snapshot import Snapshot

_ANY_DAY = date.min  # a rule that takes effect later is broken already; the day decides only which limit is reported


def parse_rule(name: str) -> RuleSet:
    """Return the rules that a name means: one of a set, such as ``google:blurred``, or the whole set.

    Raises:
        CallerError: there is none of that name.
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
    """Return the packed facts of each image of a snapshot, None where it has none.

    Raises:
        BadExport: a file of the export is missing or damaged.
    """
    groups = (group for part in snapshot.manifest.images for group in snapshot.open(part).row_groups(FACTS))
    return [packed for group in groups for packed in group.column(FACTS).to_pylist()]


# DECISIONS.md, 145: computed, as a stored finding would keep the rules of the day it was written.
def breaks(
    rules: RuleSet, facts: Sequence[bytes | None], columns: ImageColumns, vocabulary: Vocabulary
) -> NDArray[np.bool_]:
    """Return which images break one of the rules: bool [N]; never one without facts.

    Args:
        rules: from ``parse_rule``.
        facts: of each image, packed.
        columns: of the same images; rules of a category apply to images with its keyword, or one below.
        vocabulary: says which keywords are below another.
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
