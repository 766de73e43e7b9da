"""Every command of the runbook is run, every alarm has its place in it, and every place that is pointed to is there."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from infra.cli import main
from infra.package import ROOT
from pipeline.aws.clients import client
from tests.builders import jpeg
from tests.infra.aws_words import aws
from tests.infra.stack_account import Account
from tests.infra.template_parts import of_type, whole

if TYPE_CHECKING:
    from pathlib import Path

RUNBOOK = (ROOT / "RUNBOOK.md").read_text(encoding="utf-8")
RUN = "20260301T120000Z-0a1b2c"


def anchor(heading: str) -> str:
    """Return what a link calls the heading."""
    return heading.lower().replace(" ", "-")


def sections() -> dict[str, list[str]]:
    """Return the commands of each section, by its heading."""
    found: dict[str, list[str]] = {}
    heading, inside = "", False
    for line in RUNBOOK.splitlines():
        if line.startswith("#") and not inside:
            heading = line.lstrip("# ")
        elif line.startswith("```"):
            inside = line == "```sh"
        elif inside:
            found.setdefault(heading, []).append(line)
    return found


HEADINGS = [anchor(line.lstrip("# ")) for line in RUNBOOK.splitlines() if re.match("#+ ", line)]
COMMANDS = [command for commands in sections().values() for command in commands]

# ---- Alarms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alarm", sorted(of_type("AWS::CloudWatch::Alarm")))
def test_an_alarm_points_to_its_place_and_is_named_as_that_is(alarm: str) -> None:
    properties = of_type("AWS::CloudWatch::Alarm")[alarm]["Properties"]
    place = properties["AlarmDescription"].rpartition("RUNBOOK.md#")[2]

    assert place in HEADINGS
    assert properties["AlarmName"]["Fn::Sub"].endswith(place)


def test_every_place_that_the_doctor_points_to_is_there() -> None:
    text = (ROOT / "infra" / "doctor.py").read_text(encoding="utf-8")
    pointed = re.findall(r"RUNBOOK\.md#([a-z-]+)", text)

    assert pointed
    assert set(pointed) <= set(HEADINGS)


def test_every_error_that_may_happen_is_in_the_table_of_who_acts() -> None:
    table = RUNBOOK.partition("## Who acts next")[2].partition("## ")[0]

    for error in ("ImageRejected", "RetryLater", "NotBegun", "BadMessage", "DeployerError"):
        assert f"`{error}`" in table or f"`{error}:" in table or f"(`{error}`" in table


# ---- Commands --------------------------------------------------------------------------------------------------------


def test_every_command_is_one_of_the_four_kinds() -> None:
    assert COMMANDS
    assert [each for each in COMMANDS if not each.startswith(("catalog-tagger ", "aws ", "make "))] == []


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
def test_what_is_deployed_by_make_is_a_target_and_its_parameters_are_the_templates(command: str) -> None:
    _, target, *variables = shlex.split(command)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert re.search(rf"(?m)^{target}:", makefile)
    assert all(f"$({variable.partition('=')[0]})" in makefile for variable in variables)
    for parameter, value in parameters_of(command).items():
        told = whole()["Parameters"][parameter]
        assert value in [str(each) for each in told.get("AllowedValues", [value])]
        if told["Type"] == "Number":
            assert told.get("MinValue", 0) <= float(value) <= told.get("MaxValue", float(value))


def parameters_of(command: str) -> dict[str, str]:
    """Return the parameters that a command deploys."""
    named = [word.partition("=")[2] for word in shlex.split(command) if word.startswith("PARAMETERS=")]
    return dict(pair.partition("=")[::2] for words in named for pair in words.split())


@dataclass
class Shift:
    """An operator's hours: a stack, a bucket of photos beside it, and the names that the runbook leaves open."""

    account: Account
    folder: Path
    ended: list[tuple[str, int]] = field(default_factory=list)

    @cached_property
    def names(self) -> dict[str, str]:
        stack, account = self.account.stack(), self.account
        mappings = client("lambda", account.endpoint_url).list_event_source_mappings(
            FunctionName=stack.tag_function_name
        )
        return {
            "UPLOADS_DEAD_LETTER_QUEUE_URL": stack.uploads_dead_letter_queue_url,
            "EXPORT_FUNCTION": stack.export_function_name,
            "TAG_FUNCTION": stack.tag_function_name,
            "EXPORT_BUCKET": stack.export_bucket,
            "MAPPING": mappings["EventSourceMappings"][0]["UUID"],
            "ADDRESS": f"s3://{account.name}-theirs/models/resnet/{'0' * 64}",
            "MODELS": f"{account.name}-theirs",
            "BUCKET": f"{account.name}-theirs",
            "PREFIX": "photos",
            "TABLE": stack.table_name,
            "RUN": RUN,
            "catalog-tagger-before": f"{account.name}-before",
            "catalog-tagger": account.name,
        }

    def filled_in(self, command: str) -> list[str]:
        """Return the words of the command, with this stack's names."""
        program, *words = shlex.split(command)
        for name, value in self.names.items():
            words = [re.sub(rf"(?<![A-Za-z_-]){re.escape(name)}(?![A-Za-z_])", value, word) for word in words]
        return [program, *words]

    def do(self, command: str) -> Any:
        """Run the command here; deploying is done as ``make`` would have it done, without building."""
        program, *words = self.filled_in(command)
        if program == "make":
            return self.deploy(words, parameters_of(shlex.join([program, *words])))
        if program == "aws":
            return aws(words, self.account.endpoint_url)
        code = main(words)
        self.ended.append((command, code))
        assert code in {0, 1}, command
        return code

    def deploy(self, words: list[str], parameters: dict[str, str]) -> Any:
        """Deploy, where nothing has changed without an error, and as another stack where one is named."""
        if any(word.startswith("STACK=") for word in words):
            self.account = Account(self.account.endpoint_url, self.folder / "another", asleep=True)
            os.environ["CATALOG_TAGGER_STACK"] = self.account.name
        try:
            return self.account.deploy(**parameters)
        except ClientError as error:
            assert "No updates are to be performed" in str(error)
            return self.account.stack()


@pytest.fixture
def shift(
    ministack: str,
    real_model: Path,
    tmp_path: Path,
    aws_environment: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Shift:
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path))
    monkeypatch.setenv("MODEL_DIR", str(real_model))
    account = Account.asleep_with_a_neighbour(ministack, tmp_path / "code")
    monkeypatch.setenv("CATALOG_TAGGER_STACK", account.name)
    for key in ("photos/a.jpg", "photos/b.jpg"):
        account.s3.put_object(Bucket=f"{account.name}-theirs", Key=key, Body=jpeg("red"))
    return Shift(account, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("heading", sections())
def test_the_commands_of_a_section_do_what_they_say(shift: Shift, heading: str) -> None:
    assert shift.names["TABLE"]  # as it is now: a section may take the stack down
    if heading == "A deployment that failed":
        shift.account = Account(shift.account.endpoint_url, shift.folder / "failed", asleep=True)
        shift.names["catalog-tagger"] = shift.account.name
        shift.account.try_to_deploy("VisibilityTimeout: 721 ", "VisibilityTimeout: 99999 ")
        assert shift.account.status() == "ROLLBACK_COMPLETE"
    for command in sections()[heading]:
        shift.do(command)
