"""The template as an object, and what the tests of its parts read of it."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ministack.services.cloudformation.language_extensions import apply as with_loops_written_out
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from infra.package import PACKAGES, TEMPLATE, with_code

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUES = {"UploadsQueue": "UploadsDeadLetterQueue", "BackfillQueue": "BackfillDeadLetterQueue"}
BUCKETS = ("ImagesBucket", "ExportBucket", "AccessLogsBucket")


@cache
def whole() -> dict[str, Any]:
    """Return the template, parsed, its loops written out."""
    return with_texts_filled_in(with_loops_written_out(yaml_parse(TEMPLATE.read_text(encoding="utf-8")), {}))


def with_texts_filled_in(value: Any) -> Any:
    """Return the value with each text of a loop that brings a name, or a reference to one, with that filled in."""
    if isinstance(value, list):
        return [with_texts_filled_in(each) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("Fn::Sub"), list):
        text, brought = value["Fn::Sub"]
        names = {name: each if isinstance(each, str) else f"${{{each.get('Ref')}}}" for name, each in brought.items()}
        if "${None}" not in names.values():
            for name, each in names.items():
                text = text.replace(f"${{{name}}}", each)
            return {"Fn::Sub": text}
    return {name: with_texts_filled_in(each) for name, each in value.items()}


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


@cache
def transformed() -> dict[str, Any]:
    """Return what SAM makes of the template, its code being somewhere in S3. It asks for a region."""
    places = {package.function: f"s3://some-bucket/{package.function}.zip" for package in PACKAGES}
    return sam_transformed(with_code(TEMPLATE.read_text(encoding="utf-8"), places))


def as_deployed(**parameters: str) -> dict[str, Any]:
    """Return the resources that CloudFormation would make with these parameters, by name.

    SAM's words are transformed, conditions are decided, and references to parameters are their values.
    """
    template = transformed()
    values = {name: str(declared.get("Default", "")) for name, declared in template["Parameters"].items()}
    chosen = Conditions(template["Conditions"], values | {"AWS::AccountId": "123456789012"} | parameters)
    wanted = {name: each for name, each in template["Resources"].items() if chosen.holds(each.get("Condition"))}
    return {name: chosen.decide(each) for name, each in wanted.items()}


NO_VALUE = {"Ref": "AWS::NoValue"}


class Conditions:
    """The conditions of a template, decided by values for its parameters."""

    def __init__(self, named: dict[str, Any], values: dict[str, str]) -> None:
        self.named, self.values = named, values

    def holds(self, condition: Any) -> bool:
        """Return whether the condition holds: None always does, a text is the name of one."""
        if condition is None:
            return True
        if isinstance(condition, str):
            return self.holds(self.named[condition])
        [(function, inner)] = condition.items()
        if function == "Condition":
            return self.holds(inner)
        if function == "Fn::Equals":
            first, second = self.decide(inner)
            return bool(first == second)
        decided = [self.holds(each) for each in inner]
        return {"Fn::Not": not decided[0], "Fn::And": all(decided), "Fn::Or": any(decided)}[function]

    def decide(self, value: Any) -> Any:
        """Return the value with each ``Fn::If`` replaced by what it chooses, and parameters by their values."""
        if isinstance(value, list):
            return [self.decide(each) for each in value if self.decide(each) != NO_VALUE]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Fn::If"}:
            condition, then, otherwise = value["Fn::If"]
            return self.decide(then if self.holds(condition) else otherwise)
        if set(value) == {"Ref"} and value["Ref"] in self.values:
            return self.values[value["Ref"]]
        decided = {name: self.decide(each) for name, each in value.items()}
        return {name: each for name, each in decided.items() if each != NO_VALUE}


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
    """Return what SAM makes of a template whose code is somewhere in S3, its loops written out. It asks for a region.

    Mappings that only loops read are used up.
    """

    class NoManagedPolicies:
        def load(self) -> dict[str, str]:
            return {}

    template = transform(with_loops_written_out(yaml_parse(text), {}), parameters, NoManagedPolicies())
    left = names_in(template["Resources"])
    return template | {"Mappings": {name: each for name, each in template["Mappings"].items() if name in left}}


def lint(path: Path) -> str:
    """Return what cfn-lint finds fault with."""
    linter = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([linter, path], check=False, capture_output=True, text=True)
    return done.stdout + done.stderr
