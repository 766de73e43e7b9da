"""Rewrites somebody else's ONNX graph to our inputs and outputs.

The new graph takes `pixels`, float32 [N, 3, H, W], and returns `logits`, float32 [N, classes], and `features`, float32
[N, F]. Nodes before and after adapt what differs: layout, whole numbers, probabilities, a fixed batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from infra.model.foreign_card import ForeignCard, OutputKind
from infra.model.onnx_graph import FEATURES, LOGITS, PIXELS
from pipeline.errors import CallerError

CHANNELS = 3
LEAST_PROBABILITY = 1e-9  # replaces the probability 0 before the logarithm
_TO_NHWC = [0, 2, 3, 1]
_PASSED = {"Softmax", "Flatten", "Squeeze", "Reshape", "Identity", "Cast", "Add", "QuantizeLinear", "DequantizeLinear"}
_LAST_LAYERS = {"Gemm", "MatMul", "Conv", "QGemm", "QLinearMatMul", "QLinearConv"}


@dataclass(frozen=True, slots=True)
class ForeignGraph:
    """A graph, and its own input and output.

    Attributes:
        model: as read.
        input_name: of the input that takes the picture.
        layout: `NCHW` or `NHWC`.
        element_type: of the input, as an ONNX type number.
        size: height and width in pixels; None if the graph takes any.
        output_name: of the output with the classes.
        is_whole_numbers: whether the input takes raw levels, so that no mean or scale applies.
    """

    model: onnx.ModelProto
    input_name: str
    layout: str
    element_type: int
    size: tuple[int | None, int | None]
    output_name: str

    @property
    def is_whole_numbers(self) -> bool:
        """Whether the input takes whole levels of 0 to 255, so that neither mean nor scale applies."""
        return self.element_type == TensorProto.UINT8

    @classmethod
    def read(cls, path: Path, card: ForeignCard) -> ForeignGraph:
        """Return the graph in the file.

        Raises:
            CallerError: it is no ONNX file, or has no input or output that fits the card.
        """
        model = _load(path)
        constants = {constant.name for constant in model.graph.initializer}
        inputs = {value.name: value for value in model.graph.input if value.name not in constants}
        picture = inputs[_chosen(card.input.name, list(inputs), "input")]
        shape = [dimension.dim_value or None for dimension in picture.type.tensor_type.shape.dim]
        layout = _layout(shape, card)
        height, width = (shape[2], shape[3]) if layout == "NCHW" else (shape[1], shape[2])
        outputs = [value.name for value in model.graph.output]
        wanted = card.output.name or (None if len(outputs) == 1 else LOGITS if LOGITS in outputs else None)
        return cls(
            model=model,
            input_name=picture.name,
            layout=layout,
            element_type=picture.type.tensor_type.elem_type,
            size=(height, width),
            output_name=_chosen(wanted, outputs, "output"),
        )

    def rewritten(
        self, height: int, width: int, classes: int, kind: OutputKind, features: str | None
    ) -> onnx.ModelProto:
        """Return the graph that takes `pixels` of this size and returns `logits` and `features`."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        graph = model.graph
        source = features or _features_of(graph, self.output_name)
        _renamed(graph, {PIXELS, LOGITS, FEATURES})
        own_input, own_output = _new_name(self.input_name), _new_name(self.output_name)
        before = self._before(own_input)
        behind = _behind(own_output, kind, _new_name(source) if source else None)
        constants = {constant.name for constant in graph.initializer}
        kept = [value for value in graph.input if value.name in constants]
        nodes = [*before, *graph.node, *behind]
        del graph.input[:], graph.output[:], graph.node[:]
        graph.node.extend(nodes)
        graph.input.extend(
            [helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, ["N", CHANNELS, height, width]), *kept]
        )
        graph.output.extend(
            [
                helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["N", classes]),
                helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["N", None]),
            ]
        )
        del graph.value_info[:]  # inner shapes may be fixed to one picture
        return model

    def _before(self, own_input: str) -> list[onnx.NodeProto]:
        nodes, value = [], PIXELS
        if self.layout == "NHWC":
            nodes.append(helper.make_node("Transpose", [value], [f"{own_input}/nhwc"], perm=_TO_NHWC))
            value = f"{own_input}/nhwc"
        nodes.append(helper.make_node("Cast", [value], [own_input], to=self.element_type))
        return nodes


