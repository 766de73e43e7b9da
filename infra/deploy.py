"""`make deploy`: one file holds the parameters of every stack, and AWS SAM deploys exactly these (DECISIONS.md, 44)."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from infra.build import BUILD, architecture_choice, build_all
from infra.local.deploy import declared_parameters
from infra.package import ROOT, TEMPLATE
from infra.wheels import Architecture
from pipeline.aws.clients import client
from pipeline.aws.functions import LEFT_TO_OTHERS, concurrency_limit
from pipeline.errors import CallerError, DeployerError
from pipeline.stack import STACK_NAME
from pipeline.whole_file import written_whole

PARAMETERS_PATH = ROOT / "infra" / "parameters.toml"
PARAMETERS_VARIABLE = "PARAMETERS"
ARCHITECTURE = "Architecture"
HEADER = """\
# The parameters of each stack: a table for each stack, a line for each parameter of infra/template.yaml.
# `make deploy` reads this file every time, and adds what PARAMETERS="..." sets. Edit it as you like.
"""
# A first deployment asks for these, because shops are most likely to change their defaults.
ASKED_FIRST = ("AlarmAddress", "CatalogueBucket1", "CataloguePrefix1", "ExportSchedule", "ApiAuthorization")
ASKED_WITH_JWT = ("JwtIssuer", "JwtAudience", "SignInUrl")
EXPORTS_RESERVED = 1  # as in the template


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters that a template declares, by name, each as the template declares it."""

    declared: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of_template(cls, text: str) -> Parameters:
        """Return the parameters of a template's text."""
        return cls(declared_parameters(text))

    def default(self, name: str) -> str:
        """Return the parameter's default as text."""
        return str(self.declared[name].get("Default", ""))

    def check(self, name: str, value: str) -> None:
        """Return if the template accepts the value for the parameter.

        Raises:
            CallerError: there is no such parameter, or it does not accept the value.
        """
        if name not in self.declared:
            raise CallerError(f"there is no parameter {name}; infra/template.yaml lists them under Parameters")
        problem = _problem_of(self.declared[name], value)
        if problem:
            raise CallerError(f"{name} is {value!r}: {problem}")


def _problem_of(declared: Mapping[str, Any], value: str) -> str:
    """Return what is wrong with a parameter's value, or an empty string."""
    allowed = [str(choice) for choice in declared.get("AllowedValues", ())]
    if allowed and value not in allowed:
        return f"it must be one of {', '.join(allowed)}"
    if declared["Type"] == "Number":
        return _problem_of_number(declared, value)
    items = value.split(",") if declared["Type"] == "CommaDelimitedList" else [value]
    pattern = declared.get("AllowedPattern")
    if pattern and not all(re.fullmatch(pattern, item.strip()) for item in items):
        return f"it does not match {pattern}. {declared['Description']}"
    return ""


def _problem_of_number(declared: Mapping[str, Any], value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return "it must be a number"
    lowest, highest = declared.get("MinValue", number), declared.get("MaxValue", number)
    return "" if lowest <= number <= highest else f"it must be between {lowest:,} and {highest:,}"


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """The file that holds every stack's parameters."""

    path: Path

    def load(self) -> dict[str, dict[str, str]]:
        """Return the parameters of each stack, in the file's order; nothing if there is no file.

        Raises:
            CallerError: the file is not TOML, or a line is outside a stack's table.
        """
        if not self.path.exists():
            return {}
        try:
            tables = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise CallerError(f"{self.path} is not TOML: {error}") from error
        for name, table in tables.items():
            if not isinstance(table, dict):
                raise CallerError(f"{self.path}: {name} must be below a line with its stack, such as [{STACK_NAME}]")
        return {stack: {name: _text(value) for name, value in table.items()} for stack, table in tables.items()}

    def save(self, stacks: Mapping[str, Mapping[str, str]]) -> None:
        """Write these parameters, for ``load`` to return."""
        tables = (f"\n[{json.dumps(stack)}]\n{_toml(values)}" for stack, values in stacks.items())
        with written_whole(self.path) as partial:
            partial.write_text(HEADER + "".join(tables), encoding="utf-8")


def _text(value: object) -> str:
    """Return a TOML value in CloudFormation's form: lists with commas, true and false in lower case."""
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _toml(values: Mapping[str, str]) -> str:
    return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items())


def parse_given(text: str) -> dict[str, str]:
    """Return the parameters of a text such as ``A=1 B='rate(1 hour)'``.

    Raises:
        CallerError: an assignment has no equals sign, or a quotation mark is not closed.
    """
    try:
        assignments = shlex.split(text)
    except ValueError as error:
        raise CallerError(f"{PARAMETERS_VARIABLE} cannot be read: {error}") from error
    for assignment in assignments:
        if not re.match(r"[A-Za-z0-9]+=", assignment):
            hint = "a value with spaces needs quotes, such as PARAMETERS=\"ExportSchedule='rate(1 day)'\""
            raise CallerError(f"{PARAMETERS_VARIABLE} contains {assignment!r}, which is not NAME=VALUE; {hint}")
    return dict(assignment.split("=", 1) for assignment in assignments)


