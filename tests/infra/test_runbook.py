"""Alarms and the doctor point to places that the runbook has. Its commands are typed in tests/docs."""

from __future__ import annotations

import re
import shlex

import pytest

from infra.deploy import Parameters, parse_given
from infra.package import ROOT, TEMPLATE
from tests.docs.fenced import blocks_of
from tests.infra.template_parts import of_type

PATH = ROOT / "RUNBOOK.md"
RUNBOOK = PATH.read_text(encoding="utf-8")
PARAMETERS = Parameters.of_template(TEMPLATE.read_text(encoding="utf-8"))
COMMANDS = [line for block in blocks_of(PATH) for line in block.text.splitlines()]


def anchor(heading: str) -> str:
    """Return what a link calls the heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


HEADINGS = [anchor(line.lstrip("# ")) for line in RUNBOOK.splitlines() if re.match("#+ ", line)]


@pytest.mark.parametrize("alarm", sorted(of_type("AWS::CloudWatch::Alarm")))
def test_an_alarm_points_to_its_place_and_is_named_as_that_is(alarm: str) -> None:
    properties = of_type("AWS::CloudWatch::Alarm")[alarm]["Properties"]
    place = properties["AlarmDescription"].rpartition("RUNBOOK.md#")[2]

    assert place in HEADINGS
    assert properties["AlarmName"]["Fn::Sub"].endswith(place)


@pytest.mark.parametrize("file", ["infra/doctor.py", "infra/deploy.py", "pipeline/aws/functions.py"])
def test_every_place_that_a_command_points_to_is_there(file: str) -> None:
    pointed = re.findall(r"RUNBOOK\.md#([a-z-]+)", (ROOT / file).read_text(encoding="utf-8"))

    assert pointed
    assert set(pointed) <= set(HEADINGS)


def test_every_error_that_may_happen_is_in_the_table_of_who_acts() -> None:
    table = RUNBOOK.partition("## Who acts next")[2].partition("## ")[0]

    for error in ("ImageRejected", "RetryLater", "NotBegun", "BadMessage", "DeployerError"):
        assert f"`{error}`" in table or f"`{error}:" in table or f"(`{error}`" in table


@pytest.mark.parametrize("command", [line for line in COMMANDS if "PARAMETERS=" in line])
def test_the_template_accepts_what_the_runbook_deploys(command: str) -> None:
    """What stands for a name of the reader's own is typed with that name in tests/docs."""
    for word in shlex.split(command):
        if word.startswith("PARAMETERS="):
            for name, value in parse_given(word.partition("=")[2]).items():
                PARAMETERS.check(name, PARAMETERS.default(name) if re.fullmatch(r"[A-Z]+/?", value) else value)
