"""The classifier runs exactly the file that its card names, and nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.errors import BadModel
from pipeline.softmax import softmax
from tagging_lambda.classify import Classifier
from tagging_lambda.model_card import (
    InputContract,
    ModelCard,
    ModelClass,
    ModelFile,
    ModelRecipe,
    ModelSource,
    OutputContract,
)

SIDE, CLASSES = 4, 5
WEIGHTS = np.random.default_rng(0).normal(0, 0.1, (3, CLASSES)).astype(np.float32)


def graph():
    """A classifier whose features are the mean of each channel."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["average"]),
        helper.make_node("Flatten", ["average"], ["features"]),
        helper.make_node("MatMul", ["features", "weights"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES]),
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 3]),
    ]
    made = helper.make_graph(nodes, "small", inputs, outputs, [numpy_helper.from_array(WEIGHTS, "weights")])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def card_of(data, **changes):
    card = ModelCard(
        name="small",
        served="float32",
        input=InputContract(SIDE, SIDE, "RGB", "NCHW", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "squash", SIDE),
        output=OutputContract("logits", "features", 3),
        source=ModelSource("made for a test", "", ""),
        recipe=ModelRecipe(1, "", "", 0),
        files=(ModelFile("small.onnx", hashlib.sha256(data).hexdigest(), len(data), "float32"),),
        accuracy=(),
        classes=tuple(ModelClass(index, f"n{index}", f"class {index}") for index in range(CLASSES)),
    )
    return replace(card, **changes)


def lay_down(folder, data, card):
    (folder / "small.onnx").write_bytes(data)
    (folder / "card.json").write_text(card.to_json())
    return folder / "card.json"


@pytest.fixture
def data():
    return graph().SerializeToString()


@pytest.fixture
def card_path(tmp_path, data):
    return lay_down(tmp_path, data, card_of(data))


@pytest.fixture
def pixels():
    return np.random.default_rng(1).uniform(0, 255, (3, 3, SIDE, SIDE)).astype(np.float32)


def test_each_picture_gets_its_scores_and_features(card_path, pixels):
    answers = Classifier.load(card_path).classify(pixels)
    expected = pixels.mean(axis=(2, 3))
    np.testing.assert_allclose([answer.features for answer in answers], expected, rtol=1e-5)
    np.testing.assert_allclose([answer.scores for answer in answers], softmax(expected @ WEIGHTS), rtol=1e-4, atol=1e-6)
    assert {answer.scores.dtype for answer in answers} == {np.dtype(np.float32)}


def test_no_picture_gets_no_answer(card_path):
    assert Classifier.load(card_path).classify(np.zeros((0, 3, SIDE, SIDE), np.float32)) == []


def test_the_classifier_carries_its_card(card_path, data):
    assert Classifier.load(card_path).card == card_of(data)


def test_scores_add_up_to_one_however_large_the_logits():
    scores = softmax(np.array([[1e30, -1e30, 1e30], [-500.0, -501.0, -499.0]], np.float32))
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(scores[0], [0.5, 0, 0.5])


def test_a_damaged_file_is_refused(card_path, data):
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    (card_path.parent / "small.onnx").write_bytes(damaged)
    with pytest.raises(BadModel, match=r"small\.onnx is damaged: its sha256 is not the one on the model card"):
        Classifier.load(card_path)


def test_a_file_cut_short_is_refused_with_both_sizes(card_path, data):
    (card_path.parent / "small.onnx").write_bytes(data[:-1])
    with pytest.raises(BadModel, match=f"has {len(data) - 1:,} bytes; the model card says {len(data):,}"):
        Classifier.load(card_path)


def test_a_missing_file_is_named(card_path):
    (card_path.parent / "small.onnx").unlink()
    with pytest.raises(BadModel, match=r"small\.onnx is listed on the model card but cannot be read \(No such file"):
        Classifier.load(card_path)


def test_a_missing_card_is_named(tmp_path):
    with pytest.raises(BadModel, match=r"card\.json does not exist"):
        Classifier.load(tmp_path / "card.json")


def test_a_file_that_is_no_graph_is_refused_on_one_line(tmp_path):
    path = lay_down(tmp_path, b"no graph", card_of(b"no graph"))
    with pytest.raises(BadModel, match=r"^small\.onnx cannot be run by onnxruntime [^\n]*$"):
        Classifier.load(path)


def test_a_precision_that_the_model_lacks_is_refused(card_path):
    with pytest.raises(BadModel, match="lists no file of precision 'int8'"):
        Classifier.load(card_path, precision="int8")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (OutputContract("logits", "pooled", 3), "no input or output named pooled"),
        (OutputContract("scores", "features", 3), "no input or output named scores"),
        (
            OutputContract("logits", "features", 4),
            r"features of shape \[3\] for each picture; the model card says \[4\]",
        ),
    ],
)
def test_a_graph_with_other_outputs_than_the_card_says_is_refused(tmp_path, data, output, said):
    with pytest.raises(BadModel, match=said):
        Classifier.load(lay_down(tmp_path, data, card_of(data, output=output)))


def test_a_graph_with_more_classes_than_the_card_is_refused(tmp_path, data):
    classes = (ModelClass(0, "n0", "only one"),)
    with pytest.raises(BadModel, match=r"logits of shape \[5\] for each picture; the model card says \[1\]"):
        Classifier.load(lay_down(tmp_path, data, card_of(data, classes=classes)))


def test_a_graph_that_leaves_its_sizes_open_is_taken(tmp_path):
    model = graph()
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = "any"
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    Classifier.load(lay_down(tmp_path, data, card_of(data)))


def test_a_temperature_above_one_makes_scores_less_sure_and_keeps_their_order(tmp_path, data, card_path, pixels):
    (tmp_path / "cool").mkdir()
    as_it_is = Classifier.load(card_path).classify(pixels)
    cooler = Classifier.load(lay_down(tmp_path / "cool", data, card_of(data, temperature=2.0))).classify(pixels)
    for own, cool in zip(as_it_is, cooler, strict=True):
        assert cool.scores.max() < own.scores.max()
        assert np.array_equal(np.argsort(cool.scores), np.argsort(own.scores))
        assert cool.scores.sum() == pytest.approx(1, abs=1e-6)
