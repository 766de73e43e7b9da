"""The doctor says of each part whether it is well, and of the first that is not what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from infra.cli import main
from infra.doctor import Check, Doctor
from pipeline.stack import Stack
from tests.infra.stack_account import Account

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OUTPUTS = {name: f"https://host/1/{name}" for name in Stack.output_names().values()}
OUTPUTS |= {"Version": "0.1.0", "ImagesBucket": "images"}


def listed(key: str) -> dict[str, Any]:
    return {"Key": key, "ETag": '"1"', "Size": 1, "LastModified": NOW}


def refuses(code: str) -> Callable[..., Any]:
    def call(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "Call")

    return call


def no_credentials(**_: Any) -> Any:
    raise NoCredentialsError


def says(answer: Any) -> Callable[..., Any]:
    return lambda **_: answer


class World:
    """An AWS in which all is well, until a call is given another answer."""

    def __init__(self, **changed: Callable[..., Any]) -> None:
        depth = dict.fromkeys(
            (
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesDelayed",
                "ApproximateNumberOfMessagesNotVisible",
            ),
            "0",
        )
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()]
        mappings = [{"EventSourceArn": f"arn:a:b:{name}", "State": "Enabled"} for name in ("uploads", "backfill")]
        self.photos = [listed("boots/1.jpg")]
        self.calls: dict[str, Callable[..., Any]] = {
            "get_caller_identity": says({"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/me"}),
            "describe_stacks": says({"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Outputs": outputs}]}),
            "get_function_configuration": says({"Architectures": ["arm64"], "MemorySize": 1769, "Timeout": 120}),
            "get_paginator": lambda _: SimpleNamespace(paginate=says([{"Contents": self.photos}])),
            "get_account_settings": says({"AccountLimit": {"ConcurrentExecutions": 1000}}),
            "get_function_concurrency": says({"ReservedConcurrentExecutions": 15}),
            "list_event_source_mappings": says({"EventSourceMappings": mappings}),
            "get_queue_attributes": says({"Attributes": depth}),
            "describe_table": says(
                {"Table": {"TableStatus": "ACTIVE", "ItemCount": 7, "DeletionProtectionEnabled": True}}
            ),
            "head_object": says({"LastModified": NOW - timedelta(hours=1)}),
            "describe_alarms": says({"MetricAlarms": []}),
            **changed,
        }

    def connect(self, service: str) -> Any:
        return SimpleNamespace(meta=SimpleNamespace(region_name="eu-central-1"), **self.calls)

    def findings(self) -> list[Check]:
        return list(Doctor(self.connect, "catalog-tagger", lambda: NOW).findings())

    def ill(self) -> list[Check]:
        return [finding for finding in self.findings() if not finding.well]


def test_where_all_is_well_nothing_is_to_be_done() -> None:
    assert World().ill() == []
    assert [finding.what for finding in World().findings()] == [
        "credentials",
        "stack",
        "version",
        "function",
        "concurrency",
        "mappings",
        "uploads queue",
        "backfill queue",
        "table",
        "products",
        "export",
        "alarms",
    ]


def test_it_says_who_asks_and_where() -> None:
    assert World().findings()[0].found == "account 123456789012, arn:aws:iam::123456789012:user/me, eu-central-1"


@pytest.mark.parametrize(
    ("changed", "what", "step"),
    [
        ({"get_caller_identity": no_credentials}, "credentials", "sign in to AWS with `aws sso login`"),
        ({"get_caller_identity": refuses("ExpiredToken")}, "credentials", "sign in to AWS with `aws sso login`"),
        ({"describe_stacks": refuses("ValidationError")}, "stack", "`make deploy` deploys one"),
    ],
)
def test_without_credentials_or_stack_nothing_else_is_asked(changed: dict, what: str, step: str) -> None:
    last = World(**changed).findings()[-1]

    assert last.what == what
    assert last.next_step.startswith(step)
    assert len(World(**changed).findings()) <= 2


@pytest.mark.parametrize(
    ("status", "step"),
    [
        ("UPDATE_IN_PROGRESS", "wait until it is through"),
        ("ROLLBACK_COMPLETE", "see its events, then RUNBOOK.md#a-deployment-that-failed"),
    ],
)
def test_a_stack_that_does_not_stand_is_the_last_that_is_looked_at(status: str, step: str) -> None:
    outputs = [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()]
    findings = World(describe_stacks=says({"Stacks": [{"StackStatus": status, "Outputs": outputs}]})).findings()

    assert findings[-1] == Check("stack", f"catalog-tagger, {status}", step)


@pytest.mark.parametrize(
    ("changed", "what", "found"),
    [
        ({"get_function_configuration": refuses("AccessDeniedException")}, "permission", "AccessDeniedException"),
        ({"get_account_settings": refuses("ThrottlingException")}, "AWS", "ThrottlingException"),
        ({"get_account_settings": says({"AccountLimit": {"ConcurrentExecutions": 10}})}, "concurrency", "account's 10"),
        ({"list_event_source_mappings": says({"EventSourceMappings": []})}, "mappings", "none"),
        (
            {
                "list_event_source_mappings": says(
                    {"EventSourceMappings": [{"EventSourceArn": "a:uploads", "State": "Disabled"}]}
                )
            },
            "mappings",
            "uploads disabled",
        ),
        (
            {"describe_table": says({"Table": {"TableStatus": "ACTIVE", "ItemCount": 7}})},
            "table",
            "active, about 7 images",
        ),
        ({"head_object": refuses("404")}, "export", "there is none yet"),
        ({"head_object": says({"LastModified": NOW - timedelta(hours=27)})}, "export", "27.0 hours old"),
        ({"describe_alarms": says({"MetricAlarms": [{"AlarmName": "catalog-tagger-bugs"}]})}, "alarms", "bugs"),
    ],
)
def test_what_is_not_well_is_said_with_what_to_do_and_the_rest_is_looked_at(
    changed: dict, what: str, found: str
) -> None:
    ill = World(**changed).ill()

    assert {finding.what for finding in ill} == {what}
    assert found in ill[0].found
    assert ill[0].next_step
    assert len(World(**changed).findings()) == len(World().findings())


def test_an_account_of_ten_executions_is_well_where_nothing_is_reserved() -> None:
    world = World(
        get_account_settings=says({"AccountLimit": {"ConcurrentExecutions": 10}}), get_function_concurrency=says({})
    )

    assert world.ill() == []
    assert "none reserved; the account's 10" in next(f.found for f in world.findings() if f.what == "concurrency")


def test_dead_letters_want_attention() -> None:
    counts = {"ApproximateNumberOfMessages": "3", "ApproximateNumberOfMessagesDelayed": "0"}
    ill = World(
        get_queue_attributes=says({"Attributes": {**counts, "ApproximateNumberOfMessagesNotVisible": "1"}})
    ).ill()

    assert [finding.what for finding in ill] == ["uploads queue", "backfill queue"]
    assert ill[0].found == "3 waiting, 1 in flight, 4 dead letters"


def test_a_function_that_is_not_ready_is_waited_for() -> None:
    held = {"Architectures": ["arm64"], "MemorySize": 1769, "Timeout": 120, "LastUpdateStatus": "InProgress"}
    ill = World(get_function_configuration=says(held)).ill()

    assert ill == [
        Check("function", "arm64, 1,769 MB, 120 s, active, inprogress", "wait a minute; if it stays, `make deploy`")
    ]


@pytest.mark.slow
def test_it_looks_at_a_deployed_stack(
    ministack: str, tmp_path: Path, aws_environment: None, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    account = Account(ministack, tmp_path)
    account.deploy()
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path))
    monkeypatch.setenv("CATALOG_TAGGER_STACK", account.name)
    code = main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    ill = [finding for finding in report["findings"] if not finding["well"]]

    assert code == 1
    assert report["well"] is False
    assert [(finding["what"], finding["found"]) for finding in ill] == [("export", "there is none yet")]
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.endswith("Next: wait for the timer, or `catalog-tagger export`.\n")


def test_products_that_merge_photos_of_many_folders_want_attention() -> None:
    world = World()
    [what] = [finding for finding in world.findings() if finding.what == "products"]
    assert (what.found, what.well) == ("boots/1.jpg is a photo of the product boots/1", True)

    variables = {"PRODUCT_PATTERN": r"(?P<product>[^/.]+)[.]jpg$"}
    configuration = {"Architectures": ["arm64"], "MemorySize": 1, "Timeout": 1, "Environment": {"Variables": variables}}
    world = World(get_function_configuration=says(configuration))
    world.photos = [listed(f"SKU-{number}/front.jpg") for number in range(20)]
    [finding] = world.ill()
    assert finding.found.startswith("20 of the first 20 photos, from 20 folders, are one product, front")
    assert "ProductPattern" in finding.next_step
