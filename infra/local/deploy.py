"""Deploys the template itself on the embedded AWS: the code goes to its S3, and CloudFormation does the rest."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

from infra.local.authorization import Authorization
from infra.package import with_code
from pipeline.aws.clients import client, stack_outputs
from pipeline.errors import DeployerError
from pipeline.stack import STACK_NAME, Stack

ARTEFACTS_BUCKET = f"{STACK_NAME}-artefacts"
PARAMETERS = {
    "Alarms": "false",  # the embedded AWS knows no alarm that calculates
    "ApiAuthorization": "NONE",  # it is reached from this machine alone
}
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]  # the template makes roles, and is written in SAM's words
DEPLOY_LIMIT_S = 120.0  # chosen by us: it takes under a second on an idle machine
DRAIN_LIMIT_S = 10.0  # chosen by us: a batch takes a second or two; what fails stays in flight for minutes
POLL_S = 0.05


def declared_parameters(template: str) -> dict[str, dict[str, Any]]:
    """Return the parameters that the template's text declares, by name."""
    return dict(yaml_parse(template).get("Parameters", {}))


def with_literal_numbers(template: str, parameters: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the template with each number written out that a parameter gives, or that is the parameter's default.

    The embedded AWS hands parameters on as texts, and a text for a number stops what it configures.
    """
    for name, parameter in declared_parameters(template).items():
        if parameter["Type"] == "Number":
            reference = rf"(?m)(?<=: )!Ref {name}(?=\s*(?:#.*)?$)"
            template = re.sub(reference, parameters.get(name, str(parameter["Default"])), template)
    return template


def concurrency(cores: int) -> dict[str, str]:
    """Return how many functions tag at once on this many cores: each takes seconds to start, and 200 MB."""
    functions = next((allowed for allowed in (2, 5) if allowed >= cores), 10)
    return {"UploadsConcurrency": str(functions), "BackfillConcurrency": str(functions)}


def with_plain_sign_in(template: str) -> str:
    """Return the template with a sign-in address that may be without TLS, which the embedded issuer does not speak."""
    return template.replace('"(https://[^ /]+)?"', '"(https?://[^ /]+)?"')


@dataclass(frozen=True, slots=True)
class LocalApi:
    """Where the API answers, without a slash at the end, and whom."""

    url: str
    authorization: Authorization

    @property
    def page_url(self) -> str | None:
        """Where a browser opens the page; None where only signed requests are answered, which a page cannot send."""
        return None if self.authorization is Authorization.IAM else f"{self.url}/"


@dataclass(frozen=True)
class Deployment:
    """The clients that a deployment needs, all of one endpoint."""

    endpoint_url: str
    cloudformation: Any
    s3: Any
    sqs: Any
    functions: Any

    @classmethod
    def at(cls, endpoint_url: str) -> Deployment:
        """Return the deployment at this endpoint."""
        names = ("cloudformation", "s3", "sqs", "lambda")
        return cls(endpoint_url, *(client(name, endpoint_url) for name in names))

    def deploy(
        self, template: str, zips: Mapping[str, bytes], parameters: Mapping[str, str] = MappingProxyType({})
    ) -> bool:
        """Make the stack what the template and the functions' code say, and return whether that changed it.

        Args:
            template: its text.
            zips: the code of each function.
            parameters: of the template, beside those that every local stack has.

        Raises:
            DeployerError: CloudFormation refused it; the message says which resource and why.
        """
        keys = {function: f"{function}/{hashlib.sha256(code).hexdigest()}.zip" for function, code in zips.items()}
        parameters = {**PARAMETERS, **concurrency(len(os.sched_getaffinity(0))), **parameters}
        places = {function: f"s3://{ARTEFACTS_BUCKET}/{key}" for function, key in keys.items()}
        body = with_plain_sign_in(with_literal_numbers(with_code(template, places), parameters)).encode()
        key = f"template/{hashlib.sha256(body).hexdigest()}.yaml"
        self._upload({key: body, **{keys[function]: code for function, code in zips.items()}})
        url = f"{self.endpoint_url}/{ARTEFACTS_BUCKET}/{key}"  # a request itself may hold no more than 51,200 bytes
        created = self._status() is None
        arguments = {
            "StackName": STACK_NAME,
            "TemplateURL": url,
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            "Capabilities": CAPABILITIES,
        }
        changed = self._create(arguments) if created else self._update(arguments)
        if created:
            self._forget_test_events()
        self._remove_all_but({key, *keys.values()})
        return changed

    def stack(self) -> Stack:
        """Return the stack as it is deployed.

        Raises:
            NoStack: it is not.
        """
        return Stack.from_outputs(stack_outputs(self.cloudformation, STACK_NAME), self.endpoint_url)

    def api(self) -> LocalApi:
        """Return where the API answers, and whom.

        Raises:
            NoStack: the stack is not deployed.
        """
        api_id = stack_outputs(self.cloudformation, STACK_NAME)["HttpApiId"]
        parameters = self.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]["Parameters"]
        values = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in parameters}
        authorization = Authorization.of_parameter(values["ApiAuthorization"])
        return LocalApi(f"{self.endpoint_url}/_aws/execute-api/{api_id}", authorization)

    def listen(self, *, to_queues: bool) -> None:
        """Let the functions take messages, or no more of them."""
        for mapping in self.functions.list_event_source_mappings()["EventSourceMappings"]:
            self.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=to_queues)

    def drain(self) -> bool:
        """Let the functions end what they have begun, and return whether they did."""
        self.listen(to_queues=False)
        queues = self.queue_urls()
        until_s = time.monotonic() + DRAIN_LIMIT_S
        while any(self._in_flight(url) for url in queues):
            if time.monotonic() > until_s:
                return False
            time.sleep(POLL_S)
        return True

    def queue_urls(self) -> tuple[str, str]:
        """Return the addresses of the two queues."""
        stack = self.stack()
        return stack.uploads_queue_url, stack.backfill_queue_url

    def _in_flight(self, url: str) -> int:
        name = "ApproximateNumberOfMessagesNotVisible"
        return int(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    def _upload(self, objects: Mapping[str, bytes]) -> None:
        self.s3.create_bucket(Bucket=ARTEFACTS_BUCKET)
        artefacts = self._artefacts()
        for key, code in objects.items():
            if key not in artefacts:
                self.s3.put_object(Bucket=ARTEFACTS_BUCKET, Key=key, Body=code)

    def _artefacts(self) -> set[str]:
        return {listed["Key"] for listed in self.s3.list_objects_v2(Bucket=ARTEFACTS_BUCKET).get("Contents", ())}

    def _remove_all_but(self, keys: set[str]) -> None:
        for key in self._artefacts() - keys:
            self.s3.delete_object(Bucket=ARTEFACTS_BUCKET, Key=key)

    def _status(self) -> str | None:
        try:
            return str(self.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]["StackStatus"])
        except ClientError:
            return None

    def _create(self, arguments: Mapping[str, Any]) -> bool:
        try:
            self.cloudformation.create_stack(**arguments)
        except ClientError as error:
            # There was no stack a moment ago, and nobody else deploys: on a slow machine the first request was carried
            # out, its answer came too late, and botocore sent it again.
            if error.response["Error"]["Code"] != "AlreadyExistsException":
                raise DeployerError(f"the template was refused: {error.response['Error']['Message']}") from error
        self._wait_for("CREATE_COMPLETE")
        return True

    def _update(self, arguments: Mapping[str, Any]) -> bool:
        try:
            self.cloudformation.update_stack(**arguments)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise DeployerError(f"the template was refused: {error.response['Error']['Message']}") from error
        self._wait_for("UPDATE_COMPLETE")
        return True

    def _wait_for(self, wanted: str) -> None:
        until_s = time.monotonic() + DEPLOY_LIMIT_S
        while (status := self._status()) is not None and status.endswith("_IN_PROGRESS"):
            if time.monotonic() > until_s:
                raise DeployerError(f"the stack stays in {status} for {DEPLOY_LIMIT_S:.0f} s")
            time.sleep(POLL_S)
        if status != wanted:
            raise DeployerError(f"the stack ended in {status}: {self._first_failure()}")

    def _first_failure(self) -> str:
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=STACK_NAME)
        events = [event for page in pages for event in page["StackEvents"]]
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        if not failed:
            return "no reason given"
        return f"{failed[-1]['LogicalResourceId']}: {failed[-1].get('ResourceStatusReason', 'no reason given')}"

    def _forget_test_events(self) -> None:
        """Remove the events by which S3 tries a new bucket's notifications; nothing else can be there yet."""
        for url in self.queue_urls():
            self.sqs.purge_queue(QueueUrl=url)
