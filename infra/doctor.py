"""`catalog-tagger doctor`: looks at a deployed stack from outside, says what is wrong with it, and what to do next."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from typing import Any

import click

from pipeline.aws.clients import client, stack_outputs
from pipeline.aws.errors import is_code, translated
from pipeline.aws.functions import LEFT_TO_OTHERS, concurrency_limit, deployed_product_pattern
from pipeline.aws.s3 import S3Images
from pipeline.aws.sqs import SqsQueue
from pipeline.clock import utc_now
from pipeline.errors import CatalogTaggerError, Denied, NoStack
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.images import BucketPrefix
from pipeline.products import describe_products
from pipeline.stack import Stack, endpoint_url_of, stack_name_of

EXPORT_IS_OLD = timedelta(hours=26)  # chosen by us: a day and some, for those who export nightly
STANDING = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"}
SIGN_IN = "sign in to AWS with `aws sso login`, or name other credentials with AWS_PROFILE"
SET_PATTERN = "deploy a ProductPattern that tells them apart"
READY = ("Active", "Successful")  # a function's state, and that of its last update


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and found. Where it is not well, ``next_step`` says what to do about it."""

    what: str
    found: str
    next_step: str = ""

    @property
    def well(self) -> bool:
        """Whether nothing needs doing."""
        return not self.next_step


