"""Gives a stack a tagging function that takes messages and does nothing."""

from __future__ import annotations

import io
import os
import zipfile

import boto3

IDLE = "def handler(event, context):\n    return {'batchItemFailures': []}\n"


def idle_zip() -> bytes:
    """Return the code, at the place of the real handler."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("tagging_lambda/__init__.py", "")
        archive.writestr("tagging_lambda/lambda_tag.py", IDLE)
    return buffer.getvalue()


def give_idle_code(stack: str, **connection: str) -> None:
    """Make the stack's tagging function idle."""
    found = boto3.client("cloudformation", **connection).describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    function = next(output["OutputValue"] for output in found if output["OutputKey"] == "TagFunctionName")
    boto3.client("lambda", **connection).update_function_code(FunctionName=function, ZipFile=idle_zip())


if __name__ == "__main__":
    give_idle_code(os.environ["STACK"])
