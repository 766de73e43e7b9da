"""A layers-model written as an ONNX graph: normalisation folded in, RGB pixels in, class logits and features out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline.errors import BadModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from infra.model.layers_model import Layer, LayersModel

# Opset 13 is the first with quantization per channel; 17 is read by every ONNX Runtime since 1.12 (2022).
OPSET = 17
IR_VERSION = 8
PIXELS, LOGITS, FEATURES = "pixels", "logits", "features"
POOLED = "pooled"  # what the last layer reads
REGIONS = 6  # whose means are the features: a picture's top, middle and bottom, of each the centre and both sides


@dataclass(frozen=True, slots=True)
class _Value:
    """What a layer writes: its name in the graph, and what is known about it."""

    name: str
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  # zeros still to be laid around: top, left, bottom, right
    never_negative: bool = False


@dataclass(slots=True)
class _Writer:
    """The graph while it is being written, layer by layer."""

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

    def pixels(self) -> onnx.ValueInfoProto:
        if self.input_layer is None:
            raise BadModel("the network has no input layer; it is not an image classifier")
        height, width, channels = self.input_layer.config["batch_input_shape"][1:]
        return helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, ["N", channels, height, width])

    def constant(self, name: str, array: NDArray[np.float32]) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name


def write_graph(model: LayersModel, mean_rgb: tuple[float, float, float]) -> onnx.ModelProto:
    """Return `model` as an ONNX graph.

    In: `pixels`, float32 [N, 3, H, W], RGB, 0 to 255. Out: `logits`, float32 [N, classes], before any softmax, and
    `features`, float32 [N, channels x REGIONS], the means of the network's last picture in its regions, those of a
    channel together. The network must have been trained on BGR with `mean_rgb` subtracted.

    Raises:
        BadModel: A layer, or a setting of one, has no translation here.
    """
    writer = _Writer(model, mean_rgb)
    for layer in model.layers:
        if layer.kind not in _WRITERS:
            raise BadModel(f"layer {layer.name} is a {layer.kind}; only {', '.join(sorted(_WRITERS))} can be written")
        writer.values[layer.name] = _WRITERS[layer.kind](writer, layer)
    if not writer.classes:
        raise BadModel("the network has no last Dense layer; it is not an image classifier")
    return _finish(writer)


def feature_count(graph: onnx.ModelProto) -> int:
    """Return how many features the graph answers for a picture."""
    answers = {output.name: output.type.tensor_type.shape.dim for output in graph.graph.output}
    return int(answers[FEATURES][1].dim_value)


def _finish(writer: _Writer) -> onnx.ModelProto:
    graph = helper.make_graph(
        writer.nodes,
        "classifier",
        [writer.pixels()],
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
    # The mean is subtracted before the first layer lays zeros around the picture, so that folding it into that
    # layer's bias would be wrong along the borders. One subtraction stays.
    mean = writer.constant("mean_rgb", np.array(writer.mean_rgb, np.float32).reshape(1, 3, 1, 1))
    writer.node("Sub", [PIXELS, mean], "centred")
    writer.input_layer = layer
    return _Value("centred")


def _zero_padding(writer: _Writer, layer: Layer) -> _Value:
    (top, bottom), (left, right) = layer.config["padding"]
    source = writer.input_of(layer)
    return _Value(source.name, (top, left, bottom, right), source.never_negative)


def _pads(layer: Layer, source: _Value, window: Sequence[int]) -> list[int]:
    """Return the zeros around the picture: those of an earlier padding layer and those of `padding: same`."""
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
    # ONNX pads with minus infinity, Keras with zeros: the same where nothing is below zero.
    window = list(layer.config["pool_size"])
    pads = _pads(layer, source, window)
    writer.node("MaxPool", [source.name], layer.name, kernel_shape=window, strides=layer.config["strides"], pads=pads)
    return _Value(layer.name, never_negative=source.never_negative)


def _add(writer: _Writer, layer: Layer) -> _Value:
    left, right = (writer.values[name] for name in layer.inputs)
    writer.node("Add", [left.name, right.name], layer.name)
    return _Value(layer.name, never_negative=left.never_negative and right.never_negative)


# Where in the picture a garment goes on tells a dress from a top or a skirt, and the mean of all of it forgets that
# (DECISIONS.md, 107). A picture and its mirror image have the same features but for what each side shows.
def _global_average(writer: _Writer, layer: Layer) -> _Value:
    source = writer.input_of(layer).name
    writer.node("GlobalAveragePool", [source], layer.name)
    writer.node("Flatten", [layer.name], POOLED)
    rows, columns = _size_of(writer, source)
    flat = numpy_helper.from_array(np.array([0, 0, -1], np.int64), "flat_shape")
    writer.initializers.append(flat)
    writer.node("Reshape", [source, flat.name], "flat_picture")
    regions = writer.constant("region_weights", _region_weights(rows, columns))
    writer.node("MatMul", ["flat_picture", regions], "region_means")
    writer.node("Flatten", ["region_means"], FEATURES)
    return _Value(POOLED)


def _size_of(writer: _Writer, name: str) -> tuple[int, int]:
    """Return the height and width of the value `name`, a picture of the graph as far as it is written."""
    value = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    graph = helper.make_graph(writer.nodes, "so far", [writer.pixels()], [value], writer.initializers)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True)
    _, _, height, width = inferred.graph.output[0].type.tensor_type.shape.dim
    return int(height.dim_value), int(width.dim_value)


def _region_weights(rows: int, columns: int) -> NDArray[np.float32]:
    """Return float32 [rows x columns, REGIONS]: what averages each region of a picture that is read row by row."""
    across = _thirds(columns)[1]
    masks = [np.outer(down, inside) for down in _thirds(rows) for inside in (across, ~across)]
    return np.stack([mask.ravel() / max(1, mask.sum()) for mask in masks], axis=1).astype(np.float32)


def _thirds(count: int) -> tuple[NDArray[np.bool_], ...]:
    """Return bool [count] of the first third of so many rows, of the middle, which may be larger, and of the last."""
    steps, third = np.arange(count), max(1, count // 3)
    first, last = steps < third, steps >= count - third
    return first, ~first & ~last if count > 2 * third else first | last, last


def _dense(writer: _Writer, layer: Layer) -> _Value:
    """Write the last layer without its softmax: logits quantize and compare better, and callers want both."""
    kernel = writer.model.weight(layer, "kernel")
    if writer.model.consumers(layer) or writer.input_of(layer).name != POOLED:
        raise BadModel(f"layer {layer.name} is a Dense layer before the last; only a last one can be written")
    channels, writer.classes = kernel.shape
    writer.features = REGIONS * channels
    bias = writer.model.weight(layer, "bias") if layer.config["use_bias"] else np.zeros(writer.classes, np.float32)
    weights = [writer.constant(f"{layer.name}/kernel", kernel), writer.constant(f"{layer.name}/bias", bias)]
    writer.node("Gemm", [POOLED, *weights], LOGITS)
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
