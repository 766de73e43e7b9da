"""Alarms say whose they are and what to do, and what they and the dashboard read is really counted."""

from __future__ import annotations

import csv
import json
import re

import pytest

from catalog_loader.estimate import PRICES_PATH
from pipeline.telemetry import Metric
from tests.infra.template_parts import functions, number, of_type, properties, whole

OURS = {"Fn::Sub": "CatalogTagger/${AWS::StackName}"}
OWNERS = {"operator", "deployer", "developer", "the catalogue's owner"}
ALARMS = sorted(of_type("AWS::CloudWatch::Alarm"))
every_alarm = pytest.mark.parametrize("alarm", ALARMS)


def read_by(alarm: str) -> list[dict]:
    """Return the metrics that an alarm reads."""
    held = properties(alarm)
    metrics = [each["Fn::If"][1] if "Fn::If" in each else each for each in held.get("Metrics", ())]
    return [each["MetricStat"]["Metric"] for each in metrics if "MetricStat" in each] or [held]


@every_alarm
def test_an_alarm_says_whose_it_is_and_where_it_stands_what_to_do(alarm: str) -> None:
    said = properties(alarm)["AlarmDescription"]

    assert re.match(r"Owner: ([^.]+)\. ", said)[1] in OWNERS
    assert re.search(r" RUNBOOK\.md#[a-z-]+$", said)
    assert len(said) <= 1024  # the most Amazon CloudWatch permits


@every_alarm
def test_an_alarm_is_sent_if_there_is_an_address_and_so_is_its_end(alarm: str) -> None:
    for actions in ("AlarmActions", "OKActions"):
        assert properties(alarm)[actions] == {
            "Fn::If": ["HasAlarmAddress", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]
        }
    assert whole()["Resources"][alarm]["Condition"] == "HasAlarms"


@every_alarm
def test_no_news_is_good_news(alarm: str) -> None:
    assert properties(alarm)["TreatMissingData"] == "notBreaching"


@every_alarm
def test_what_an_alarm_reads_of_ours_is_counted(alarm: str) -> None:
    for metric in read_by(alarm):
        if metric["Namespace"] == OURS:
            assert metric["MetricName"] in set(Metric)
            assert metric["Dimensions"] in ([{"Name": "service", "Value": name}] for name in ("tag", "export"))


def read_of_functions(metric: str) -> set[str]:
    """Return the functions of which some alarm reads that metric."""
    found = [each for alarm in ALARMS for each in read_by(alarm) if each["MetricName"] == metric]
    return {each["Dimensions"][0]["Value"]["Ref"] for each in found}


def test_each_queue_that_holds_dead_letters_has_its_alarm() -> None:
    watched = [metric["Dimensions"][0]["Value"] for alarm in ALARMS for metric in read_by(alarm)]
    dead = [name for name in of_type("AWS::SQS::Queue") if "DeadLetter" in name]

    assert len(dead) == 2
    for queue in dead:
        assert {"Fn::GetAtt": [queue, "QueueName"]} in watched


def test_each_function_that_reads_a_stream_has_an_alarm_for_falling_behind() -> None:
    readers = {
        name
        for name, function in functions().items()
        if any(event["Type"] == "DynamoDB" for event in function.get("Events", {}).values())
    }

    assert read_of_functions("IteratorAge") == readers


def test_each_function_has_an_alarm_for_failing() -> None:
    assert read_of_functions("Errors") == set(functions())


def test_the_cost_is_reckoned_by_the_prices_of_the_price_file() -> None:
    with PRICES_PATH.open(encoding="utf-8", newline="") as file:
        prices = {row["item"]: float(row["usd_per_million"]) for row in csv.DictReader(file)}
    formula, inserted = properties("CostAlarm")["Metrics"][0]["Expression"]["Fn::Sub"]

    arm, x86 = inserted["USDPerGBSecond"]["Fn::If"][1:]
    assert float(x86) == pytest.approx(prices["lambda_gb_s"] / 1e6)
    assert float(arm) == pytest.approx(prices["lambda_gb_s_arm64"] / 1e6)
    assert float(re.search(r"calls, 0\) \* ([\d.]+)", formula)[1]) == pytest.approx(prices["lambda_request"] / 1e6)


def test_the_cost_formula_says_what_a_thousand_photos_cost() -> None:
    formula, inserted = properties("CostAlarm")["Metrics"][0]["Expression"]["Fn::Sub"]
    memory_mb = number({"Ref": "TagMemoryMB"})
    formula = formula.replace("${TagMemoryMB}", str(memory_mb))
    formula = formula.replace("${USDPerGBSecond}", inserted["USDPerGBSecond"]["Fn::If"][2])
    counted = {"tagged": 1500, "rejected": 300, "gone": 100, "unchanged": 100, "ms": 90_000, "calls": 40}

    def cost(**changed: int) -> float:
        functions = {"IF": lambda test, then, other: then if test else other, "FILL": lambda value, _: value}
        return eval(formula, functions, counted | changed)

    assert cost() == pytest.approx(1000 * (90 * memory_mb / 1024 * 16.67e-6 + 40 * 0.2e-6) / 2000)
    assert cost(tagged=1, rejected=1, gone=1) == 0


# ---- The dashboard ---------------------------------------------------------------------------------------------------


def widgets() -> list[dict]:
    """Return the widgets, names filled in."""
    body = properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    return json.loads(re.sub(r"\$\{([^}]+)\}", lambda match: match[1], body))["widgets"]


def test_the_dashboard_shows_every_metric_of_ours() -> None:
    shown = {metric[1] for each in widgets() for metric in each["properties"]["metrics"] if "::StackName" in metric[0]}

    assert shown | {Metric.BAD_MESSAGES, Metric.DEAD_LETTERED} == set(Metric)  # these two show as dead letters


def test_the_dashboard_names_only_what_there_is() -> None:
    named = {metric[3].split(".")[0] for each in widgets() for metric in each["properties"]["metrics"]}

    assert named - {"tag", "export", "changes"} <= set(whole()["Resources"])


def test_a_widget_fits_on_the_page_and_says_what_it_shows() -> None:
    for widget in widgets():
        assert (widget["width"], widget["height"]) == (8, 6)
        assert widget["properties"]["title"]
        assert widget["properties"]["region"] == "AWS::Region"
