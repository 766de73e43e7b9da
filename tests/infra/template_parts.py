"""The template as an object, and what the tests of its parts read of it."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from infra.package import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUES = {"UploadsQueue": "UploadsDeadLetterQueue", "BackfillQueue": "BackfillDeadLetterQueue"}
BUCKETS = ("ImagesBucket", "ExportBucket", "AccessLogsBucket")


@cache
def whole() -> dict[str, Any]:
    """Return the template, parsed."""
    return yaml_parse(TEMPLATE.read_text(encoding="utf-8"))


def properties(name: str) -> dict[str, Any]:
    """Return what the template says of a resource."""
    return whole()["Resources"][name]["Properties"]


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of that type, by name."""
    return {name: each for name, each in whole()["Resources"].items() if each["Type"] == kind}


def functions() -> dict[str, dict[str, Any]]:
    """Return what the template says of each function."""
    return {name: each["Properties"] for name, each in of_type("AWS::Serverless::Function").items()}


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every statement of every policy in the template, with its resource's name; also those under conditions."""
    for name, resource in whole()["Resources"].items():
        held = resource["Properties"]
        for policy in (held, *held.get("Policies", ())):
            for statement in policy.get("PolicyDocument", {}).get("Statement", ()):
                yield name, statement["Fn::If"][1] if "Fn::If" in statement else statement


def default(parameter: str) -> Any:
    """Return the parameter's default."""
    return whole()["Parameters"][parameter]["Default"]


def number(value: Any) -> int:
    """Return the number in the template: a literal, or the default of a parameter."""
    return int(default(value["Ref"])) if isinstance(value, dict) else int(value)


def as_list(value: Any) -> list[Any]:
    """Return what may stand alone as a list."""
    return value if isinstance(value, list) else [value]


def names_in(value: Any) -> set[str]:
    """Return every text in a value of any depth."""
    if isinstance(value, str):
        return {value}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*(names_in(each) for each in inner))


def sam_transformed(text: str, **parameters: str) -> dict[str, Any]:
    """Return what SAM makes of a template whose code is somewhere in S3. It asks for a region."""

    class NoManagedPolicies:
        def load(self) -> dict[str, str]:
            return {}

    return transform(yaml_parse(text), parameters, NoManagedPolicies())


def lint(path: Path) -> str:
    """Return what cfn-lint finds fault with."""
    linter = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([linter, path], check=False, capture_output=True, text=True)
    return done.stdout + done.stderr
