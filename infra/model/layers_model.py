"""A published Keras network in TensorFlow.js's layers-model format: its layers and its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadModel


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as model.json writes it: its Keras class, its settings and the layers it reads from."""

    name: str
    kind: str
    config: Mapping[str, Any]
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LayersModel:
    """A network: its layers in execution order, and float32 weights by `layer/weight` name."""

    layers: tuple[Layer, ...]
    weights: Mapping[str, NDArray[np.float32]]

    def weight(self, layer: Layer, name: str) -> NDArray[np.float32]:
        """Return one float32 weight of `layer`, in Keras' own order of axes."""
        return self.weights[f"{layer.name}/{name}"]

    def consumers(self, layer: Layer) -> tuple[Layer, ...]:
        """Return the layers that read what `layer` writes."""
        return tuple(other for other in self.layers if layer.name in other.inputs)


def read_layers_model(files: Mapping[str, bytes], path: str) -> LayersModel:
    """Return the network written at `path`, a model.json with its shards beside it, among `files`.

    Raises:
        BadModel: The files are not a float32 layers-model, or the shards are shorter or longer than it says.
    """
    document = json.loads(_file(files, path))
    if document.get("format") != "layers-model":
        raise BadModel(f"{path} is in the form {document.get('format')!r}; only 'layers-model' can be converted")
    folder = path.rpartition("/")[0]
    weights: dict[str, NDArray[np.float32]] = {}
    for group in document["weightsManifest"]:
        data = b"".join(_file(files, f"{folder}/{shard}") for shard in group["paths"])
        weights |= _cut(data, group["weights"], path)
    layers = document["modelTopology"]["model_config"]["config"]["layers"]
    return LayersModel(tuple(_layer(written) for written in layers), weights)


def _file(files: Mapping[str, bytes], path: str) -> bytes:
    if path not in files:
        raise BadModel(f"the package holds no file {path}")
    return files[path]


def _layer(written: Mapping[str, Any]) -> Layer:
    inputs = tuple(source[0] for node in written["inbound_nodes"] for source in node)
    return Layer(written["name"], written["class_name"], written["config"], inputs)


def _cut(data: bytes, written: list[dict[str, Any]], path: str) -> dict[str, NDArray[np.float32]]:
    """Return the weights of one group, stored consecutively in `data`."""
    weights = {}
    offset = 0
    for weight in written:
        if weight["dtype"] != "float32" or "quantization" in weight:
            raise BadModel(f"{path}: the weight {weight['name']} is not plain float32")
        count = int(np.prod(weight["shape"], dtype=np.int64))
        end = offset + 4 * count
        if end > len(data):
            raise BadModel(f"{path}: the weights end after {len(data):,} bytes, within {weight['name']}")
        weights[weight["name"]] = np.frombuffer(data, "<f4", count, offset).reshape(weight["shape"])
        offset = end
    if offset != len(data):
        raise BadModel(f"{path}: the weights have {len(data):,} bytes; the layers need {offset:,}")
    return weights