def _chosen(wanted: str | None, names: list[str], role: str) -> str:
    if wanted in names:
        return str(wanted)
    listed = ", ".join(names) or "none"
    if wanted:
        raise CallerError(f"the model has no {role} {wanted!r}; it has {listed}: correct {role}.name in the card")
    if len(names) != 1:
        raise CallerError(
            f"the model has {len(names)} {role}s ({listed}): name the right one as {role}.name in the card"
        )
    return names[0]


def _layout(shape: list[int | None], card: ForeignCard) -> str:
    if len(shape) != 4:  # noqa: PLR2004 - pictures, channels, height, width
        raise CallerError(f"the model's input has the shape {shape}; a picture has four dimensions")
    possible = [name for name, axis in (("NCHW", 1), ("NHWC", 3)) if shape[axis] in (CHANNELS, None)]
    if card.input.layout and card.input.layout not in possible:
        raise CallerError(
            f"the card says input.layout {card.input.layout}, but the model's input has the shape {shape}"
        )
    if not possible:
        raise CallerError(f"the model's input has the shape {shape}, in which nothing is {CHANNELS} channels")
    if not card.input.layout and len(possible) > 1:
        raise CallerError(f"the model's input has the shape {shape}: say input.layout, NCHW or NHWC, in the card")
    return card.input.layout or possible[0]


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:
        # The parser raises its own errors, and any others for files that are not ONNX.
        raise CallerError(
            f"{path} is no ONNX model ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ) from error
    return model


def _features_of(graph: onnx.GraphProto, output: str) -> str | None:
    """Return the last layer's input; None if no such layer is found."""
    makers = {name: node for node in graph.node for name in node.output}
    constants = {"", *(constant.name for constant in graph.initializer)}  # an omitted input has no name
    node = makers.get(output)
    while node is not None:
        computed = next((name for name in node.input if name not in constants), None)
        if node.op_type in _LAST_LAYERS:
            return computed
        node = makers.get(computed or "") if node.op_type in _PASSED else None
    return None


def _new_name(name: str) -> str:
    return f"own/{name}" if name in (PIXELS, LOGITS, FEATURES) else name


def _renamed(graph: onnx.GraphProto, taken: set[str]) -> None:
    """Rename the graph's values whose names clash with ours."""
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name in taken:
                    names[index] = _new_name(name)
    for constant in graph.initializer:
        constant.name = _new_name(constant.name)


def _behind(own_output: str, kind: OutputKind, features: str | None) -> list[onnx.NodeProto]:
    nodes = [helper.make_node("Cast", [own_output], ["own/float"], to=TensorProto.FLOAT)]
    value = "own/float"
    if kind is OutputKind.PROBABILITIES:
        least = helper.make_tensor("own/least", TensorProto.FLOAT, [1], [LEAST_PROBABILITY])
        nodes += [
            helper.make_node("Constant", [], ["own/least"], value=least),
            helper.make_node("Max", [value, "own/least"], ["own/positive"]),
            helper.make_node("Log", ["own/positive"], ["own/log"]),
        ]
        value = "own/log"
    nodes.append(helper.make_node("Flatten", [value], [LOGITS], axis=1))
    nodes.append(helper.make_node("Cast", [features or "own/float"], ["own/features"], to=TensorProto.FLOAT))
    nodes.append(helper.make_node("Flatten", ["own/features"], [FEATURES], axis=1))
    return nodes
