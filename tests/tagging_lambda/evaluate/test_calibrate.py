"""Thresholds and temperature follow from labelled photos."""

from __future__ import annotations

import csv
import random
from dataclasses import replace

import pytest

from pipeline.errors import CallerError
from pipeline.keywords import Vocabulary
from pipeline.records import ClassScore
from tagging_lambda.evaluate.calibrate import (
    EVIDENCE,
    NEVER,
    calibrated,
    cooled,
    remap,
    temperature,
    thresholds,
    with_thresholds,
)
from tagging_lambda.evaluate.measure import evaluated, measured
from tagging_lambda.evaluate.overlay import write_thresholds
from tagging_lambda.evaluate.report import EvaluationText, calibration_text
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tagging_lambda.words.share import Share
from tests.builders import COLOURS
from tests.tagging_lambda.evaluate.conftest import TAXONOMY, VOCABULARY, photo

MAPPER = KeywordMapper(TAXONOMY)


def reds(*outcomes: tuple[float, bool]):
    """Return photos of which the model says red with that score, and which are red or not."""
    return [
        photo(f"{at}.jpg", "red" if is_red else "blue", scores={"red": score})
        for at, (score, is_red) in enumerate(outcomes)
    ]


def threshold_of(keyword_id: str, photos, precision: float = 0.9):
    return next((each for each in thresholds(photos, TAXONOMY, precision) if each.keyword_id == keyword_id), None)


def test_a_threshold_is_the_lowest_score_from_which_enough_are_right():
    outcomes = [(0.9, True)] * 18 + [(0.7, False)] * 2 + [(0.5, False)] * 10
    found = threshold_of("red", reds(*outcomes))
    assert (found.threshold, found.right) == (0.7, Share(18, 20))


def test_scores_that_are_the_same_stand_or_fall_together():
    found = threshold_of("red", reds(*[(0.9, True)] * 20, *[(0.6, True)] * 5, *[(0.6, False)] * 5))
    assert (found.threshold, found.right) == (0.9, Share(20, 20))


def test_a_keyword_that_is_never_right_often_enough_is_never_said():
    found = threshold_of("red", reds(*[(0.9, False)] * 20))
    assert (found.threshold, found.right) == (NEVER, Share(0, 0))


def test_too_little_evidence_changes_nothing():
    assert threshold_of("red", reds(*[(0.9, True)] * (EVIDENCE - 1))) is None


def test_keywords_follow_the_thresholds_found():
    photos = reds(*[(0.9, True)] * 20, *[(0.55, True)] * 20)
    found = thresholds(photos, TAXONOMY, 0.9)
    again = remap(photos, KeywordMapper.of(with_thresholds(VOCABULARY, found), COLOURS))
    assert measured(again).hits == Share(40, 40)


@pytest.mark.parametrize(("said", "right", "is_hot"), [(0.95, 0.6, True), (0.6, 0.95, False)])
def test_scores_that_are_too_sure_are_to_be_cooled_and_too_unsure_ones_heated(said, right, is_hot):
    count = 200
    photos = reds(*((said, at < right * count) for at in range(count)))
    found = temperature(photos, TAXONOMY, len(COLOURS))
    assert (found.value > 1) == is_hot
    assert found.error_then < found.error_now


def test_cooled_scores_keep_their_sum_and_order():
    scores = (ClassScore(0, 0.7), ClassScore(2, 0.2))
    assert [each.score for each in cooled(scores, 3, 1.0)] == [pytest.approx(0.7), pytest.approx(0.2)]
    cool = cooled(scores, 3, 2.0)
    assert cool[0].score > cool[1].score
    assert cool[0].score < 0.7
    assert sum(each.score for each in cool) < 1


# ---- the shop's own file ---------------------------------------------------------------------------------------------


def test_thresholds_are_written_and_everything_else_in_the_file_stays(tmp_path):
    path = tmp_path / "overlay.csv"
    path.write_text("id,it,en\nn04120489,scarpa,\nn03001627,,seat\n", encoding="utf-8")
    assert write_thresholds(path, {"n04120489": 0.75, "n03497657": 0.5}) == 3
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert rows["n04120489"] == {"id": "n04120489", "threshold": "0.75", "it": "scarpa", "en": ""}
    assert rows["n03001627"]["en"] == "seat"
    nodes = Vocabulary.load(overlay=path).nodes
    assert (nodes["n03497657"].threshold, nodes["n04120489"].name("it")) == (0.5, "scarpa")


def test_a_new_file_is_made_where_there_is_none(tmp_path):
    path = tmp_path / "deep" / "overlay.csv"
    write_thresholds(path, {"n03497657": 0.5})
    assert path.read_text() == "id,threshold\nn03497657,0.5\n"


def test_a_file_of_another_kind_is_not_overwritten(tmp_path):
    path = tmp_path / "photos.csv"
    path.write_text("file\na.jpg\n")
    with pytest.raises(CallerError, match="there is no column id"):
        write_thresholds(path, {"n03497657": 0.5})
    assert path.read_text() == "file\na.jpg\n"


