"""A deployment to test with: the real template, with functions that only write down what they are called with."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from infra.local.run import Sources
from infra.package import PACKAGES, TEMPLATE
from pipeline.aws.clients import client
from pipeline.model_version import CARD_NAME
from pipeline.stack import LocalRun
from tagging_lambda.model_card import (
    InputContract,
    ModelCard,
    ModelClass,
    ModelFile,
    ModelRecipe,
    ModelSource,
    OutputContract,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.local.place import Place
    from pipeline.stack import Stack

WAIT_LIMIT_S = 60  # chosen by us: what is waited for takes a second or two on an idle machine

# The table holds what the functions were called with: one item per message, keyed by its body.
TAGGING = """
import os, boto3
table = boto3.client("dynamodb")
def handler(event, context):
    for record in event["Records"]:
        seen = {"image": record["body"], "queue": record["eventSourceARN"].split(":")[-1], "code": "%s"}
        item = {name: {"S": value} for name, value in seen.items()}
        table.put_item(TableName=os.environ["TABLE_NAME"], Item=item)
    return {"batchItemFailures": []}
"""
EXPORTING = """
import os
def handler(event, context):
    return {name: os.environ[name] for name in ("TABLE_NAME", "EXPORT_BUCKET", "EXPORT_PREFIX")}
"""


def tiny_model(folder: Path) -> Path:
    """Return a folder with a model card, and a file of the right name and hash that is no model."""
    weights = b"no weights at all"
    card = ModelCard(
        name="tiny",
        served="int8",
        input=InputContract(8, 8, "RGB", "NCHW", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "crop", 8),
        output=OutputContract("logits", "features", 4),
        source=ModelSource("nobody/nothing", "sha512-", "MIT"),
        recipe=ModelRecipe(1, "nothing", "sha512-", 0),
        files=(ModelFile("tiny.int8.onnx", hashlib.sha256(weights).hexdigest(), len(weights), "int8"),),
        accuracy=(),
        classes=(ModelClass(0, "n00001740", "entity"),),
    )
    folder.mkdir(parents=True)
    (folder / CARD_NAME).write_text(card.to_json(), encoding="utf-8")
    (folder / "tiny.int8.onnx").write_bytes(weights)
    return folder


def scratch_sources(folder: Path, code: str = "first") -> Sources:
    """Return the real template with functions that write down what they are called with, and the name of their code."""
    for room in ("pipeline", "tagging_lambda", "results_sink"):
        (folder / room).mkdir(parents=True, exist_ok=True)
        (folder / room / "__init__.py").write_text("")
    (folder / "tagging_lambda" / "lambda_tag.py").write_text(TAGGING % code)
    (folder / "results_sink" / "lambda_export.py").write_text(EXPORTING)
    for data in (folder / name for package in PACKAGES for name in package.files):
        data.parent.mkdir(parents=True, exist_ok=True)
        data.write_bytes(b"")  # these functions read none of it
    model = folder / "model"
    return Sources(TEMPLATE, folder, model if model.exists() else tiny_model(model))


def kill(place: Place) -> None:
    """End the embedded AWS as `kill -9` does."""
    run = LocalRun.load(place.folder)
    assert run is not None
    assert run.pid is not None
    os.kill(run.pid, signal.SIGKILL)
    wait_for(lambda: not place.is_alive())


def calls(stack: Stack) -> list[dict[str, str]]:
    """Return what the tagging function was called with."""
    found = client("dynamodb", stack.endpoint_url).scan(TableName=stack.table_name, ConsistentRead=True)["Items"]
    return [{name: value["S"] for name, value in item.items()} for item in found]


def wait_for(reached: Callable[[], Any]) -> Any:
    """Return the first answer that is not empty."""
    until_s = time.monotonic() + WAIT_LIMIT_S
    while not (answer := reached()):
        assert time.monotonic() < until_s, "what was waited for did not come"
        time.sleep(0.05)
    return answer
