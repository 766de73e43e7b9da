"""A layers-model written as an ONNX graph: normalisation folded in, RGB pixels in, class logits and features out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from infra.model.layers_model import Layer, LayersModel
from pipeline.errors import BadModel

# Opset 13 is the first with quantization per channel; 17 is read by every ONNX Runtime since 1.12 (2022).
OPSET = 17
IR_VERSION = 8
PIXELS, LOGITS, FEATURES = "pixels", "logits", "features"


@dataclass(frozen=True, slots=True)
class _Value:
    """A layer's output: its name in the graph, and what is known about it."""

    name: str
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  # zero padding still to be applied: top, left, bottom, right
    never_negative: bool = False


@dataclass(slots=True)
class _Writer:
    """The graph under construction, layer by layer."""

    model: LayersModel
    mean_rgb: tuple[float, float, float]
    values: dict[str, _Value] = field(default_factory=dict)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    input_layer: Layer | None = None
    features: int = 0
    classes: int = 0

    def input_of(self, layer: Layer) -> _Value:
        return self.values[layer.inputs[0]]

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))

    def constant(self, name: str, array: NDArray[np.float32]) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name


def write_graph(model: LayersModel, mean_rgb: tuple[float, float, float]) -> onnx.ModelProto:
    """Return `model` as an ONNX graph.

    In: `pixels`, float32 [N, 3, H, W], RGB, 0 to 255. Out: `logits`, float32 [N, classes], before any softmax, and
    `features`, float32 [N, features], what the last layer reads. The network must have been trained on BGR with
    `mean_rgb` subtracted.

    Raises:
        BadModel: A layer, or a setting of one, has no translation here.
    """
    writer = _Writer(model, mean_rgb)
    for layer in model.layers:
        if layer.kind not in _WRITERS:
            raise BadModel(f"layer {layer.name} is a {layer.kind}; only {', '.join(sorted(_WRITERS))} can be written")
        writer.values[layer.name] = _WRITERS[layer.kind](writer, layer)
    if not writer.classes or writer.input_layer is None:
        raise BadModel("the network has no input layer or no last Dense layer; it is not an image classifier")
    return _finish(writer, writer.input_layer)


def feature_count(graph: onnx.ModelProto) -> int:
    """Return how many features the graph returns for a picture."""
    answers = {output.name: output.type.tensor_type.shape.dim for output in graph.graph.output}
    return int(answers[FEATURES][1].dim_value)


def _finish(writer: _Writer, input_layer: Layer) -> onnx.ModelProto:
    height, width, channels = input_layer.config["batch_input_shape"][1:]
    graph = helper.make_graph(
        writer.nodes,
        "classifier",
        [helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, ["N", channels, height, width])],
        [
            helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["N", writer.classes]),
            helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["N", writer.features]),
        ],
        writer.initializers,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    proto = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)
    onnx.checker.check_model(proto)
    return proto


def _input(writer: _Writer, layer: Layer) -> _Value:
    # The mean is subtracted before the first layer pads the picture with zeros, so folding it into that layer's
    # bias would be wrong along the borders. One subtraction stays.
    mean = writer.constant("mean_rgb", np.array(writer.mean_rgb, np.float32).reshape(1, 3, 1, 1))
    writer.node("Sub", [PIXELS, mean], "centred")
    writer.input_layer = layer
    return _Value("centred")


def _zero_padding(writer: _Writer, layer: Layer) -> _Value:
    (top, bottom), (left, right) = layer.config["padding"]
    source = writer.input_of(layer)
    return _Value(source.name, (top, left, bottom, right), source.never_negative)


