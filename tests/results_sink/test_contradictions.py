"""Searches find photos whose keywords contradict what the shop says, photos that break a rule, and those of a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import CallerError
from pipeline.folder import FolderFiles
from pipeline.keywords import KeywordTag, Source
from pipeline.listing import Listing
from pipeline.memory.files import MemoryFiles
from results_sink.search.contradictions import ListingReader
from results_sink.search.filters import Filters
from results_sink.search.rule_breaks import parse_rule
from results_sink.search.search import SearchRequest
from results_sink.search.words import Lexicon
from tests.builders import photo_facts
from tests.results_sink.asking import Asker
from tests.results_sink.changing import Shop
from tests.results_sink.small_shop import exported, searcher_of, small_vocabulary, table_of, tagged

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.records import TaggedImage
    from results_sink.search.search import Searcher

WORDS = small_vocabulary()


def listed(key: str, title: str = "", tags: str = "", **scores: float) -> TaggedImage:
    record = tagged(key, **scores)
    return replace(record, observation=replace(record.observation, listing=Listing(title=title, tags=tags)))


def found(searcher: Searcher, language: str = "en", **filters: object) -> list[str]:
    request = SearchRequest("", language=language, filters=Filters(**filters), may_be_empty=True)
    return [hit.image.removeprefix("s3://shop/") for hit in searcher.answer(request).results]


SHOP = [
    listed("fits.jpg", "Alpine Boots, brown", cowboy_boot=0.9, boot=0.9, footwear=0.9),
    listed("above.jpg", "Cowboy boots", boot=0.9, footwear=0.9),
    listed("other.jpg", "Alpine boots", sneaker=0.9, footwear=0.9, fashion=0.9),
    listed("tags.jpg", "Model 7", "home;Rocking-Chair", basket=0.9, home=0.9),
    listed("both.jpg", "Chair with a basket", basket=0.9),
    listed("german.jpg", "Lederstiefel", chair=0.9),
    listed("silent.jpg", "Model 7", chair=0.9),
    listed("nothing.jpg", "Boots"),
    replace(listed("decided.jpg", "Boots"), keywords=(KeywordTag("chair", 1.0, Source.HUMAN),)),
]


def test_photos_of_which_no_keyword_fits_what_the_shop_says_are_contradicted(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "export")
    exported(files, tmp_path, SHOP)
    searcher = searcher_of(files, tmp_path)

    assert found(searcher, contradicted=True) == ["other.jpg", "tags.jpg"]
    assert found(searcher, "de", contradicted=True) == ["german.jpg"]
    assert "fits.jpg" in found(searcher, contradicted=False)
    assert len(found(searcher, contradicted=False)) == len(SHOP) - 2


def test_what_changed_since_the_snapshot_is_judged_as_it_is_now(tmp_path: Path) -> None:
    files, table = MemoryFiles(), table_of(SHOP)
    exported(files, tmp_path, SHOP)
    shop = Shop(tmp_path, files, table)
    shop.put(listed("other.jpg", "Alpine boots", boot=0.9))
    shop.put(replace(listed("new.jpg", "Boots", chair=0.9), facts=photo_facts(sharpness=0.1)))
    shop.record()
    asker = Asker(files, tmp_path, table)

    assert images(asker, contradicted="true") == ["tags.jpg", "new.jpg"]
    assert images(asker, rule="google:blurred") == ["new.jpg"]
    assert asker.get("/precision", contradicted="true").body["photos"] == 2


def images(asker: Asker, **query: str) -> list[str]:
    answer = asker.get("/search", by="image", **query)
    return [result["image"].removeprefix("s3://shop/") for result in answer.body["results"]]


def test_names_of_several_words_are_read_before_single_ones_and_forms_like_names() -> None:
    read = ListingReader(Lexicon(WORDS, "en")).keyword_ids

    assert read("The COMPUTER MOUSE 3000") == {"computer-mouse"}
    assert read("Men's cowboy-boots & baskets") == {"cowboy-boot", "basket"}
    assert read("crane") == {"crane-bird", "crane-toy"}
    assert read("") == read("?!") == frozenset()


@pytest.fixture
def checked(tmp_path: Path) -> Searcher:
    """A shop of photos with facts: one breaks no rule, one is blurred, one too small, one too small for clothing."""
    files = FolderFiles(tmp_path / "export")
    facts = {
        "good.jpg": photo_facts(),
        "blurred.jpg": photo_facts(sharpness=0.1),
        "small.jpg": photo_facts(width_pixels=90, height_pixels=90),
    }
    records = [replace(tagged(key, boot=0.9), facts=photo) for key, photo in facts.items()]
    exported(files, tmp_path, [*records, tagged("unknown.jpg", boot=0.9)])
    return searcher_of(files, tmp_path)


def test_photos_that_break_a_rule_or_any_of_a_set_are_found(checked: Searcher) -> None:
    assert found(checked, rule="google:blurred") == ["blurred.jpg"]
    assert found(checked, rule="google:image_too_small") == ["small.jpg"]
    assert found(checked, rule="google") == ["blurred.jpg", "small.jpg"]
    assert found(checked, rule="google:blurred", contradicted=True) == []


def test_a_rule_that_is_none_is_refused_with_those_there_are(tmp_path: Path) -> None:
    for name in ("ebay", "google:ugly"):
        with pytest.raises(CallerError, match=f"there is no photo rule '{name}'.*google with image_too_small"):
            parse_rule(name)
    files = MemoryFiles()
    exported(files, tmp_path)
    assert Asker(files, tmp_path).get("/search", rule="ugly").status == 400


def test_photos_are_found_by_the_day_on_which_they_were_processed_and_by_colour(tmp_path: Path) -> None:
    files = MemoryFiles()
    days = {"first.jpg": 1, "second.jpg": 2, "third.jpg": 3}
    records = [
        replace(record, observation=replace(record.observation, observed_at=datetime(2026, 5, day, 23, 59, tzinfo=UTC)))
        for record, day in ((tagged(key, boot=0.9), day) for key, day in days.items())
    ]
    exported(files, tmp_path, records)
    asker = Asker(files, tmp_path)

    assert images(asker, since="2026-05-02") == ["second.jpg", "third.jpg"]
    assert images(asker, until="2026-05-02") == ["first.jpg", "second.jpg"]
    assert images(asker, since="2026-05-02", until="2026-05-02") == ["second.jpg"]
    assert asker.get("/search", since="yesterday").status == 400
    assert images(asker, colour="red") == []
    assert asker.get("/search", colour="mauve").status == 400
    assert Filters(since=date(2026, 5, 2)) != Filters()