def first_values(
    stacks: Mapping[str, Mapping[str, str]], ask: Callable[[str], str] | None
) -> tuple[dict[str, str], str]:
    """Return the parameters that a new stack starts with, and a sentence that says where they come from.

    A second stack starts with the parameters of the first one in the file, so that a stack that is deployed again under
    another name keeps its alarms, its schedule and its sign-in. ``ask`` returns a person's answer to the question for a
    parameter; it is None without a person.
    """
    if stacks:
        source = next(iter(stacks))
        return dict(stacks[source]), f"It starts with the parameters of {source}."
    if ask is None:
        return {}, "It starts with the template's defaults, because this is not a terminal where you could be asked."
    answers = {name: ask(name) for name in ASKED_FIRST}
    if answers["ApiAuthorization"] == "JWT":
        answers |= {name: ask(name) for name in ASKED_WITH_JWT}
    return answers, "Your answers are saved."


def ask_on_terminal(parameters: Parameters) -> Callable[[str], str] | None:
    """Return a function that asks a person for a parameter until the template accepts it, or None without a person."""
    if not sys.stdin.isatty():
        return None

    def ask(name: str) -> str:
        click.echo(f"\n{' '.join(parameters.declared[name]['Description'].split())}", err=True)

        def accept(value: str) -> str:
            try:
                parameters.check(name, value)
            except CallerError as error:
                raise click.UsageError(str(error)) from error
            return value

        answer: str = click.prompt(name, default=parameters.default(name), value_proc=accept, err=True)
        return answer

    return ask


def reserved_concurrency(values: Mapping[str, str], parameters: Parameters) -> int:
    """Return how many concurrent executions the stack reserves with these parameters."""
    if values.get("ReserveConcurrency", parameters.default("ReserveConcurrency")) != "true":
        return 0
    names = ("UploadsConcurrency", "BackfillConcurrency")
    return sum(int(values.get(name, parameters.default(name))) for name in names) + EXPORTS_RESERVED


def without_reservation(values: Mapping[str, str], parameters: Parameters, limit: int) -> tuple[dict[str, str], str]:
    """Return parameters that an account with this limit can deploy, and a sentence if that changed them.

    AWS Lambda refuses a reservation that leaves fewer than 100 executions to the account's other functions, and a
    refused reservation fails the whole deployment.
    """
    wanted = reserved_concurrency(values, parameters)
    if not wanted or wanted + LEFT_TO_OTHERS <= limit:
        return dict(values), ""
    return {**values, "ReserveConcurrency": "false"}, (
        f"The account permits {limit:,} concurrent executions, and reserving {wanted:,} of them needs "
        f"{wanted + LEFT_TO_OTHERS:,}: ReserveConcurrency is now false. Once AWS has raised the limit, "
        f'`make deploy {PARAMETERS_VARIABLE}="ReserveConcurrency=true"` reserves them.'
    )


def sam_command(sam: str, stack: str, values_path: Path) -> list[str]:
    """Return the command line by which AWS SAM deploys the template with the parameters in a file."""
    options = ["--template-file", str(TEMPLATE), "--stack-name", stack, "--resolve-s3", "--no-confirm-changeset"]
    options += ["--language-extensions"]  # AWS SAM stops at loops without it (DECISIONS.md, 151)
    options += ["--no-fail-on-empty-changeset", "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    return [sam, "deploy", *options, "--parameter-overrides", f"file://{values_path}"]


def _run(command: Iterable[str]) -> None:
    """Run AWS SAM, which prints its own progress and errors.

    Raises:
        DeployerError: it failed.
    """
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(list(command), check=False, env=environment)  # noqa: S603 - AWS SAM of this project's tools
    if done.returncode:
        raise DeployerError("AWS SAM did not deploy the stack; what to do: RUNBOOK.md#a-deployment-that-failed")


@click.command()
@click.option("--stack", default=STACK_NAME, show_default=True, help="The stack's name.")
@click.option(
    "--arch",
    type=architecture_choice,
    help="The processor of the functions.  [default: the stack's own; x86_64 for a new one]",
)
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=PARAMETERS_PATH,
    help="The file of all stacks' parameters.  [default: infra/parameters.toml]",
)
@click.option("--sam", default="sam", show_default=True, help="The AWS SAM command.")
def deploy(*, stack: str, arch: str | None, path: Path, sam: str) -> None:
    """Deploy a stack with its parameters in the file.

    The environment variable PARAMETERS changes some of them first, for this deployment and all later ones.
    """
    parameters = Parameters.of_template(TEMPLATE.read_text(encoding="utf-8"))
    file = ParameterFile(path)
    stacks = file.load()
    given = parse_given(os.environ.get(PARAMETERS_VARIABLE, "")) | ({ARCHITECTURE: arch} if arch else {})
    values = stacks.get(stack)
    if values is None:
        values, source = first_values(stacks, ask_on_terminal(parameters))
        click.echo(f"{stack} is new. {source}", err=True)
    values = {ARCHITECTURE: Architecture.X86_64.value, **values, **given}
    for name, value in values.items():
        parameters.check(name, value)
    values, sentence = without_reservation(values, parameters, concurrency_limit(client("lambda")))
    if sentence:
        click.echo(sentence, err=True)
    # Saved before anything is deployed: a failed deployment must not lose the answers.
    file.save({**stacks, stack: values})
    click.echo(f"Deploying {stack} with the parameters in {path}:\n{_toml(values)}", err=True)
    # Packages need no model if functions fetch it from S3.
    for built in build_all(Architecture(values[ARCHITECTURE]), with_model=not values.get("ModelUri")):
        click.echo(built, err=True)
    values_path = BUILD / "parameters.toml"
    values_path.write_text(_toml(values), encoding="utf-8")
    _run(sam_command(sam, stack, values_path))
