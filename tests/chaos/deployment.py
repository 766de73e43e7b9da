"""The deployed template for a chaos run: as it is shipped, but for three numbers and the address of AWS.

What differs, and why: all functions reach AWS through the proxy; a message that a killed worker held comes back after
seconds and not twelve minutes, and a failed one waits seconds and not a quarter of an hour, or the run would take days.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from infra.local import emulator
from infra.local.deploy import Deployment
from infra.local.place import Place
from infra.local.run import Sources
from infra.package import ROOT, TEMPLATE
from pipeline.aws.clients import client, stack_outputs
from pipeline.model_version import CARD_NAME
from pipeline.stack import STACK_NAME, LocalRun
from tagging_lambda.model_card import (
    InputContract,
    ModelCard,
    ModelClass,
    ModelFile,
    ModelRecipe,
    ModelSource,
    OutputContract,
)
from tests.chaos.shop import LEVELS
from tests.chaos.words import read_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.stack import Stack

VISIBILITY_S = 15  # in place of twelve minutes
LONGEST_WAIT_S = 6  # in place of 900
# As on AWS; a laptop of two cores gets two of each (DECISIONS.md, 110).
CONCURRENCY = {"UploadsConcurrency": "5", "BackfillConcurrency": "10"}
SIDE_PIXELS = 16
SHARPNESS = 0.01  # of the tiny model: a colour next to another one gets e^-77 of its score
START_LIMIT_S = 10


@dataclass
class Deployed:
    """What runs: the stack, the emulator with its place and process, and the address of the proxy."""

    stack: Stack
    place: Place
    run: LocalRun
    proxy_url: str
    model_dir: Path

    @property
    def endpoint_url(self) -> str:
        """The emulator's address."""
        return self.run.endpoint_url

    @cached_property
    def api_url(self) -> str:
        """The address of the search API, which the proxy does not injure; its function is injured."""
        api = stack_outputs(client("cloudformation", self.endpoint_url), STACK_NAME)["HttpApiId"]
        return f"{self.endpoint_url}/_aws/execute-api/{api}/$default/v1"

    @property
    def work(self) -> Path:
        """A folder for whatever a run writes."""
        return self.place.folder.parent

    def restart(self) -> None:
        """Stop the emulator with all workers in the middle of what they do, and start it again."""
        emulator.stop(self.place, self.run)
        self.run = emulator.start(self.place, self.run.port)

    def logs(self) -> Iterator[str]:
        """Yield the lines that the functions printed, before and after a restart."""
        for path in (self.place.log.with_suffix(".log.1"), self.place.log):
            if path.exists():
                with path.open(encoding="utf-8", errors="replace") as log:
                    yield from log

    def proxy(self, path: str) -> dict[str, int]:
        """Ask the proxy itself, and return what it has done so far."""
        with urllib.request.urlopen(f"{self.proxy_url}/_chaos/{path}", timeout=10) as answer:
            return json.load(answer)


@contextmanager
def deployed(folder: Path, seed: int) -> Iterator[Deployed]:
    """Deploy in that folder, with a tiny model, and end everything that was started."""
    model_dir = tiny_model(folder / "model")
    place = Place(folder / "local")
    run = emulator.start(place, emulator.free_port(None))
    proxy_port = emulator.free_port(None)
    command = [sys.executable, "-m", "tests.chaos.proxy", str(proxy_port), str(run.port), str(seed)]
    proxy_url = f"http://127.0.0.1:{proxy_port}"
    try:
        with subprocess.Popen(command, cwd=ROOT) as proxy:
            try:
                template = injured(TEMPLATE.read_text(encoding="utf-8"), proxy_url)
                sources = Sources(TEMPLATE, ROOT, model_dir).zips()
                deployment = Deployment.at(run.endpoint_url)
                deployment.deploy(template, sources, CONCURRENCY)
                here = Deployed(deployment.stack(), place, run, proxy_url, model_dir)
                wait_for_proxy(here)
                yield here
            finally:
                proxy.terminate()
    finally:
        emulator.stop(place, LocalRun.load(place.folder) or run)


