"""`make deploy` keeps its answers: the first deployment and the tenth read the same file, and a person may edit it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from infra.deploy import ParameterFile, Parameters, first_values, parse_given, reserved_concurrency, without_reservation
from infra.package import ROOT, TEMPLATE
from pipeline.aws.clients import client
from pipeline.errors import CallerError

if TYPE_CHECKING:
    from pathlib import Path

PARAMETERS = Parameters.of_template(TEMPLATE.read_text(encoding="utf-8"))


@pytest.fixture
def file(tmp_path: Path) -> ParameterFile:
    return ParameterFile(tmp_path / "parameters.toml")


def test_the_file_returns_what_was_saved_whatever_the_values_hold(file: ParameterFile) -> None:
    stacks = {
        "catalog-tagger": {"ExportSchedule": "cron(0 3 * * ? *)", "ProductPattern": r"(?P<product>\d+)\ \"x\"'"},
        "shop-2": {"AlarmAddress": "Zoë@shop.example", "JwtAudience": "a,b"},
    }
    file.save(stacks)

    assert file.load() == stacks


def test_without_a_file_there_is_no_stack(file: ParameterFile) -> None:
    assert file.load() == {}


def test_a_person_may_write_lists_numbers_and_truth_values_as_toml_has_them(file: ParameterFile) -> None:
    file.path.write_text('[shop]\nJwtAudience = ["a", "b"]\nUploadsConcurrency = 20\nTraces = true\n')

    assert file.load() == {"shop": {"JwtAudience": "a,b", "UploadsConcurrency": "20", "Traces": "true"}}


@pytest.mark.parametrize(("text", "reason"), [("[shop", "is not TOML"), ('Traces = "true"', "below a line with its")])
def test_a_file_that_cannot_be_read_is_refused_by_name(file: ParameterFile, text: str, reason: str) -> None:
    file.path.write_text(text)

    with pytest.raises(CallerError, match=rf"parameters\.toml.*{reason}"):
        file.load()


def test_parameters_on_the_command_line_may_hold_spaces_between_quotes() -> None:
    assert parse_given("A=1 B='rate(1 hour)' C=x=y") == {"A": "1", "B": "rate(1 hour)", "C": "x=y"}
    assert parse_given("") == {}


@pytest.mark.parametrize("text", ["ExportSchedule=rate(1 hour)", "true", "A='1"])
def test_what_is_no_parameter_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(CallerError, match=r"quotes, such as|cannot be read"):
        parse_given(text)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("Alarm", "x", "there is no parameter Alarm"),
        ("ReserveConcurrency", "no", "must be one of true, false"),
        ("CostAlarmUSD", "cheap", "must be a number"),
        ("TagMemoryMB", "512", "between 1,769 and 10,240"),
        ("AlarmAddress", "me", "does not match"),
        ("CatalogueBucket1", "BAD", "does not match"),
    ],
)
def test_a_value_that_the_template_would_refuse_is_refused_before_anything_is_built(
    name: str, value: str, reason: str
) -> None:
    with pytest.raises(CallerError, match=reason):
        PARAMETERS.check(name, value)


def test_every_default_is_accepted() -> None:
    for name in PARAMETERS.declared:
        PARAMETERS.check(name, PARAMETERS.default(name))


def test_a_stack_that_comes_back_under_another_name_begins_with_the_first_ones_parameters() -> None:
    stacks = {"catalog-tagger": {"AlarmAddress": "me@shop.example"}, "shop-2": {}}

    assert first_values(stacks, None)[0] == {"AlarmAddress": "me@shop.example"}


def test_a_person_is_asked_for_the_issuer_only_where_people_sign_in_with_tokens() -> None:
    answers = {"AlarmAddress": "", "CatalogueBucket1": "", "CataloguePrefix1": "", "ExportSchedule": "rate(1 day)"}
    with_iam = {**answers, "ApiAuthorization": "AWS_IAM"}
    with_jwt = {**answers, "ApiAuthorization": "JWT", "JwtIssuer": "i", "JwtAudience": "a", "SignInUrl": "s"}

    assert first_values({}, with_iam.__getitem__)[0] == with_iam
    assert first_values({}, with_jwt.__getitem__)[0] == with_jwt
    assert first_values({}, None)[0] == {}


def test_an_account_that_permits_ten_executions_is_deployed_without_a_reservation() -> None:
    values, sentence = without_reservation({"Traces": "true"}, PARAMETERS, limit=10)

    assert values == {"Traces": "true", "ReserveConcurrency": "false"}
    assert reserved_concurrency(values, PARAMETERS) == 0
    assert "permits 10 concurrent executions" in sentence


def test_a_reservation_stays_where_the_account_permits_it() -> None:
    wanted = reserved_concurrency({}, PARAMETERS)

    assert wanted == 5 + 10 + 1
    assert without_reservation({}, PARAMETERS, limit=wanted + 100) == ({}, "")
    assert without_reservation({}, PARAMETERS, limit=wanted + 99)[0] == {"ReserveConcurrency": "false"}


# ---- As typed, by AWS SAM on the embedded AWS ------------------------------------------------------------------------


class Desk:
    """A person at a checkout who types ``make deploy``."""

    def __init__(self, endpoint_url: str, stack: str) -> None:
        self.endpoint_url, self.stack = endpoint_url, stack
        self.cloudformation = client("cloudformation", endpoint_url)

    def make_deploy(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "AWS_ENDPOINT_URL": self.endpoint_url}
        command = ["make", "deploy", *(words or [f"STACK={self.stack}"])]
        return subprocess.run(
            command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    def described(self, stack: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self.cloudformation.describe_stacks(StackName=stack or self.stack)["Stacks"][0]
        return found

    def values(self, stack: str | None = None) -> dict[str, str]:
        return {each["ParameterKey"]: each["ParameterValue"] for each in self.described(stack)["Parameters"]}


@pytest.fixture
def desk(
    own_ministack: str, real_model: Path, tmp_path: Path, aws_environment: None, monkeypatch: pytest.MonkeyPatch
) -> Desk:
    monkeypatch.setenv("MODEL_DIR", str(real_model))
    monkeypatch.setenv("PARAMETERS_FILE", str(tmp_path / "parameters.toml"))
    return Desk(own_ministack, "typed-1")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_answers_outlive_a_first_deployment_that_fails_and_a_stack_that_comes_back(desk: Desk) -> None:
    """The parameters of the first attempt are those of the second, of an update, and of the next name."""
    in_the_way = f"{desk.stack}-export-000000000000-us-east-1"
    client("s3", desk.endpoint_url).create_bucket(Bucket=in_the_way)
    given = "PARAMETERS=AlarmAddress=me@shop.example ExportSchedule='rate(1 day)' Alarms=false"
    failed = desk.make_deploy(f"STACK={desk.stack}", given)
    assert failed.returncode != 0
    assert "RUNBOOK.md#a-deployment-that-failed" in failed.stderr
    assert desk.described()["StackStatus"] == "ROLLBACK_COMPLETE"

    client("s3", desk.endpoint_url).delete_bucket(Bucket=in_the_way)
    desk.cloudformation.delete_stack(StackName=desk.stack)
    assert desk.make_deploy().returncode == 0
    wanted = {"AlarmAddress": "me@shop.example", "ExportSchedule": "rate(1 day)", "Alarms": "false"}
    assert desk.values().items() >= wanted.items()

    assert desk.make_deploy(f"STACK={desk.stack}", "PARAMETERS=UploadsConcurrency=20").returncode == 0
    wanted |= {"UploadsConcurrency": "20"}
    assert desk.values().items() >= wanted.items()

    back = f"{desk.stack}-back"
    assert desk.make_deploy(f"STACK={back}").returncode == 0
    assert desk.values(back).items() >= wanted.items()
