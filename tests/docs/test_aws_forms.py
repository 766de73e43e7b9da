"""What the documents type of AWS's own command line, and no emulator takes, has the form that AWS describes."""

from __future__ import annotations

import json
import shlex

import boto3
import pytest
from botocore import xform_name
from botocore.validate import ParamValidator

from tests.docs.fenced import all_blocks

SERVICES = {"s3api": "s3"}
LINES = [
    line
    for block in all_blocks()
    for line in block.typed.splitlines()
    if line.startswith(("aws s3control ", "aws s3api put-bucket-inventory-configuration "))
]


def faults_in(line: str) -> str:
    """Return what AWS would say of the parameters of a command line; nothing where they are as it describes them."""
    _, command, operation, *options = shlex.split(line)
    client = boto3.client(SERVICES.get(command, command), region_name="us-east-1")
    method = operation.replace("-", "_")
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
    names = {xform_name(name, "-"): name for name in shape.members}
    parameters: dict[str, object] = {}
    while options:
        option = options.pop(0).removeprefix("--")
        if option.startswith("no-"):
            parameters[names[option.removeprefix("no-")]] = False
            continue
        name, text = names[option], options.pop(0)
        kind = shape.members[name].type_name
        parameters[name] = text if kind == "string" else json.loads(text)
    return str(ParamValidator().validate(parameters, shape).generate_report())


@pytest.mark.parametrize("line", LINES, ids=lambda line: " ".join(line.split()[1:3]))
def test_a_command_that_only_aws_takes_has_the_form_that_aws_describes(line: str) -> None:
    assert faults_in(line) == ""


def test_a_fault_in_a_form_would_be_found() -> None:
    line = next(line for line in LINES if "create-job" in line)

    assert "InvocationSchema" in faults_in(line.replace("InvocationSchemaVersion", "InvocationSchema"))
    assert "Priority" in faults_in(line.replace("--priority 10 ", ""))
