"""Estimates: prices with their date, and figures that the template says too."""

from __future__ import annotations

import csv
from datetime import date

import pytest

from catalog_loader import estimate
from catalog_loader.estimate import PRICES_PATH, Estimator
from pipeline.errors import CallerError
from pipeline.ports import SEND_BATCH
from tests.infra.template_parts import whole


@pytest.fixture
def estimator() -> Estimator:
    """An estimator of images of 45 ms."""
    return Estimator.load(45)


def test_every_price_says_what_where_when_and_who_says_so() -> None:
    with PRICES_PATH.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert all(all(row.values()) for row in rows)
    assert all(date.fromisoformat(row["date"]) and float(row["usd_per_million"]) > 0 for row in rows)
    assert len({row["item"] for row in rows}) == len(rows)


def test_an_image_costs_its_share_of_every_call(estimator: Estimator) -> None:
    """45 ms of 1.73 GB, a fiftieth of a call of the function, three tenths of SQS's, two writes, a read and a get."""
    by_hand = 0.045 * 1769 / 1024 * 16.67 + 0.02 * 0.2 + 0.3 * 0.4 + 2 * 0.625 + 0.125 + 0.4

    assert estimator.image_usd * 1_000_000 == pytest.approx(by_hand)


def test_a_million_images_cost_a_million_times_one(estimator: Estimator) -> None:
    million = estimator.estimate(1_000_000)

    assert million.cost_usd == pytest.approx(1_000_000 * estimator.image_usd)
    assert million.seconds == pytest.approx(1_000_000 * 0.045 / 10)
    assert million.prices == "AWS price list, us-east-1, 2026-11-20"


def test_a_slower_function_costs_more() -> None:
    assert Estimator.load(90).image_usd > 1.3 * Estimator.load(45).image_usd


@pytest.mark.parametrize("images", [0, 1, 7, 1000])
def test_what_is_affordable_never_passes_the_cost(estimator: Estimator, images: int) -> None:
    assert estimator.affordable(estimator.estimate(images).cost_usd) == images
    assert estimator.affordable((images + 0.99) * estimator.image_usd) == images


@pytest.mark.parametrize("cost_usd", [-0.01, float("nan"), float("inf")])
def test_a_cost_that_is_none_is_the_callers_mistake(estimator: Estimator, cost_usd: float) -> None:
    with pytest.raises(CallerError, match="--max-cost is"):
        estimator.affordable(cost_usd)


def test_the_estimate_and_the_template_agree() -> None:
    def default(parameter: str) -> int:
        return int(whole()["Parameters"][parameter]["Default"])

    assert default("TagMemoryMB") == round(estimate.FUNCTION_GB * 1024)
    assert default("BackfillConcurrency") == estimate.BACKFILL_FUNCTIONS
    assert default("BackfillBatchSize") == estimate.FUNCTION_BATCH
    assert estimate.SQS_BATCH == SEND_BATCH
