"""The cost page says what its script says, and the script reckons with what the template and the code do."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import pytest

from infra import cost
from infra.cost import MEASURED_PATH, Bill, page
from infra.package import ROOT
from tests.infra.template_parts import functions, number, properties


@pytest.fixture
def bill() -> Bill:
    return Bill.load()


def test_the_page_is_what_the_script_says() -> None:
    """`make cost` writes it anew."""
    assert (ROOT / "docs" / "cost.md").read_text(encoding="utf-8") == page(Bill.load())


def test_every_line_of_the_bill_is_reckoned_by_hand(bill: Bill) -> None:
    usd = {part.name: part.x86_usd for part in bill.parts()}
    measured = {row["what"]: float(row["value"]) for row in csv.DictReader(MEASURED_PATH.open(encoding="utf-8"))}

    assert usd == {
        "S3": pytest.approx(0.40),
        "SQS": pytest.approx(0.3 * 0.40),
        "Lambda: tag": pytest.approx(2 * measured["tag_ms"] * 1000 * 1769 / 1024 * 16.67e-6 + 20_000 * 0.2e-6),
        "DynamoDB: write": pytest.approx(2 * 0.625),
        "DynamoDB: read": pytest.approx(0.125),
        "Stream: Lambda": pytest.approx(2 * measured["changes_ms"] * 1000 * 0.5 * 16.67e-6 + 100 * 0.2e-6),
        "Stream: S3": pytest.approx(200 * 5e-6),
        "Export: Lambda": pytest.approx(2 * measured["export_ms"] * 1000 * 1769 / 1024 * 16.67e-6, abs=1e-6),
        "Export: DynamoDB": pytest.approx(0.125 * measured["record_bytes"] / 4096),
    }


def test_a_millisecond_more_on_a_core_costs_the_function_two_of_a_virtual_one(bill: Bill) -> None:
    measured = bill.measured | {"tag_ms": 10.0, "slower_ms": 11.0}
    bill = replace(bill, measured=measured)
    usd = sum(part.x86_usd for part in bill.with_photo_ms("slower_ms").parts()) - sum(p.x86_usd for p in bill.parts())

    assert usd == pytest.approx(2 / 1000 * 1769 / 1024 * 16.67)
    assert f"is {usd:.3f} a million" in page(bill)


def test_every_way_in_is_reckoned_by_hand(bill: Bill) -> None:
    task_ms = 2 * bill.measured["batch_job_ms"]

    assert {way.name: way.usd for way in bill.ways_in()} == {
        "`load` of a prefix": pytest.approx(5 / 1000 + 0.04),
        "`load` of an S3 Inventory": pytest.approx(0.0025 + 0.04),
        "S3 Batch Operations": pytest.approx(0.0025 + 1 + 0.4 + task_ms * 1000 * 1769 / 1024 * 16.67e-6 + 0.2),
    }


def test_arm_costs_less_by_the_price_of_its_function_alone(bill: Bill) -> None:
    for part in bill.parts():
        if "Lambda" in part.name:
            assert 13.33 / 16.67 <= part.arm_usd / part.x86_usd < 1
        else:
            assert part.arm_usd == part.x86_usd


def test_it_reckons_with_what_the_template_says() -> None:
    changes = properties("ChangesFunction")

    assert changes["MemorySize"] == cost.CHANGES_GB * 1024
    assert properties("BatchJobFunction")["MemorySize"] == cost.BATCH_JOB_GB * 1024
    assert changes["Events"]["Changes"]["Properties"]["BatchSize"] == cost.CHANGES_A_CALL
    assert properties("ExportFunction")["Timeout"] == cost.LONGEST_S
    assert number(functions()["ExportFunction"]["MemorySize"]) == round(cost.FUNCTION_GB * 1024)


def test_what_was_measured_says_of_what_on_what_and_when() -> None:
    rows = list(csv.DictReader(MEASURED_PATH.open(encoding="utf-8")))

    assert all(all(row.values()) for row in rows)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", row["date"]) and float(row["value"]) > 0 for row in rows)


def test_a_hundred_million_take_ten_times_as_long_as_ten_and_a_tenth_with_ten_times_the_functions(bill: Bill) -> None:
    rows = [line for line in page(bill).splitlines() if line.startswith(("| 10,000,000 ", "| 100,000,000 "))]
    hours = [[float(each) for each in re.findall(r"([\d.]+) h", row)] for row in rows]

    assert hours[0][0] == hours[1][1]
    assert hours[1][0] == pytest.approx(100e6 * bill.photo_ms / 1000 / 10 / 3600, abs=0.05)
