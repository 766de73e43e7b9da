"""Coverage, hits, precision, and their bounds."""

from __future__ import annotations

import pytest

from tagging_lambda.evaluate.measure import by_keyword, by_score, curve, measured
from tagging_lambda.words.share import Share
from tests.tagging_lambda.evaluate.conftest import TAXONOMY, photo

PHOTOS = [
    photo("hit", "red", ("red", 0.9), ("paint", 0.95), scores={"red": 0.9, "blue": 0.05}),
    photo("above", "red", ("paint", 0.7), scores={"red": 0.4, "blue": 0.3}),
    photo("wrong", "red", ("blue", 0.8), ("paint", 0.85), scores={"blue": 0.8, "red": 0.05}),
    photo("none", "red"),
    photo("nothing", "", ("green", 0.6), scores={"green": 0.6}),
]


def test_the_three_shares_count_photos_photos_that_expect_and_keywords():
    found = measured(PHOTOS)
    assert found.photos == 5
    assert (found.coverage, found.hits, found.precision) == (Share(4, 5), Share(1, 4), Share(4, 6))


def test_a_keyword_above_an_expected_one_is_right_but_no_hit():
    assert measured([PHOTOS[1]]).precision == Share(1, 1)
    assert measured([PHOTOS[1]]).hits == Share(0, 1)


def test_a_photo_that_gets_a_department_alone_is_told_apart():
    found = measured(PHOTOS)
    assert (found.only_broader, found.wrong, found.narrow_precision) == (Share(1, 4), Share(2, 5), Share(1, 3))


def test_a_keyword_below_an_expected_one_is_not_judged():
    coarse = measured([photo("coarse", "paint", ("red", 0.9), ("paint", 0.95))])
    assert (coarse.precision, coarse.wrong, coarse.hits) == (Share(1, 1), Share(0, 1), Share(1, 1))


def test_by_keyword_says_how_often_each_is_right_and_found():
    found = {each.keyword_id: each for each in by_keyword(PHOTOS)}
    assert (found["red"].precision, found["red"].recall) == (Share(1, 1), Share(1, 4))
    assert (found["blue"].precision, found["paint"].precision) == (Share(0, 1), Share(3, 3))
    assert next(iter(found)) == "paint"


def test_by_score_compares_what_scores_promise_with_what_is_right():
    found = {each.low: each for each in by_score(PHOTOS)}
    assert (found[0.8].promised, found[0.8].right) == (pytest.approx(0.825), Share(1, 2))
    assert found[0.9].right == Share(2, 2)
    assert by_score([photo("sure", "red", ("red", 1.0))])[0].high == 1.0


def test_a_lower_threshold_covers_more_and_is_right_less_often():
    points = {point.threshold: point.measures for point in curve(PHOTOS, TAXONOMY)}
    assert points[0.05].coverage == Share(4, 5)
    assert points[0.95].coverage == Share(1, 5)
    assert points[0.05].hits == Share(3, 4)
    assert points[0.9].precision == Share(2, 2)


@pytest.mark.parametrize(
    ("share", "bounds"),
    [
        (Share(0, 0), (0.0, 1.0)),
        (Share(0, 10), (0.0, 0.2775)),
        (Share(10, 10), (0.7225, 1.0)),
        (Share(50, 100), (0.4038, 0.5962)),
        (Share(95, 100), (0.8882, 0.9785)),
    ],
)
def test_bounds_are_wilsons(share, bounds):
    """The values are those of published tables of the interval for 95 %."""
    assert share.bounds == pytest.approx(bounds, abs=1e-4)
