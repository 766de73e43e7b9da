"""A converted network answers what the trained one would."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime as ort
import pytest

from infra.model.layers_model import read_layers_model
from infra.model.onnx_graph import feature_count, write_graph
from pipeline.errors import BadModel


def run(network, rgb):
    graph = write_graph(read_layers_model(network.files(), "net/model.json"), network.mean_rgb)
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["logits", "features"], {"pixels": rgb})


def photos(count):
    return np.random.default_rng(1).uniform(0, 255, (count, 3, 16, 16)).astype(np.float32)


def layer_of(network, name):
    return next(layer for layer in network.layers if layer["name"] == name)


def test_logits_and_features_are_those_of_the_trained_network(network):
    rgb = photos(3)
    logits, features = run(network, rgb)
    expected_logits, expected_features = network.answer(rgb)
    np.testing.assert_allclose(features, expected_features, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(logits, expected_logits, rtol=1e-4, atol=1e-3)


def test_the_zeros_around_a_picture_are_laid_after_the_mean_is_subtracted(network):
    """A picture of nothing but the mean is zero everywhere, borders included: nothing but biases is left."""
    rgb = np.broadcast_to(np.array(network.mean_rgb, np.float32)[:, None, None], (1, 3, 16, 16)).copy()
    assert np.allclose(run(network, rgb)[0], network.answer(rgb)[0], rtol=1e-4, atol=1e-4)


def test_colours_come_in_as_red_green_blue(network):
    rgb = photos(1)
    swapped = np.ascontiguousarray(rgb[:, ::-1])
    assert not np.allclose(run(network, rgb)[0], run(network, swapped)[0])
    assert np.allclose(run(network, swapped)[0], network.answer(swapped)[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_number_of_pictures_goes_in_at_once(network, count):
    logits, features = run(network, photos(count))
    assert (logits.shape, features.shape) == ((count, 4), (count, 36))


def test_normalisation_leaves_no_node_behind(network):
    graph = write_graph(read_layers_model(network.files(), "net/model.json"), network.mean_rgb)
    assert [node.op_type for node in graph.graph.node] == [
        "Sub", "Conv", "Relu", "MaxPool", "Conv", "Add", "Relu", "GlobalAveragePool", "Flatten",
        "Reshape", "MatMul", "Flatten", "Gemm",
    ]  # fmt: skip
    assert feature_count(graph) == 36


def test_a_normalisation_without_scale_or_shift_is_folded_too(network):
    layer_of(network, "first_norm")["config"].update(scale=False, center=False)
    rgb = photos(2)
    logits = run(network, rgb)[0]
    network.weights["first_norm/gamma"][:] = 1
    network.weights["first_norm/beta"][:] = 0
    assert np.allclose(logits, network.answer(rgb)[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("first_relu", {"class_name": "Dropout"}, "layer first_relu is a Dropout"),
        ("second_norm", {"inbound_nodes": [[["pool", 0, 0, {}]]]}, "layer second_norm normalises something else"),
        ("pool_pad", {"inbound_nodes": [[["first_norm", 0, 0, {}]]]}, "layer pool pools over zeros"),
    ],
)
def test_a_layer_that_cannot_be_written_is_named(network, name, change, said):
    layer_of(network, name).update(change)
    with pytest.raises(BadModel, match=said):
        run(network, photos(1))


@pytest.mark.parametrize(
    ("name", "setting", "said"),
    [
        ("first_relu", {"activation": "swish"}, "layer first_relu activates by swish"),
        ("first", {"padding": "same"}, "layer first pads to the same size with a stride"),
    ],
)
def test_a_setting_that_cannot_be_written_is_named(network, name, setting, said):
    layer_of(network, name)["config"].update(setting)
    with pytest.raises(BadModel, match=said):
        run(network, photos(1))


def test_a_shard_that_ends_early_is_refused(network):
    files = network.files()
    files["net/two.bin"] = files["net/two.bin"][:-4]
    with pytest.raises(BadModel, match=r"net/model\.json: the weights end after"):
        read_layers_model(files, "net/model.json")


def test_bytes_left_over_in_a_shard_are_refused(network):
    files = network.files()
    files["net/two.bin"] += bytes(4)
    with pytest.raises(BadModel, match=r"the layers need"):
        read_layers_model(files, "net/model.json")


def test_a_missing_shard_is_named(network):
    files = network.files()
    del files["net/two.bin"]
    with pytest.raises(BadModel, match=r"the package holds no file net/two\.bin"):
        read_layers_model(files, "net/model.json")


def test_another_form_of_model_is_refused(network):
    files = network.files()
    files["net/model.json"] = json.dumps({"format": "graph-model"}).encode()
    with pytest.raises(BadModel, match="'graph-model'; only 'layers-model' can be converted"):
        read_layers_model(files, "net/model.json")
