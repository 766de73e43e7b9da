"""What comes from elsewhere is pinned, and what is passed over says why."""

from __future__ import annotations

import re

import pytest
import yaml

from infra.package import ROOT
from tests.infra.template_parts import whole

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def test_every_action_is_pinned_to_a_commit_and_says_which_version_that_is() -> None:
    used = re.findall(r"uses: (.+)", WORKFLOW.read_text(encoding="utf-8"))

    assert used
    assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


def test_no_job_of_continuous_integration_may_do_anything() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))

    assert workflow["permissions"] == {}
    assert not [job for job in workflow["jobs"].values() if "permissions" in job]
    assert "secrets." not in WORKFLOW.read_text(encoding="utf-8")


def test_continuous_integration_runs_what_a_person_types() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    ran = {step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step}

    assert {".ci/run", "make check-aws", "make audit"} <= ran
    targets = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert {command.removeprefix("make ") for command in ran if command.startswith("make ")} <= set(targets)


@pytest.mark.parametrize("name", ["checkov.yaml", "bandit.yaml"])
def test_what_a_linter_passes_over_says_why(name: str) -> None:
    lines = (ROOT / "infra" / name).read_text(encoding="utf-8").splitlines()
    skipped = [line for line in lines if re.match(r"\s+- [A-Z]", line)]

    assert skipped
    assert [line for line in skipped if not re.search(r"  # .{7,}", line)] == []


def test_what_one_resource_is_excused_from_says_why() -> None:
    metadata = [resource.get("Metadata", {}) for resource in whole()["Resources"].values()]
    excuses = [excuse for held in metadata for excuse in held.get("checkov", {}).get("skip", ())]

    assert excuses
    assert [
        excuse for excuse in excuses if not re.fullmatch(r"CKV_AWS_\d+", excuse["id"]) or len(excuse["comment"]) < 7
    ] == []


def test_every_linter_and_tool_has_its_exact_version() -> None:
    lines = (ROOT / "infra" / "linters.txt").read_text(encoding="utf-8").splitlines()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert [line for line in lines if not line.startswith("#") and "==" not in line] == []
    assert re.search(r"SAM_VERSION := \d", makefile)
    assert re.search(r"CHECKOV_VERSION := \d", makefile)