def test_a_photo_whose_label_is_broader_than_the_keyword_does_not_count():
    photos = [*reds(*[(0.9, True)] * 20), *(photo(f"p{n}.jpg", "paint", scores={"red": 0.6}) for n in range(20))]
    assert threshold_of("red", photos).right == Share(20, 20)


def test_thresholds_that_help_on_other_photos_are_kept():
    """Blue photos of which the model says red with 0.85 get a wrong word now, and none from 0.9 on."""
    photos = reds(*[(0.95, True)] * 60, *[(0.85, False)] * 30)
    found = calibrated(photos, MAPPER, COLOURS, 0.9)
    assert found.helps
    assert found.by_id()["red"] > 0.85
    assert (found.now.wrong, found.held_out.wrong) == (Share(30, 90), Share(0, 90))


def test_where_keywords_are_right_already_nothing_is_written():
    """Every threshold that noise suggests is dropped: none brings a photo its word that it lacks."""
    found = calibrated(reds(*[(0.95, True)] * 100), MAPPER, COLOURS, 0.9)
    assert (found.helps, found.thresholds) == (False, ())
    verdict = "No threshold is written: of photos held out, no more would get their word."
    assert calibration_text(found, VOCABULARY).splitlines()[0] == verdict
    few = calibrated(reds(*[(0.95, True)] * 10), MAPPER, COLOURS, 0.9)
    assert calibration_text(few, VOCABULARY) == "No threshold is written: no keyword has 20 photos."


def test_thresholds_that_bring_more_wrong_words_are_not_written_and_the_verdict_says_so():
    found = calibrated(reds(*[(0.95, True)] * 100), MAPPER, COLOURS, 0.9)
    with_more_wrong = replace(found, held_out=replace(found.held_out, wrong=Share(1, 100)))
    less_precise = replace(found, wanted=1.1)
    assert "more would get a wrong word" in calibration_text(with_more_wrong, VOCABULARY)
    assert "no larger share of words would be right" in calibration_text(less_precise, VOCABULARY)


def chances(seed: int, count: int):
    """Return photos of which the model says red or green, right in four of five whatever the score."""
    chance = random.Random(seed)
    return [
        photo(
            f"{seed}-{number}.jpg",
            word if chance.random() < 0.8 else "blue",
            scores={word: 0.8 + chance.random() / 5},
        )
        for number in range(count)
        for word in ("red", "green")
    ]


def test_what_was_found_by_chance_is_seldom_written_and_does_no_harm():
    """No score tells right from wrong here, so every threshold that fits is chance; fresh photos are the judge."""
    gains = []
    for seed in range(30):
        found = calibrated(chances(seed, 30), MAPPER, COLOURS, 0.85)
        if found.helps:
            fresh = chances(1000 + seed, 300)
            changed = remap(fresh, KeywordMapper.of(with_thresholds(VOCABULARY, found.thresholds), COLOURS))
            gains.append(measured(changed).precision.value - measured(remap(fresh, MAPPER)).precision.value)
    assert len(gains) <= 3
    assert all(gain > 0 for gain in gains)


def test_photos_of_one_product_never_judge_a_threshold_that_they_helped_to_choose():
    """One product has all the evidence; without it nothing is known, so nothing is changed for its photos."""
    alike = [
        replace(one, file=replace(one.file, group="one product"))
        for one in reds(*[(0.95, True)] * 60, *[(0.85, False)] * 30)
    ]
    found = calibrated(alike, MAPPER, COLOURS, 0.9)
    assert (found.helps, found.now.wrong, found.held_out.wrong) == (False, Share(30, 90), Share(30, 90))


def test_what_is_compared_with_is_what_is_said_today_even_where_scores_are_cooled():
    photos = reds(*[(0.95, True)] * 30, *[(0.95, False)] * 30)
    as_is, cooled_down = (calibrated(photos, MAPPER, COLOURS, 0.9, cool=cool) for cool in (False, True))
    assert as_is.now == cooled_down.now == measured(remap(photos, MAPPER))
    assert cooled_down.temperature.value > 1


def test_a_report_of_a_calibration_begins_with_the_verdict_and_fits_a_screen():
    photos = reds(*[(0.95, True)] * 60, *[(0.85, False)] * 30)
    found = calibrated(photos, MAPPER, COLOURS, 0.9)
    text = calibration_text(replace(found, thresholds=found.thresholds * 40), VOCABULARY)
    evaluation = str(EvaluationText(evaluated(photos, TAXONOMY), photos, VOCABULARY, brief=True))
    assert text.startswith("Thresholds that help on photos held out: 40; that do not: ")
    assert "and 32 more; --full has them" in text
    assert len([*text.splitlines(), "written to overlay.csv", "", *evaluation.splitlines()]) <= 24
    assert max(map(len, text.splitlines())) <= 80
