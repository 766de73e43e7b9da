"""Photo rules: what a photo breaks, by its facts and keywords alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import CallerError
from pipeline.facts import Margins, PhotoFacts
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.photo_rules import RULE_SETS, RuleSet, broken_ids, shipped_rule_sets, with_ancestors
from tests.builders import photo_facts

if TYPE_CHECKING:
    from pathlib import Path

TODAY, LATER = date(2026, 11, 27), date(2027, 2, 1)
CLOTHING = "n03051540"
GOOD = photo_facts()


def broken(
    facts: PhotoFacts, name: str = "google", keyword_ids: tuple[str, ...] = (), today: date = TODAY
) -> list[str]:
    return broken_ids([RuleSet.load(name)], facts, keyword_ids, today)[name]


def test_a_good_photo_breaks_nothing() -> None:
    assert broken_ids(shipped_rule_sets(), GOOD, (CLOTHING,), LATER) == {"google": [], "amazon": []}


@pytest.mark.parametrize("side", range(50, 650, 25))
@pytest.mark.parametrize("keyword_ids", [(), (CLOTHING,)])
@pytest.mark.parametrize("today", [TODAY, LATER])
def test_sizes_are_judged_exactly(side: int, keyword_ids: tuple[str, ...], today: date) -> None:
    findings = RuleSet.load("google").findings(replace(GOOD, width_pixels=side), keyword_ids, today)

    assert [finding.rule.id for finding in findings] == (["image_too_small"] if side < 500 else [])
    if findings:
        holds_today = side < (250 if keyword_ids else 100)
        assert (findings[0].rule.since is None) == (holds_today and today == TODAY) or today == LATER


def test_a_size_that_is_refused_later_says_from_when() -> None:
    [finding] = RuleSet.load("google").findings(replace(GOOD, height_pixels=400), (), TODAY)

    assert (finding.rule.since, finding.rule.limit, finding.value) == (date(2027, 1, 31), "500", "400")


@pytest.mark.parametrize(
    ("change", "google", "amazon"),
    [
        ({"file_bytes": 17_000_000}, ["file_too_large"], []),
        ({"format": "AVIF"}, ["format_not_accepted"], ["format_not_accepted"]),
        ({"format": "WEBP"}, [], ["format_not_accepted"]),
        ({"frame": 1.0}, ["border"], ["border"]),
        ({"border_rgb": (255, 240, 255)}, [], ["background_not_white"]),
        ({"sharpness": 0.1}, ["blurred"], ["blurred"]),
        ({"width_pixels": 900, "height_pixels": 900}, [], ["no_zoom"]),
        ({"width_pixels": 10_001}, [], ["image_too_large"]),
        ({"margins": Margins(0.3, 0.3, 0.3, 0.3), "fill": 0.1}, ["product_too_small"], ["product_too_small"]),
    ],
)
def test_each_rule_is_broken_by_what_it_names(change: dict[str, object], google: list[str], amazon: list[str]) -> None:
    facts = replace(GOOD, **change)

    assert (broken(facts), broken(facts, "amazon")) == (google, amazon)


def test_how_much_a_product_fills_is_not_judged_where_it_does_not_stand_apart() -> None:
    small = replace(GOOD, margins=Margins(0.3, 0.3, 0.3, 0.3), fill=0.1)

    assert broken(replace(small, border_evenness=0.4)) == []


def test_a_photo_without_facts_has_no_verdict() -> None:
    assert broken_ids(shipped_rule_sets(), None, (), TODAY) == {}


def test_a_garment_is_found_by_what_stands_above_it() -> None:
    assert CLOTHING in with_ancestors([KeywordTag("n03595614", 0.9)], Vocabulary.load())


def test_every_rule_that_ships_names_its_source_and_what_it_asks() -> None:
    for name in RULE_SETS:
        rules = RuleSet.load(name)
        assert rules.not_judged
        for rule in (*rules.rules, *rules.not_judged):
            assert rule.source.startswith("https://")
            assert date.fromisoformat(rule.source_date) <= TODAY
            assert rule.text


def test_a_shop_can_bring_rules_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "ours.csv"
    header = "rule_set,id,measure,comparison,limit,keyword,level,since,source,source_date,text\n"
    file.write_text(f"{header}ours,too_wide,aspect,max,1.5,,required,,https://shop.example,2026-01-01,at most 3:2\n")

    assert [finding.rule.id for finding in RuleSet.load(str(file)).findings(GOOD, (), TODAY)] == []
    wide = replace(GOOD, width_pixels=3200)
    [finding] = RuleSet.load(str(file)).findings(wide, (), TODAY)
    assert (finding.rule.id, finding.value) == ("too_wide", "2")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("ours,a,smell,max,1,,required,,u,2026-01-01,t", "line 2, column measure: there is no measure 'smell'"),
        ("ours,a,aspect,max,wide,,required,,u,2026-01-01,t", "line 2, column limit: could not convert"),
        ("ours,a,aspect,max,1,,perhaps,,u,2026-01-01,t", "line 2, column level: 'perhaps' is not a valid Level"),
        ("ours,a,aspect,max,1,,required,soon,u,2026-01-01,t", "line 2, column since: Invalid isoformat"),
    ],
)
def test_a_mistake_in_a_file_of_rules_is_said_by_its_line(tmp_path: Path, row: str, said: str) -> None:
    file = tmp_path / "ours.csv"
    file.write_text(f"rule_set,id,measure,comparison,limit,keyword,level,since,source,source_date,text\n{row}\n")

    with pytest.raises(CallerError, match=said):
        RuleSet.load(str(file))


def test_a_rule_set_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(CallerError, match="there is no rule set 'ebay'; choose one of google, amazon"):
        RuleSet.load("ebay")
