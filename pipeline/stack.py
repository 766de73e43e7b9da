"""The deployed stack: the names of its buckets, queues, tables and functions, and how commands find it.

A command works on the first of these stacks that applies:

1. ``CATALOG_TAGGER_TARGET`` is ``aws`` or ``local``: that one.
2. ``AWS_ENDPOINT_URL`` is set: whatever answers there.
3. A local stack exists on this machine, up or down: the local one. While it is down commands fail, so that a command
   meant for it never reaches AWS. ``catalog-tagger local down --purge`` removes it.
4. AWS, with the credentials and the region that boto3 finds.

On AWS the stack is named ``catalog-tagger``, or as ``CATALOG_TAGGER_STACK`` says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from pipeline.aws.clients import client, stack_outputs
from pipeline.errors import BadSettings, NoStack, RetryLater
from pipeline.settings import home
from pipeline.whole_file import written_whole

STACK_NAME = "catalog-tagger"
STACK_VARIABLE = "CATALOG_TAGGER_STACK"
TARGET_VARIABLE = "CATALOG_TAGGER_TARGET"
AWS, LOCAL = "aws", "local"
LOCAL_HOST = "127.0.0.1"
START_IT = "`catalog-tagger local up` starts it"


@dataclass(frozen=True, slots=True)
class Stack:
    """The names of what is deployed; ``endpoint_url`` is None for AWS as boto3 finds it."""

    images_bucket: str
    uploads_queue_url: str
    uploads_dead_letter_queue_url: str
    backfill_queue_url: str
    backfill_dead_letter_queue_url: str
    stream_failures_queue_url: str
    table_name: str
    product_index_name: str
    export_bucket: str
    export_prefix: str
    tag_function_name: str
    export_function_name: str
    ratings_table_name: str
    endpoint_url: str | None = None

    @classmethod
    def output_names(cls) -> dict[str, str]:
        """Return the name of the stack's output for each field that comes from one."""
        names = [field.name for field in fields(cls) if field.name != "endpoint_url"]
        return {name: "".join(word.capitalize() for word in name.split("_")) for name in names}

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, str], endpoint_url: str | None = None) -> Self:
        """Return the stack with these outputs.

        Raises:
            NoStack: an output is missing, so this is another stack, or one of an older template.
        """
        missing = [output for output in cls.output_names().values() if output not in outputs]
        if missing:
            raise NoStack(f"the stack has no output {', '.join(missing)}; deploy infra/template.yaml again")
        return cls(**{name: outputs[output] for name, output in cls.output_names().items()}, endpoint_url=endpoint_url)

    def outputs(self) -> dict[str, str]:
        """Return the outputs that this stack came from."""
        return {output: getattr(self, name) for name, output in self.output_names().items()}


@dataclass(frozen=True, slots=True)
class LocalRun:
    """The embedded AWS of this machine: its port, kept across restarts, and its process id, None while it is down."""

    port: int
    pid: int | None

    @property
    def endpoint_url(self) -> str:
        """Its address while it is up."""
        return f"http://{LOCAL_HOST}:{self.port}"

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Return what ``local up`` or ``local down`` wrote last, or None where there is no local stack."""
        try:
            state = json.loads(_file(folder).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return cls(port=state["port"], pid=state["pid"])

    def save(self, folder: Path) -> None:
        """Save this for ``load``. A reader sees the old file or the new one, never a part."""
        with written_whole(_file(folder)) as partial:
            partial.write_text(
                json.dumps({"endpoint_url": self.endpoint_url, "port": self.port, "pid": self.pid}) + "\n"
            )

    @staticmethod
    def forget(folder: Path) -> None:
        """Delete what ``save`` wrote: there is no local stack any more."""
        _file(folder).unlink(missing_ok=True)


def _file(folder: Path) -> Path:
    return folder / "endpoint.json"


def local_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder in which the embedded AWS keeps everything."""
    return home(environment) / LOCAL


def endpoint_url_of(environment: Mapping[str, str]) -> str | None:
    """Return the stack's endpoint by the rules above; None means AWS as boto3 finds it.

    Raises:
        BadSettings: ``CATALOG_TAGGER_TARGET`` is neither ``aws`` nor ``local``.
        NoStack: the local stack is selected, but it is down or does not exist.
    """
    target = environment.get(TARGET_VARIABLE, "")
    if target not in {"", AWS, LOCAL}:
        raise BadSettings(f"{TARGET_VARIABLE} is {target!r}; it must be {AWS} or {LOCAL}")
    if target == AWS or (not target and environment.get("AWS_ENDPOINT_URL")):
        return None
    run = LocalRun.load(local_folder(environment))
    if run is None:
        if target == LOCAL:
            raise NoStack(f"there is no local stack; {START_IT}")
        return None
    # A command meant for the local stack must never reach AWS because that is down (DECISIONS.md, 12).
    if run.pid is None:
        raise NoStack(f"the local stack is down; {START_IT}, {TARGET_VARIABLE}={AWS} uses AWS instead")
    return run.endpoint_url


def stack_name_of(environment: Mapping[str, str], endpoint_url: str | None) -> str:
    """Return the stack's name at this endpoint; None is AWS as boto3 finds it."""
    return STACK_NAME if endpoint_url else environment.get(STACK_VARIABLE) or STACK_NAME


def find_stack(environment: Mapping[str, str] = os.environ, connect: Callable[..., Any] = client) -> Stack:
    """Return the stack that commands work on, by the rules above.

    Raises:
        NoStack: there is none, or it does not answer.
        Denied: AWS refuses to answer: credentials, region or permission are missing.
    """
    endpoint_url = endpoint_url_of(environment)
    name = stack_name_of(environment, endpoint_url)
    try:
        return Stack.from_outputs(stack_outputs(connect("cloudformation", endpoint_url), name), endpoint_url)
    except RetryLater as error:
        if endpoint_url:
            raise NoStack(f"the local stack does not answer at {endpoint_url}; {START_IT} again") from error
        raise
