"""Each role allows exactly what its function calls: what the deployed template says, against recorded calls."""

from __future__ import annotations

import fnmatch
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from infra.package import PACKAGES, ROOT
from pipeline.aws.clients import client
from tests.infra.day import Day, live_a_day, refused
from tests.infra.stack_account import Account
from tests.infra.template_parts import as_list, functions, of_type

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
# What AWS Lambda does in the function's name, by what starts it.
OF_SOURCE = {
    "SQS": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
    "DynamoDB": {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "sqs:SendMessage",  # what a batch failed on goes to the queue of failures
    },
}
# What no event here brings out.
SELDOM = {
    "ExportFunction": {"s3:AbortMultipartUpload"},  # a file sent in parts breaks off
    "WatchFunction": {"dynamodb:DeleteItem"},  # whoever asks is still there when the record is found
}
# Never called by most, but without it what is not there answers 403, as if it were forbidden.
TELLS_GONE = "s3:ListBucket"
SIGNED = "signed form"  # what the recorder says of a form that a browser will send
NAMES = [package.function for package in PACKAGES]
every_function = pytest.mark.parametrize("function", NAMES)


@dataclass
class Recorded(Day):
    """A day of which every call is written down, by function: an action and a resource each."""

    calls: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def answers(self, function: str, wanted: list[dict[str, Any]]) -> list[Any]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            [sys.executable, "-m", "tests.infra.recorder"],
            cwd=ROOT,
            env=environment | self.variables(function),
            input=json.dumps({"handler": functions()[function]["Handler"], "events": wanted}),
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads(done.stdout)
        self.calls.setdefault(function, []).extend((action, resource) for action, resource in found["calls"])
        return found["answers"]

    def statements(self, function: str) -> list[dict[str, Any]]:
        """Return what the function's role allows, in all its policies, with real names."""
        iam = client("iam", self.account.endpoint_url)
        role = self.configuration(function)["Role"].rsplit("/", 1)[-1]
        documents = [
            iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
            found = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)["PolicyVersion"]
            documents.append(found["Document"])
        return [statement for document in documents for statement in as_list(document["Statement"])]


@pytest.fixture(scope="module")
def day(ministack: str, real_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """A day, lived and recorded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("MODEL_DIR", str(real_model))
        recorded = Recorded(Account.asleep_with_a_neighbour(ministack, tmp_path_factory.mktemp("code")))
        live_a_day(recorded)
        yield recorded


def allowing(statements: list[dict[str, Any]], action: str, resource: str) -> bool:
    """Say whether a statement allows the action on the resource."""
    patterns = [p for s in statements if action in as_list(s["Action"]) for p in as_list(s["Resource"])]
    return any(fnmatch.fnmatchcase(resource, pattern) for pattern in patterns)


@every_function
def test_nothing_is_missing(day: Recorded, function: str) -> None:
    statements = day.statements(function)
    calls = [(action, resource) for action, resource in day.calls[function] if resource != SIGNED]

    assert [call for call in calls if not allowing(statements, *call)] == []


@every_function
def test_nothing_is_unused(day: Recorded, function: str) -> None:
    sources = {event["Type"] for event in functions()[function].get("Events", {}).values()}
    of_lambda = LOGS.union(*(OF_SOURCE[source] for source in sources))
    called = {action for action, _ in day.calls[function]}
    allowed = {action for statement in day.statements(function) for action in as_list(statement["Action"])}

    assert allowed - {TELLS_GONE} == called - {TELLS_GONE} | of_lambda | SELDOM.get(function, set())
    assert (TELLS_GONE in allowed) == ("s3:GetObject" in allowed)


@every_function
def test_nothing_is_allowed_where_nothing_is_called(day: Recorded, function: str) -> None:
    """Each resource of a statement is one that some call, or AWS Lambda itself, is about."""
    calls = day.calls[function]
    for statement in day.statements(function):
        actions = set(as_list(statement["Action"]))
        if actions == {TELLS_GONE} or actions & LOGS.union(*OF_SOURCE.values()):
            continue
        for pattern in as_list(statement["Resource"]):
            used = [r for a, r in calls if a in actions and (r == SIGNED or fnmatch.fnmatchcase(r, pattern))]
            assert used, (statement["Sid"], pattern)


def test_every_route_of_the_api_was_asked(day: Recorded) -> None:
    routes = {each["Properties"]["RouteKey"] for each in of_type("AWS::ApiGatewayV2::Route").values()}

    assert {asked.get("routeKey", "$default") for asked in day.asked if "requestContext" in asked} == routes


def test_no_request_was_refused_but_the_one_for_a_photo_that_is_not_there(day: Recorded) -> None:
    assert refused(day) == [("ClassifyFunction", 404)]
