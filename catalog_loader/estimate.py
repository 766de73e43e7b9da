"""What tagging will cost and how long it will take, estimated from the price table beside this file."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import CallerError

PRICES_PATH = Path(__file__).with_name("prices.csv")
MILLION = 1_000_000
# Measured by `make bench`: 65 to 70 images/s on a core of an AMD EPYC with VNNI, in batches of fifty, with storage that
# answers after 30 ms. Not measured on AWS Lambda, whose core may be slower: the function's log tells what it took.
CORE_MS = 15.0
SLOWER = 2.0  # chosen by us, so that the estimate is rather too high: a virtual CPU is one of two threads of a core
IMAGE_MS = CORE_MS * SLOWER
FUNCTION_GB = 1769 / 1024  # as the template says
BACKFILL_FUNCTIONS = 10  # at once, as the template says
FUNCTION_BATCH = 50  # messages a call of the function, as the template says
SQS_BATCH = 10  # messages a call of SQS: the most that Amazon permits
SQS_CALLS = 3  # a message is sent, received and deleted
WRITE_UNITS = 2  # measured: records of 300 to 640 bytes, so one for the table and one for its index by product
READ_UNITS = 1  # for the record, which is below 4 KB


@dataclass(frozen=True, slots=True)
class Price:
    """What a million of something cost."""

    item: str
    usd_per_million: float
    date: str
    region: str
    source: str


@dataclass(frozen=True, slots=True)
class Estimator:
    """Says what images cost, by these prices. No image is taken to be unchanged, so the estimate is an upper one."""

    prices: Mapping[str, Price]
    image_ms: float = IMAGE_MS

    @classmethod
    def load(cls, image_ms: float = IMAGE_MS, path: Path = PRICES_PATH) -> Estimator:
        """Return an estimator with the prices of the file."""
        with path.open(encoding="utf-8", newline="") as file:
            prices = [
                Price(row["item"], float(row["usd_per_million"]), row["date"], row["region"], row["source"])
                for row in csv.DictReader(file)
            ]
        return cls({price.item: price for price in prices}, image_ms)

    @property
    def image_usd(self) -> float:
        """What one image costs: function, queue, table and bucket, but neither listing nor storage nor logs."""
        return sum(amount * self.prices[item].usd_per_million / MILLION for item, amount in self._amounts().items())

    def _amounts(self) -> dict[str, float]:
        return {
            "lambda_gb_s": self.image_ms / 1000 * FUNCTION_GB,
            "lambda_request": 1 / FUNCTION_BATCH,
            "sqs_request": SQS_CALLS / SQS_BATCH,
            "dynamodb_write_unit": WRITE_UNITS,
            "dynamodb_read_unit": READ_UNITS,
            "s3_get": 1,
        }

    def estimate(self, images: int) -> Estimate:
        """Return what so many images cost, and how long they take with all functions of the backfill at work."""
        seconds = images * self.image_ms / 1000 / BACKFILL_FUNCTIONS
        newest = max((self.prices[item] for item in self._amounts()), key=lambda price: price.date)
        return Estimate(images * self.image_usd, seconds, f"{newest.source}, {newest.region}, {newest.date}")

    def affordable(self, max_cost_usd: float) -> int:
        """Return how many images can be tagged without passing the cost.

        Raises:
            CallerError: the cost is below zero.
        """
        if not max_cost_usd >= 0 or math.isinf(max_cost_usd):
            raise CallerError(f"--max-cost is {max_cost_usd}; it must be an amount of USD from 0 on")
        return math.floor(max_cost_usd / self.image_usd + 1e-9)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a number of images costs and takes, and whose prices say so."""

    cost_usd: float
    seconds: float
    prices: str
