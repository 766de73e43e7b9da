"""An account of the embedded AWS that holds one stack of the template."""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.local.deploy import CAPABILITIES, PARAMETERS, with_literal_numbers
from infra.package import PACKAGES, TEMPLATE, with_code, zip_files
from pipeline.aws.clients import client, stack_outputs
from pipeline.stack import Stack
from tests.infra.local.scratch import scratch_sources, wait_for

if TYPE_CHECKING:
    from pathlib import Path


class Account:
    """An account that holds one stack of the template, whose functions write down what they are called with.

    With ``asleep``, no queue and no stream calls a function.
    """

    def __init__(self, endpoint_url: str, folder: Path, *, asleep: bool = False) -> None:
        self.endpoint_url, self.name = endpoint_url, f"shop-{uuid.uuid4().hex[:8]}"
        self.cloudformation, self.s3 = client("cloudformation", endpoint_url), client("s3", endpoint_url)
        self.sources, self.asleep = scratch_sources(folder), asleep
        self.s3.create_bucket(Bucket=f"{self.name}-code")
        for package in PACKAGES:
            code = zip_files(package.sources(self.sources.model_dir, self.sources.root))
            self.s3.put_object(Bucket=f"{self.name}-code", Key=f"{package.function}.zip", Body=code)

    @classmethod
    def asleep_with_a_neighbour(cls, endpoint_url: str, folder: Path) -> Account:
        """Return an account whose stack is deployed and asleep, and may read a bucket that is not its own."""
        account = cls(endpoint_url, folder, asleep=True)
        account.s3.create_bucket(Bucket=f"{account.name}-theirs")
        account.deploy(CatalogueBucket1=f"{account.name}-theirs")
        return account

    def deploy(self, **parameters: str) -> Stack:
        """Make the stack what the template and these parameters say."""
        self.try_to_deploy(**parameters)
        assert self.status() in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
        return self.stack()

    def try_to_deploy(self, before: str = "", after: str = "", **parameters: str) -> None:
        """Deploy the template, with a change to its text, and wait until that is through."""
        places = {each.function: f"s3://{self.name}-code/{each.function}.zip" for each in PACKAGES}
        text = with_literal_numbers(with_code(TEMPLATE.read_text(encoding="utf-8"), places))
        assert before in text
        text = text.replace(before, after) if before else text
        if self.asleep:
            text = re.sub(r"(?m)^( +)BatchSize:", r"\1Enabled: false\n\1BatchSize:", text)
        self.s3.put_object(Bucket=f"{self.name}-code", Key="template.yaml", Body=text.encode())
        asked: dict[str, Any] = {
            "StackName": self.name,
            "TemplateURL": f"{self.endpoint_url}/{self.name}-code/template.yaml",
            "Capabilities": CAPABILITIES,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in {**PARAMETERS, **parameters}.items()
            ],
        }
        known = self.status() not in {None, "DELETE_COMPLETE"}
        # Here, creating a stack answers when it is done. On a busy machine that is later than botocore waits, and it
        # asks again.
        with suppress(self.cloudformation.exceptions.AlreadyExistsException):
            (self.cloudformation.update_stack if known else self.cloudformation.create_stack)(**asked)
        wait_for(lambda: not str(self.status()).endswith("_IN_PROGRESS"))

    def stack(self) -> Stack:
        return Stack.from_outputs(stack_outputs(self.cloudformation, self.name), self.endpoint_url)

    def status(self) -> str | None:
        try:
            return str(self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"])
        except ClientError:
            return None

    def tear_down(self) -> None:
        self.cloudformation.delete_stack(StackName=self.name)
        wait_for(lambda: self.status() in {None, "DELETE_COMPLETE"})

    def physical(self) -> dict[str, str]:
        """Return the real name of each resource."""
        found = self.cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}
