"""Three-class networks as people bring them: doughnuts are pink, bagels yellow, vadas blue, by the mean colour."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 32
COLOURS = {"doughnut": "hotpink", "bagel": "gold", "vada": "navy"}
LEVELS = np.array([(255, 105, 180), (255, 215, 0), (0, 0, 128)], np.float32)  # of those colours, RGB
CLASSES = [{"id": "n07639069", "name": "doughnut"}, "bagel", {"name": "vada", "below": "food and drink"}]


def network(  # noqa: PLR0913 - a network has as many ways to be odd
    folder: Path,
    *,
    layout: str = "NCHW",
    whole_numbers: bool = False,
    probabilities: bool = False,
    scale: float = 1 / 255,
    batch: str | int = "batch",
) -> Path:
    """Write a network that knows its three things by colour, and return its file."""
    axes = [2, 3] if layout == "NCHW" else [1, 2]
    shape = [batch, 3, SIDE, SIDE] if layout == "NCHW" else [batch, SIDE, SIDE, 3]
    kind = TensorProto.UINT8 if whole_numbers else TensorProto.FLOAT
    centres = LEVELS * (1 if whole_numbers else scale)
    # The nearest centre: 2 c x - c c, made steep enough to be sure.
    steep = 1 / 2_000 * (1 if whole_numbers else scale**-2)
    weights, bias = (2 * steep * centres.T).astype(np.float32), (-steep * (centres**2).sum(axis=1)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["photo"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels", "axes"], ["colour"], keepdims=0),
        helper.make_node("Gemm", ["colour", "weights", "bias"], ["raw" if probabilities else "answer"]),
    ]
    if probabilities:
        nodes.append(helper.make_node("Softmax", ["raw"], ["answer"], axis=1))
    constants = {"weights": weights, "bias": bias, "axes": np.array(axes, np.int64)}
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("photo", kind, shape)],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    path = folder / "colours.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def card(folder: Path, **changes: object) -> Path:
    """Write what is known of the network, and return its file. A dotted name is of a field inside."""
    document: dict = {
        "name": "colours",
        "licence": "CC0",
        "input": {"mean": 0, "scale": 1 / 255, "colour_order": "RGB"},
        "output": {},
        "classes": CLASSES,
    }
    for name, value in changes.items():
        section, _, field = name.rpartition("__")
        target = document[section] if section else document
        if value is None:
            target.pop(field)
        else:
            target[field] = value
    path = folder / "card.json"
    path.write_text(json.dumps(document))
    return path
