"""Anybody's ONNX classifier becomes the model that tags, and what its card gets wrong is found by trying it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.cli import main
from infra.model.foreign_card import ForeignCard
from infra.model.import_model import import_model
from infra.model.installed import promote
from pipeline.errors import CallerError
from pipeline.folder import FolderFiles
from pipeline.keywords import Vocabulary
from pipeline.memory.images import MemoryImages
from pipeline.memory.table import MemoryTable
from pipeline.messages import TagImage
from pipeline.model_version import CARD_NAME
from tagging_lambda.classification_cache import ClassificationCache
from tagging_lambda.classify import Classifier
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.picture import model_input
from tagging_lambda.model_card import InputContract, ModelCard
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tests.builders import jpeg, shop, tagger
from tests.infra.model.foreign import CLASSES, COLOURS, SIDE, card, network
from tests.results_sink.small_shop import exported


class InlineReader:
    """Reads pictures in this process, as the contract says."""

    def __init__(self, contract: InputContract) -> None:
        self.contract = contract

    def read(self, data: bytes):
        return read_picture(data, self.contract)


PHOTOS = [jpeg(colour, (48, 40)) for colour in COLOURS.values()] * 4


def brought(folder: Path, file: Path, card_path: Path, pictures=PHOTOS):
    return import_model(file, ForeignCard.load(card_path), pictures, Vocabulary.load(), folder / "model")


def answers(folder: Path) -> list[str]:
    """Return what the imported model calls a photo of each thing, two at a time as a batch."""
    classifier = Classifier.load(folder / "model" / CARD_NAME)
    contract = classifier.card.input
    pixels = model_input([read_picture(jpeg(colour), contract) for colour in COLOURS.values()], contract)
    return [classifier.card.classes[int(found.scores.argmax())].name for found in classifier.classify(pixels)]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ({}, {}),
        ({"layout": "NHWC"}, {}),
        ({"probabilities": True}, {"output__kind": "probabilities"}),
        ({"probabilities": True}, {}),
        ({"whole_numbers": True}, {"input__mean": None, "input__scale": None}),
        ({"whole_numbers": True, "layout": "NHWC"}, {"input__mean": None, "input__scale": None}),
        ({}, {"input__mean": None, "input__scale": None, "input__colour_order": None}),
    ],
    ids=["as ours", "NHWC", "probabilities", "probabilities found", "uint8", "uint8 NHWC", "range and order found"],
)
def test_whatever_a_network_takes_and_answers_it_tags(tmp_path, kind, changes):
    found = brought(tmp_path, network(tmp_path, **kind), card(tmp_path, **changes))
    assert answers(tmp_path) == list(COLOURS)
    assert ModelCard.load(tmp_path / "model" / CARD_NAME) == found.card
    assert (found.card.input.width_pixels, found.card.source.licence) == (SIDE, "CC0")


def test_what_the_last_layer_reads_comes_out_as_features(tmp_path):
    assert brought(tmp_path, network(tmp_path), card(tmp_path)).card.output.feature_count == 3


def test_classes_are_keywords_by_id_by_name_or_new_below_another(tmp_path):
    found = brought(tmp_path, network(tmp_path), card(tmp_path))
    vocabulary = Vocabulary.load()
    assert [model_class.id for model_class in found.card.classes] == ["n07639069", "n07693725", "shop-vada"]
    [vada] = found.new_words
    assert [vocabulary.nodes[parent].name() for parent in vada.parents] == ["food and drink"]


def test_what_trying_chose_is_said(tmp_path):
    changes = {"input__mean": None, "input__scale": None, "input__colour_order": None}
    found = brought(tmp_path, network(tmp_path), card(tmp_path, **changes))
    [finding] = found.findings
    assert finding.startswith("the card does not say it, so it was chosen by trying: mean [")
    assert finding.endswith("RGB")


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ({"probabilities": True}, {"output__kind": "logits"}, "kind logits, but every answer sums to 1"),
        ({}, {"output__kind": "probabilities"}, "kind probabilities, but the answers do not sum to 1"),
        ({}, {"classes": ["doughnut", "bagel"]}, "lists 2 classes, but the model answers 3 numbers"),
        ({}, {"input__scale": 1 / 2550}, "correct input.mean, input.scale or input.colour_order"),
        ({}, {"input__width_pixels": 64}, "says input.width_pixels 64, but the model takes 32"),
        ({}, {"input__layout": "NHWC"}, r"says input.layout NHWC, but the model's input has the shape"),
        ({}, {"input__name": "image"}, "has no input 'image'; it has photo"),
        ({}, {"output__name": "scores"}, "has no output 'scores'; it has answer"),
        (
            {},
            {"input__fit": "stretch"},
            "input.fit: is 'stretch'; input should be 'crop', 'subject', 'squash' or 'pad'",
        ),
        ({}, {"input__scale": "big"}, "input.scale: is 'big'; it must be a number, or three"),
        ({}, {"input__colour": "RGB"}, "input.colour is not known; known are name, .*, colour_order, "),
        ({"whole_numbers": True}, {}, "takes whole levels of 0 to 255: remove input.mean and input.scale"),
        ({"batch": 1}, {}, None),
    ],
)
def test_what_a_card_gets_wrong_is_found(tmp_path, kind, changes, message):
    if message is None:
        brought(tmp_path, network(tmp_path, **kind), card(tmp_path, **changes))
        assert answers(tmp_path) == list(COLOURS)
        return
    with pytest.raises(CallerError, match=message):
        brought(tmp_path, network(tmp_path, **kind), card(tmp_path, **changes))
    assert not (tmp_path / "model").exists()


def test_a_file_that_is_no_model_is_refused_in_one_line(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no model")
    with pytest.raises(CallerError, match=r"no\.onnx is no ONNX model") as refused:
        brought(tmp_path, tmp_path / "no.onnx", card(tmp_path))
    assert "\n" not in str(refused.value)


def test_an_imported_model_tags_and_is_searched_by_its_own_words(tmp_path, monkeypatch, capsys):
    """The whole way: import as typed, reconcile, export, search."""
    home, photos = tmp_path / "home", tmp_path / "photos"
    photos.mkdir()
    for number, data in enumerate(PHOTOS):
        (photos / f"{number}.jpg").write_bytes(data)
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(home))
    monkeypatch.setenv("TAXONOMY_OVERLAY", str(tmp_path / "overlay.csv"))
    (tmp_path / "overlay.csv").write_text("id\n")
    arguments = ["--card", str(card(tmp_path)), "--photos", str(photos)]
    assert main(["model", "import", str(network(tmp_path)), *arguments]) == 0
    assert "new words  vada" in capsys.readouterr().out
    assert main(["tag", str(photos / "2.jpg"), "--json"]) == 0
    tagged = json.loads(capsys.readouterr().out)
    assert next(found["keyword"] for found in tagged["keywords"]) == "vada"
    _export(home / "model", PHOTOS[:3], tmp_path / "export", tmp_path)
    assert main(["search", "vada", "--from", str(tmp_path / "export"), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [found["image"] for found in results] == ["s3://shop/2.jpg"]


def _export(model: Path, photos: list[bytes], place: Path, work: Path) -> None:
    """Tag the photos as the function does, and export them."""
    classifier, images = Classifier.load(model / CARD_NAME), MemoryImages()
    vocabulary = Vocabulary.load()
    for number, data in enumerate(photos):
        images.put(shop(f"{number}.jpg"), data)
    reconciler = tagger(
        images=images,
        table=MemoryTable(),
        cache=ClassificationCache(InlineReader(classifier.card.input), classifier),
        mapper=KeywordMapper.of(vocabulary, [model_class.id for model_class in classifier.card.classes]),
    )
    reconciler.reconcile([TagImage(shop(f"{number}.jpg"), "run") for number in range(len(photos))], lambda: 60.0)
    exported(FolderFiles(place), work, reconciler.table.scan(), vocabulary=vocabulary)


def test_what_a_candidate_would_change_is_seen_before_it_is_promoted(tmp_path, monkeypatch, capsys):
    """As typed: the candidate takes bagels for vadas and vadas for bagels."""
    home, photos, sheet = tmp_path / "home", tmp_path / "photos", tmp_path / "sheet.html"
    for number, data in enumerate(PHOTOS):
        folder = photos if number < 3 else tmp_path / "others"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(data)
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(home))
    monkeypatch.setenv("TAXONOMY_OVERLAY", str(tmp_path / "overlay.csv"))
    (tmp_path / "overlay.csv").write_text("id\n")
    arguments = ["--card", str(card(tmp_path)), "--photos", str(tmp_path / "others")]
    assert main(["model", "import", str(network(tmp_path)), *arguments]) == 0
    doughnut, bagel, vada = CLASSES
    swapped = ForeignCard.load(card(tmp_path, classes=[doughnut, vada, bagel]))
    import_model(network(tmp_path), swapped, PHOTOS, Vocabulary.load(), home / "models" / "other")
    capsys.readouterr()

    assert main(["model", "shadow", "other", str(photos), "--sheet", str(sheet)]) == 0
    assert capsys.readouterr().out.startswith("other: 33.3% of 3 photos would keep their keywords; nothing was written")
    assert "+vada" in sheet.read_text()
    assert main(["model", "shadow", "other", str(photos), "--json"]) == 0
    shadow = json.loads(capsys.readouterr().out)
    assert (shadow["photos"], shadow["agreeing"]) == (3, 1)
    assert {shadow[change][word] for change in ("gained", "lost") for word in ("bagel", "vada")} == {1}
    assert [Path(change["image"]).name for change in shadow["changed"]] == ["1.jpg", "2.jpg"]

    def first_keyword() -> str:
        assert main(["tag", str(photos / "2.jpg"), "--json"]) == 0
        return str(json.loads(capsys.readouterr().out)["keywords"][0]["keyword"])

    assert first_keyword() == "vada"  # the candidate was only shown
    for name, keyword in (("other", "bagel"), ("previous", "vada")):
        assert main(["model", "promote", name]) == 0
        assert "tags from now on" in capsys.readouterr().out
        assert first_keyword() == keyword


def test_promote_goes_forth_and_back(tmp_path):
    for name, changes in (("model", {}), ("models/other", {"name": "other"})):
        import_model(
            network(tmp_path), ForeignCard.load(card(tmp_path, **changes)), PHOTOS, Vocabulary.load(), tmp_path / name
        )
    assert promote("other", tmp_path, tmp_path / "model").name == "other"
    assert ModelCard.load(tmp_path / "models" / "previous" / CARD_NAME).name == "colours"
    promote("previous", tmp_path, tmp_path / "model")
    assert ModelCard.load(tmp_path / "model" / CARD_NAME).name == "colours"
    assert ModelCard.load(tmp_path / "models" / "previous" / CARD_NAME).name == "other"
    with pytest.raises(CallerError, match="no model is called 'nope'; installed: previous"):
        promote("nope", tmp_path, tmp_path / "model")
