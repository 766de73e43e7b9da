"""The cost page: what a million photos cost, by part, computed from the price file and from measurements."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from pathlib import Path

import click

from catalog_loader.estimate import FUNCTION_BATCH, FUNCTION_GB, SLOWER, SQS_BATCH, SQS_CALLS, WRITE_UNITS, Estimator

MEASURED_PATH = Path(__file__).with_name("measured.csv")
PAGE_PATH = Path(__file__).with_name("cost_page.txt")
HOURS_A_MONTH = 24 * 30
MILLION = 1_000_000
CHANGES_GB = 0.5  # as in the template
CHANGES_A_CALL = 10_000  # as in the template
CALLS_A_DELTA = 2  # S3 writes: the delta, and latest.json, which lists it
READ_UNIT_BYTES = 4096  # the size of one read unit of Amazon DynamoDB
SHOWN_MS = 10  # of a call that finds a stored thumbnail: a guess, mostly waiting for the table and S3
LONGEST_S = 900  # AWS Lambda's limit for one call
# AWS's default limits, from its documentation.
ACCOUNT_CONCURRENCY = 1000
NEW_TABLE_WRITES_A_SECOND = 4000
TABLE_WRITES_A_SECOND = 40_000
PREFIX_GETS_A_SECOND = 5500
INDEX_KEY_WRITES_A_SECOND = 1000
LISTED_A_CALL = 1000  # keys that Amazon S3 lists in one answer
TAGGING = "Lambda: tag"
BATCH_JOB_GB = 0.25  # as the template says
SIZES, CONCURRENCIES = (10 * MILLION, 100 * MILLION), (10, 100, 1000)


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the bill: US dollars for a million photos on each kind of processor."""

    name: str
    what: str
    x86_usd: float
    arm_usd: float


@dataclass(frozen=True, slots=True)
class WayIn:
    """What it costs in US dollars to bring the names of a million photos into the queue, by who bills it."""

    name: str
    s3_usd: float
    sqs_usd: float
    lambda_usd: float

    @property
    def usd(self) -> float:
        """All of it."""
        return self.s3_usd + self.sqs_usd + self.lambda_usd