def depth(sqs: Any, here: Deployed) -> tuple[int, int]:
    """Return how many messages wait in both queues, and how many are being worked on or wait for another try."""
    counts: Counter[str] = Counter()
    for url in (here.stack.uploads_queue_url, here.stack.backfill_queue_url):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        counts.update({name: int(value) for name, value in attributes.items() if name.startswith("Approximate")})
    waiting, not_visible = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
    return counts[waiting] + counts["ApproximateNumberOfMessagesDelayed"], counts[not_visible]


def injured(template: str, proxy_url: str) -> str:
    """Return the template with what a chaos run changes."""
    tag_variable = "          PRODUCT_PATTERN: !Ref"
    assert template.count(tag_variable) == 1
    template = template.replace(tag_variable, f'          LONGEST_WAIT_S: "{LONGEST_WAIT_S}"\n{tag_variable}')
    shortened, queues = re.subn(r"\bVisibilityTimeout: \d+", f"VisibilityTimeout: {VISIBILITY_S}", template)
    assert queues == len(("uploads", "backfill"))
    address = f"          AWS_ENDPOINT_URL: {proxy_url}\n"
    everywhere, functions = re.subn(r"(?m)^        Variables:\n", rf"\g<0>{address}", shortened)
    assert functions == template.count("Type: AWS::Serverless::Function"), "a function without variables is not injured"
    return everywhere


def wait_for_proxy(here: Deployed) -> None:
    """Return once the proxy answers."""
    until_s = time.monotonic() + START_LIMIT_S
    while True:
        try:
            here.proxy("counts")
        except OSError:
            assert time.monotonic() < until_s, "the proxy did not start"
            time.sleep(0.05)
        else:
            return


def tiny_model(folder: Path) -> Path:
    """Return a folder with a model of 27 classes, one for each colour of the shop: the nearest one is what it answers.

    The logits are minus the squared distances, but for what all have in common: a matrix and an offset.
    """
    centres = np.array([(r, g, b) for r in LEVELS for g in LEVELS for b in LEVELS], np.float32)
    weights, offset = 2 * SHARPNESS * centres.T, -SHARPNESS * (centres**2).sum(axis=1)
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["average"]),
        helper.make_node("Flatten", ["average"], ["features"]),
        helper.make_node("Gemm", ["features", "weights", "offset"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, SIDE_PIXELS, SIDE_PIXELS])]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(centres)]),
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 3]),
    ]
    held = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(offset, "offset")]
    graph = helper.make_graph(nodes, "colours", inputs, outputs, held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = made.SerializeToString()
    folder.mkdir(parents=True)
    (folder / "colours.onnx").write_bytes(data)
    (folder / CARD_NAME).write_text(_card(data, len(centres)).to_json(), encoding="utf-8")
    return folder


def _card(data: bytes, count: int) -> ModelCard:
    none = (0.0, 0.0, 0.0)
    return ModelCard(
        name="colours",
        served="float32",
        input=InputContract(SIDE_PIXELS, SIDE_PIXELS, "RGB", "NCHW", none, (1.0, 1.0, 1.0), "squash", SIDE_PIXELS),
        output=OutputContract("logits", "features", 3),
        source=ModelSource("made for a test", "", ""),
        recipe=ModelRecipe(1, "", "", 0),
        files=(ModelFile("colours.onnx", hashlib.sha256(data).hexdigest(), len(data), "float32"),),
        accuracy=(),
        classes=tuple(ModelClass(at, node, node) for at, node in enumerate(read_words().leaves(count))),
    )


def environment(here: Deployed, *, is_injured: bool = False) -> dict[str, Any]:
    """Return the variables by which the commands find this deployment and no other, and no copies of other runs."""
    return {
        "AWS_ENDPOINT_URL": here.proxy_url if is_injured else here.endpoint_url,
        "CATALOG_TAGGER_HOME": str(here.work / "home"),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "MODEL_DIR": str(here.model_dir),
    }