@dataclass(frozen=True)
class Doctor:
    """Looks at one stack. ``connect`` returns a client of a service."""

    connect: Callable[[str], Any]
    name: str
    clock: Callable[[], datetime] = utc_now

    def findings(self) -> Iterator[Check]:
        """Yield what is found, the most basic first; it ends with what nothing else can be without."""
        for check in (self._credentials, self._standing):
            finding = self._looked(check)
            yield finding
            if not finding.well:
                return
        yield from map(self._looked, self._checks(stack_outputs(self.connect("cloudformation"), self.name)))

    def _checks(self, outputs: Mapping[str, str]) -> Iterator[Callable[[], Check]]:
        stack = Stack.from_outputs(outputs)
        yield partial(self._version, outputs)
        for check in (self._function, self._concurrency, self._mappings):
            yield partial(check, stack.tag_function_name)
        yield partial(self._queue, "uploads queue", stack.uploads_queue_url, stack.uploads_dead_letter_queue_url)
        yield partial(self._queue, "backfill queue", stack.backfill_queue_url, stack.backfill_dead_letter_queue_url)
        yield partial(self._table, stack.table_name)
        yield partial(self._products, stack)
        yield partial(self._export, stack.export_bucket, f"{stack.export_prefix}latest.json")
        yield self._alarms

    def _looked(self, check: Callable[[], Check]) -> Check:
        try:
            return check()
        except Denied as error:
            return Check("permission", str(error), "use credentials that may look at it")
        except CatalogTaggerError as error:
            return Check("AWS", str(error), "try again; if it stays, `make deploy`")

    def _credentials(self) -> Check:
        try:
            sts = self.connect("sts")
            with translated("the credentials"):
                caller = sts.get_caller_identity()
        except Denied as error:
            return Check("credentials", str(error), SIGN_IN)
        return Check("credentials", f"account {caller['Account']}, {caller['Arn']}, {sts.meta.region_name}")

    def _standing(self) -> Check:
        cloudformation = self.connect("cloudformation")
        try:
            stack_outputs(cloudformation, self.name)
        except NoStack as error:
            return Check("stack", str(error), "`make deploy` deploys one")
        with translated(self.name):
            status = str(cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"])
        return Check("stack", f"{self.name}, {status}", _step_after(status))

    def _version(self, outputs: Mapping[str, str]) -> Check:
        deployed, installed = outputs.get("Version", "unknown"), version("catalog-tagger")
        step = "" if deployed == installed else "`make deploy` deploys the version that is here"
        return Check("version", f"{deployed} is deployed, {installed} is here", step)

    def _function(self, name: str) -> Check:
        with translated(name):
            held = self.connect("lambda").get_function_configuration(FunctionName=name)
        state = (held.get("State", READY[0]), held.get("LastUpdateStatus", READY[1]))
        found = (
            f"{held['Architectures'][0]}, {held['MemorySize']:,} MB, {held['Timeout']} s, {', '.join(state).lower()}"
        )
        return Check("function", found, "" if state == READY else "wait a minute; if it stays, `make deploy`")

    def _concurrency(self, name: str) -> Check:
        functions = self.connect("lambda")
        limit = concurrency_limit(functions)
        with translated(name):
            held = functions.get_function_concurrency(FunctionName=name)
        reserved = int(held.get("ReservedConcurrentExecutions", 0))
        if not reserved:
            return Check("concurrency", f"none reserved; the account's {limit:,} are shared with its other functions")
        fits = reserved + LEFT_TO_OTHERS <= limit
        step = "" if fits else 'ask AWS for more, or `make deploy PARAMETERS="ReserveConcurrency=false"`'
        return Check("concurrency", f"{reserved:,} reserved of the account's {limit:,}", step)

    def _mappings(self, name: str) -> Check:
        with translated(name):
            held = self.connect("lambda").list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        states = sorted(
            f"{mapping['EventSourceArn'].rsplit(':', 1)[-1]} {mapping['State'].lower()}" for mapping in held
        )
        awake = len(states) == len(("uploads", "backfill")) and all(state.endswith(" enabled") for state in states)
        step = "" if awake else "enable them: RUNBOOK.md#backfill-stands-still"
        return Check("mappings", ", ".join(states) or "none", step)

    def _queue(self, title: str, url: str, dead_letter_url: str) -> Check:
        sqs = self.connect("sqs")
        depth, dead = SqsQueue(sqs, url).depth(), SqsQueue(sqs, dead_letter_url).depth()
        letters = dead.waiting + dead.in_flight
        counts = f"{depth.waiting:,} waiting, {depth.in_flight:,} in flight, {letters:,} dead letters"
        return Check(title, counts, "see why they died: RUNBOOK.md#dead-letters" if letters else "")

    def _table(self, name: str) -> Check:
        with translated(name):
            held = self.connect("dynamodb").describe_table(TableName=name)["Table"]
        safe = held["TableStatus"] == "ACTIVE" and held.get("DeletionProtectionEnabled")
        state = f"{held['TableStatus'].lower()}, about {held['ItemCount']:,} images"
        return Check("table", state, "" if safe else "`make deploy`: it shall be active, and protected from deletion")

    def _products(self, stack: Stack) -> Check:
        pattern = deployed_product_pattern(self.connect("lambda"), stack.tag_function_name)
        listing = S3Images(self.connect("s3")).listing(BucketPrefix(stack.images_bucket))
        examples, warning = describe_products((listed.image for listed in listing), pattern)
        example = examples[0] if examples else "the images bucket is empty"
        return Check("products", warning or example, f"{SET_PATTERN}, then `load --only stale`" if warning else "")

    def _export(self, bucket: str, key: str) -> Check:
        try:
            with translated(bucket):
                written_at = self.connect("s3").head_object(Bucket=bucket, Key=key)["LastModified"]
        except Exception as error:
            if is_code(error, "404", "NoSuchKey"):
                return Check("export", "there is none yet", "wait for the timer, or `catalog-tagger export`")
            raise
        age = self.clock() - written_at
        step = "see the export function's log: RUNBOOK.md#export-errors" if age > EXPORT_IS_OLD else ""
        return Check("export", f"{age / timedelta(hours=1):.1f} hours old", step)

    def _alarms(self) -> Check:
        with translated("the alarms"):
            held = self.connect("cloudwatch").describe_alarms(AlarmNamePrefix=f"{self.name}-", StateValue="ALARM")
        raised = sorted(alarm["AlarmName"].removeprefix(f"{self.name}-") for alarm in held["MetricAlarms"])
        return Check("alarms", ", ".join(raised) or "none is raised", f"RUNBOOK.md#{raised[0]}" if raised else "")


def _step_after(status: str) -> str:
    if status in STANDING:
        return ""
    if status.endswith("_IN_PROGRESS"):
        return "wait until it is through"
    return "see its events, then RUNBOOK.md#a-deployment-that-failed"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
def doctor(*, as_json: bool) -> int:
    """Look at the deployed stack, say what is wrong with it, and what to do next.

    Exits 1 where something wants attention.
    """
    endpoint_url = endpoint_url_of(os.environ)
    doctor = Doctor(lambda service: client(service, endpoint_url), stack_name_of(os.environ, endpoint_url))
    findings = list(doctor.findings())
    ill = [finding for finding in findings if not finding.well]
    if as_json:
        documents = [{**asdict(finding), "well": finding.well} for finding in findings]
        click.echo(json.dumps({"well": not ill, "findings": documents}))
    else:
        for finding in findings:
            click.echo(f"{'ok' if finding.well else '->'}  {finding.what:<15}{finding.found}")
        click.echo(f"Next: {ill[0].next_step}." if ill else "All is well.")
    return ATTENTION if ill else DONE