@dataclass(frozen=True)
class Bill:
    """What a million photos cost."""

    usd: dict[str, float]  # for a million of each
    measured: dict[str, float]
    measured_on: dict[str, str]  # the processor and the day

    @classmethod
    def load(cls) -> Bill:
        """Return the bill from the two files."""
        with MEASURED_PATH.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return cls(
            {name: price.usd_per_million for name, price in Estimator.load().prices.items()},
            {row["what"]: float(row["value"]) for row in rows},
            {row["what"]: f"{row['on']}, {row['date']}" for row in rows},
        )

    def with_photo_ms(self, metric: str) -> Bill:
        """Return the bill of a processor that takes as long for a photo as this other measurement says."""
        return replace(self, measured={**self.measured, "tag_ms": self.measured[metric]})

    @property
    def photo_ms(self) -> float:
        """How long the function is assumed to take for a photo."""
        return self.measured["tag_ms"] * SLOWER

    @property
    def exported_at_most(self) -> int:
        """How many records an export can process within its function's time limit."""
        return round(LONGEST_S * 1000 / (self.measured["export_ms"] * SLOWER))

    def parts(self) -> list[Part]:
        """Return the lines of the bill."""
        usd, read_units = self.usd, MILLION * self.measured["record_bytes"] / READ_UNIT_BYTES
        calls, deltas = MILLION / FUNCTION_BATCH, MILLION / CHANGES_A_CALL
        change_ms = self._slow("changes_ms")
        return [
            _same("S3", "1 GetObject each", usd["s3_get"]),
            _same("SQS", f"{SQS_CALLS} calls for each {SQS_BATCH}", usd["sqs_request"] * SQS_CALLS / SQS_BATCH),
            self._lambda(TAGGING, f"{self.photo_ms:.0f} ms each", self.photo_ms, FUNCTION_GB, calls),
            _same("DynamoDB: write", f"{WRITE_UNITS} units each", usd["dynamodb_write_unit"] * WRITE_UNITS),
            _same("DynamoDB: read", "1 unit each", usd["dynamodb_read_unit"]),
            self._lambda("Stream: Lambda", f"1 call for {CHANGES_A_CALL:,}", change_ms, CHANGES_GB, deltas),
            _same("Stream: S3", f"{CALLS_A_DELTA} PutObject a call", usd["s3_put"] * CALLS_A_DELTA / CHANGES_A_CALL),
            self._lambda("Export: Lambda", "once", self._slow("export_ms"), FUNCTION_GB, 1),
            _same("Export: DynamoDB", "once, the whole table", usd["dynamodb_read_unit"] * read_units / MILLION),
        ]

    def thumbnails_usd(self, *, is_made: bool) -> float:
        """Return what a million thumbnails cost that are made and kept, or that were kept already."""
        usd = self.usd
        made_ms = self._slow("thumbnail_ms") if is_made else 0.0
        made = self._lambda("", "", made_ms + SHOWN_MS, FUNCTION_GB, MILLION).x86_usd
        of_s3 = 2 * usd["s3_get"] + usd["s3_put"] if is_made else usd["s3_get"]
        return made + of_s3 + usd["dynamodb_read_unit"]

    def ways_in(self) -> list[WayIn]:
        """Return the ways in which a catalogue comes into the queue."""
        usd, send_usd = self.usd, self.usd["sqs_request"] / SQS_BATCH
        # A function of less memory has as much less of a processor, and takes as much longer: it costs the same.
        task = self._lambda("", "", self._slow("batch_job_ms"), FUNCTION_GB, MILLION)
        return [
            WayIn("`load` of a prefix", usd["s3_list"] / LISTED_A_CALL, send_usd, 0),
            WayIn("`load` of an S3 Inventory", usd["s3_inventory_object"], send_usd, 0),
            WayIn(
                "S3 Batch Operations",
                usd["s3_inventory_object"] + usd["s3_batch_object"],
                usd["sqs_request"],
                task.x86_usd,
            ),
        ]

    def _slow(self, metric: str) -> float:
        return self.measured[metric] * SLOWER

    def _lambda(self, name: str, what: str, each_ms: float, memory_gb: float, calls: float) -> Part:
        gb_s = MILLION * each_ms / 1000 * memory_gb
        requests_usd = calls * self.usd["lambda_request"] / MILLION
        x86, arm = (gb_s * self.usd[price] / MILLION + requests_usd for price in ("lambda_gb_s", "lambda_gb_s_arm64"))
        return Part(name, what, x86, arm)


def _same(name: str, basis: str, usd: float) -> Part:
    return Part(name, basis, usd, usd)


def page(bill: Bill) -> str:
    """Return the cost page."""
    parts = bill.parts()
    x86_usd, arm_usd = sum(part.x86_usd for part in parts), sum(part.arm_usd for part in parts)
    rows = [f"| {part.name} | {part.what} | {part.x86_usd:.3f} | {part.arm_usd:.3f} |" for part in parts]
    return PAGE_PATH.read_text(encoding="utf-8").format(
        slower=SLOWER,
        parts="\n".join(rows),
        x86_usd=x86_usd,
        arm_usd=arm_usd,
        break_even=bill.usd["lambda_gb_s"] / bill.usd["lambda_gb_s_arm64"],
        managed_usd=bill.usd["rekognition_labels"],
        managed_times=bill.usd["rekognition_labels"] / x86_usd,
        table_gb=MILLION * bill.measured["record_bytes"] / 1e9,
        exports_usd=HOURS_A_MONTH * sum(part.x86_usd for part in parts if part.name.startswith("Export")),
        start_ms=bill.measured["tag_start_ms"],
        tag_mib=bill.measured["tag_mib"],
        sizes=_sizes(bill, x86_usd),
        measured_on=bill.measured_on["tag_ms"],
        processors=_processors(bill),
        ms_usd=SLOWER * FUNCTION_GB * bill.usd["lambda_gb_s"] / 1000,
        previous_usd=WRITE_UNITS * bill.usd["dynamodb_write_unit"],
        made_usd=bill.thumbnails_usd(is_made=True),
        shown_usd=bill.thumbnails_usd(is_made=False),
        thumbnail_ms=bill.measured["thumbnail_ms"] * SLOWER,
        ways_in=_ways_in(bill),
        job_usd=bill.usd["s3_batch_job"] / MILLION,
        batch_wait_usd=0.01 * BATCH_JOB_GB * bill.usd["lambda_gb_s"],
        **_limits(bill),
    )