def _pads(layer: Layer, source: _Value, window: Sequence[int]) -> list[int]:
    """Return the zero padding: that of an earlier padding layer plus that of `padding: same`."""
    if layer.config["padding"] == "valid":
        return list(source.pads)
    if list(layer.config["strides"]) != [1, 1]:
        raise BadModel(f"layer {layer.name} pads to the same size with a stride; only a stride of 1 can be written")
    high, wide = window[0] - 1, window[1] - 1
    same = (high // 2, wide // 2, high - high // 2, wide - wide // 2)
    return [earlier + own for earlier, own in zip(source.pads, same, strict=True)]


def _conv(writer: _Writer, layer: Layer) -> _Value:
    kernel, bias = _folded(writer, layer)
    source = writer.input_of(layer)
    if source.name == "centred":
        kernel = kernel[:, :, ::-1, :]  # trained on BGR, given RGB
    window = list(layer.config["kernel_size"])
    writer.node(
        "Conv",
        [
            source.name,
            writer.constant(f"{layer.name}/kernel", kernel.transpose(3, 2, 0, 1)),  # Keras HWIO, ONNX OIHW
            writer.constant(f"{layer.name}/bias", bias),
        ],
        layer.name,
        kernel_shape=window,
        strides=list(layer.config["strides"]),
        dilations=list(layer.config["dilation_rate"]),
        pads=_pads(layer, source, window),
    )
    return _activated(writer, layer, layer.name)


def _folded(writer: _Writer, layer: Layer) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the kernel (float32 HWIO) and bias of a convolution with the normalisation after it folded in."""
    model = writer.model
    kernel = model.weight(layer, "kernel").astype(np.float64)
    bias = model.weight(layer, "bias").astype(np.float64) if layer.config["use_bias"] else np.zeros(kernel.shape[3])
    norm = _normalisation_of(model, layer)
    if norm is not None:
        scale = 1 / np.sqrt(model.weight(norm, "moving_variance").astype(np.float64) + norm.config["epsilon"])
        if norm.config["scale"]:
            scale *= model.weight(norm, "gamma")
        shift = model.weight(norm, "beta") if norm.config["center"] else 0.0
        kernel, bias = kernel * scale, (bias - model.weight(norm, "moving_mean")) * scale + shift
    return kernel.astype(np.float32), bias.astype(np.float32)


def _normalisation_of(model: LayersModel, conv: Layer) -> Layer | None:
    consumers = model.consumers(conv)
    folds = len(consumers) == 1 and consumers[0].kind == "BatchNormalization" and conv.config["activation"] == "linear"
    return consumers[0] if folds else None


def _batch_normalisation(writer: _Writer, layer: Layer) -> _Value:
    source = next((other for other in writer.model.layers if other.name == layer.inputs[0]), None)
    if source is None or source.kind != "Conv2D" or _normalisation_of(writer.model, source) is not layer:
        raise BadModel(f"layer {layer.name} normalises something else than one convolution; it cannot be folded")
    return writer.values[source.name]


def _activated(writer: _Writer, layer: Layer, name: str) -> _Value:
    """Return the value `name` after the activation that `layer` asks for."""
    if layer.config["activation"] == "linear":
        return _Value(name)
    if layer.config["activation"] != "relu":
        raise BadModel(f"layer {layer.name} activates by {layer.config['activation']}; only relu can be written")
    writer.node("Relu", [name], f"{layer.name}/relu")
    return _Value(f"{layer.name}/relu", never_negative=True)


def _activation(writer: _Writer, layer: Layer) -> _Value:
    return _activated(writer, layer, writer.input_of(layer).name)


def _max_pooling(writer: _Writer, layer: Layer) -> _Value:
    source = writer.input_of(layer)
    if any(source.pads) and not source.never_negative:
        raise BadModel(f"layer {layer.name} pools over zeros that its input may lie under; it cannot be written")
    # ONNX pads with minus infinity, Keras with zeros: the same if no input is negative.
    window = list(layer.config["pool_size"])
    pads = _pads(layer, source, window)
    writer.node("MaxPool", [source.name], layer.name, kernel_shape=window, strides=layer.config["strides"], pads=pads)
    return _Value(layer.name, never_negative=source.never_negative)


def _add(writer: _Writer, layer: Layer) -> _Value:
    left, right = (writer.values[name] for name in layer.inputs)
    writer.node("Add", [left.name, right.name], layer.name)
    return _Value(layer.name, never_negative=left.never_negative and right.never_negative)


def _global_average(writer: _Writer, layer: Layer) -> _Value:
    writer.node("GlobalAveragePool", [writer.input_of(layer).name], layer.name)
    writer.node("Flatten", [layer.name], FEATURES)
    return _Value(FEATURES)


def _dense(writer: _Writer, layer: Layer) -> _Value:
    """Write the last layer without its softmax: logits quantize and compare better, and callers want both."""
    kernel = writer.model.weight(layer, "kernel")
    if writer.model.consumers(layer) or writer.input_of(layer).name != FEATURES:
        raise BadModel(f"layer {layer.name} is a Dense layer before the last; only a last one can be written")
    writer.features, writer.classes = kernel.shape
    bias = writer.model.weight(layer, "bias") if layer.config["use_bias"] else np.zeros(writer.classes, np.float32)
    weights = [writer.constant(f"{layer.name}/kernel", kernel), writer.constant(f"{layer.name}/bias", bias)]
    writer.node("Gemm", [FEATURES, *weights], LOGITS)
    return _Value(LOGITS)


_WRITERS: dict[str, Callable[[_Writer, Layer], _Value]] = {
    "InputLayer": _input,
    "ZeroPadding2D": _zero_padding,
    "Conv2D": _conv,
    "BatchNormalization": _batch_normalisation,
    "Activation": _activation,
    "MaxPooling2D": _max_pooling,
    "Add": _add,
    "GlobalAveragePooling2D": _global_average,
    "Dense": _dense,
}
