"""Colours of a photo: what was measured, and what people decided about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pipeline.colours import COLOURS, colour_named, colour_of, colours_of, decided_colours
from pipeline.keyword_names import KeywordNames
from pipeline.keywords import Source
from pipeline.memory.files import MemoryFiles
from pipeline.records import Decision, DecisionKind
from tests.pipeline.test_records import USUAL_FACTS
from tests.results_sink.small_shop import exported, searcher_of, small_vocabulary, tagged

if TYPE_CHECKING:
    from pathlib import Path

SHARES = {"blue": 0.7, "white": 0.2}
FACTS = replace(USUAL_FACTS, colour_shares=tuple(SHARES.get(name, 0.0) for name in COLOURS), colour_certainty=1.0)


def decision(colour: str, kind: DecisionKind) -> Decision:
    """Return what a person decided about a colour."""
    return Decision(f"colour-{colour}", kind, datetime(2026, 3, 1, tzinfo=UTC), "anna")


PINNED, SUPPRESSED = decision("red", DecisionKind.PIN), decision("blue", DecisionKind.SUPPRESS)


def test_pinned_colours_come_first_and_suppressed_ones_are_absent() -> None:
    colours = decided_colours(FACTS, (PINNED, SUPPRESSED))

    assert [(share.colour, share.share, share.source) for share in colours] == [
        ("red", 1.0, Source.HUMAN),
        ("white", 0.2, Source.MODEL),
    ]
    assert [share.colour for share in decided_colours(FACTS, ())] == ["blue", "white"]


def test_a_measured_colour_that_is_pinned_stands_once_and_one_can_be_pinned_where_none_was_measured() -> None:
    pinned = decision("blue", DecisionKind.PIN)

    assert [share.colour for share in decided_colours(FACTS, (pinned,))] == ["blue", "white"]
    assert [share.colour for share in decided_colours(None, (pinned,))] == ["blue"]


@pytest.mark.parametrize(
    ("colour", "share", "is_named"), [("blue", 0.5, True), ("brown", 0.5, False), ("brown", 0.6, True)]
)
def test_a_colour_whose_limits_are_disputed_needs_a_larger_share(colour: str, share: float, is_named: bool) -> None:
    shares = tuple(share if name == colour else 0.0 for name in COLOURS)

    assert bool(colours_of(replace(FACTS, colour_shares=shares))) is is_named


@pytest.mark.parametrize(
    ("text", "colour"), [("Weiß", "white"), ("violet", "purple"), ("colour:rojo", "red"), ("x", None)]
)
def test_a_colour_is_named_in_any_language(text: str, colour: str | None) -> None:
    assert colour_named(text) == colour


def test_only_ids_of_colours_are_colours() -> None:
    assert [colour_of(name) for name in ("colour-red", "red", "colour-x", "n04120489")] == ["red", None, None, None]


def test_a_colour_is_called_as_the_person_speaks() -> None:
    assert KeywordNames(small_vocabulary(), "de").name("colour-red") == "rot"


def test_a_pinned_colour_is_exported_and_found_and_a_suppressed_one_is_not(tmp_path: Path) -> None:
    boot = replace(tagged("boot.jpg", boot=0.9), facts=FACTS, decisions=(PINNED, SUPPRESSED))
    files = MemoryFiles()
    exported(files, tmp_path, [boot, replace(tagged("shoe.jpg", boot=0.9), facts=FACTS)])
    searcher = searcher_of(files, tmp_path)

    assert [hit.image for hit in searcher.search("red boot").results] == ["s3://shop/boot.jpg"]
    assert [hit.image for hit in searcher.search("blue boot").results] == ["s3://shop/shoe.jpg"]