def _processors(bill: Bill) -> str:
    """Return the table of what a million photos cost by how fast a processor is."""
    lines = ["| processor, day | a photo on a core | Lambda: tag | all |", "|---|---:|---:|---:|"]
    for metric in ("tag_ms", "tag_zen5_ms"):
        parts = bill.with_photo_ms(metric).parts()
        tag_usd = next(part.x86_usd for part in parts if part.name == TAGGING)
        pace = f"{bill.measured[metric]:.1f} ms | {tag_usd:.2f} | {sum(part.x86_usd for part in parts):.2f}"
        lines.append(f"| {bill.measured_on[metric]} | {pace} |")
    return "\n".join(lines)


def _ways_in(bill: Bill) -> str:
    head = "| way | S3 | SQS: send | Lambda | **all** |\n|---|---:|---:|---:|---:|"
    rows = [
        f"| {way.name} | {way.s3_usd:.4f} | {way.sqs_usd:.3f} | {way.lambda_usd:.3f} | **{way.usd:.3f}** |"
        for way in bill.ways_in()
    ]
    return "\n".join([head, *rows])


def _limits(bill: Bill) -> dict[str, float]:
    paces = {
        "new_table": NEW_TABLE_WRITES_A_SECOND,
        "table": TABLE_WRITES_A_SECOND,
        "prefix": PREFIX_GETS_A_SECOND,
        "index_key": INDEX_KEY_WRITES_A_SECOND,
    }
    return {
        **paces,
        **{f"{name}_functions": _functions(pace, bill) for name, pace in paces.items()},
        "account": ACCOUNT_CONCURRENCY,
        "longest_min": LONGEST_S / 60,
        "exported_millions": bill.exported_at_most / MILLION,
        "ten_hours": _export_hours(bill, 10 * MILLION),
        "hundred_hours": _export_hours(bill, 100 * MILLION),
        "most": CONCURRENCIES[-1],
        "held": CONCURRENCIES[-1] * FUNCTION_BATCH,
    }


def _functions(per_second: int, bill: Bill) -> int:
    """Return how many concurrent functions process that many photos a second."""
    return math.floor(per_second * bill.photo_ms / 1000)


def _export_hours(bill: Bill, images: int) -> float:
    return images * bill.measured["export_ms"] / 3_600_000


def _sizes(bill: Bill, million_usd: float) -> str:
    head = [f"{count:,} functions" for count in CONCURRENCIES]
    lines = [f"| photos | US dollars | {' | '.join(head)} |", "|---:|---:|" + "---:|" * len(head)]
    for images in SIZES:
        hours = [images * bill.photo_ms / 3_600_000 / count for count in CONCURRENCIES]
        times = " | ".join(f"{duration_h:,.1f} h" for duration_h in hours)
        lines.append(f"| {images:,} | {images / MILLION * million_usd:,.0f} | {times} |")
    pace = " | ".join(f"{1000 / bill.photo_ms * count:,.0f}/s" for count in CONCURRENCIES)
    return "\n".join([*lines, f"| photos a second | | {pace} |"])


@click.command()
def cost() -> None:
    """Print the cost page."""
    click.echo(page(Bill.load()), nl=False)
