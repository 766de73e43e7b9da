"""Imports somebody's ONNX classifier: rewrites its graph, completes its card, and finds mistakes by experiment."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from infra.model.foreign_card import CROP_MARGIN, ForeignCard, ForeignClass, OutputKind
from infra.model.foreign_graph import ForeignGraph
from infra.model.onnx_graph import FEATURES, LOGITS, PIXELS
from infra.model.whole_folder import whole_folder
from pipeline.errors import CallerError, ImageRejected
from pipeline.keywords import Keyword, Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.softmax import softmax
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.picture import Picture, model_input
from tagging_lambda.model_card import (
    InputContract,
    ModelCard,
    ModelClass,
    ModelFile,
    ModelRecipe,
    ModelSource,
    OutputContract,
)
from tagging_lambda.words.labels import own_keyword

SERVED = "imported"  # the precision of an imported file is its maker's choice
RECIPE_VERSION = 1
FEWEST_PICTURES = 8  # to tell one preprocessing from another, chosen by us
MOST_PICTURES = 24  # chosen by us: half a minute for a slow network, preprocessed in eleven ways and mirrored
# How much more often than by chance a photo and its mirror image get the same answer: this tells input ranges apart.
# EfficientNet-Lite 2 on 24 product photos: 0.212 as trained, 0.197 with red and blue swapped, 0.191 without its mean,
# 0.125 in raw levels. A constant answer has 0.
LEAST_AGREEMENT = 0.01
SUSPICIOUS_FACTOR, SUSPICIOUS_GAIN = 1.25, 0.03
_SUMS_TO_ONE = 1e-3

# The inputs of published networks, in levels of 0 to 255: mean and scale of red, green and blue.
_ZERO, _ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
_SHARE = 1 / 255
KNOWN_RANGES = (
    ((123.675, 116.28, 103.53), (1 / 58.395, 1 / 57.12, 1 / 57.375)),  # PyTorch's models on ImageNet
    ((127.0, 127.0, 127.0), (1 / 128, 1 / 128, 1 / 128)),  # EfficientNet-Lite
    ((127.5, 127.5, 127.5), (1 / 127.5, 1 / 127.5, 1 / 127.5)),  # MobileNet, Inception
    (_ZERO, (_SHARE, _SHARE, _SHARE)),
    (_ZERO, _ONE),
)


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """An imported model.

    Attributes:
        card: the completed card.
        findings: what the experiments showed, in sentences.
        new_words: keywords of the model's own, which the taxonomy lacks.
    """

    card: ModelCard
    findings: tuple[str, ...]
    new_words: tuple[Keyword, ...]


# An imported model is rewritten into our own graph, so that the functions need no adapter (DECISIONS.md, 37).
def import_model(
    path: Path, card: ForeignCard, pictures: Sequence[bytes], vocabulary: Vocabulary, folder: Path
) -> ImportedModel:
    """Write the model and its card into the folder, and return them.

    Args:
        path: the ONNX file.
        card: what its owner knows of it.
        pictures: files of photos to try it on.
        vocabulary: the taxonomy's.
        folder: the target, written whole or not at all.

    Raises:
        CallerError: the card contradicts the graph, or the model's answers contradict the card.
    """
    if len(pictures) < FEWEST_PICTURES:
        raise CallerError(f"{len(pictures)} photos are too few to try the model on; name a folder of {FEWEST_PICTURES}")
    graph = ForeignGraph.read(path, card)
    contract = _contract(card, graph)
    trial = _Trial.of(graph, contract, card, pictures)
    kind = trial.kind(card)
    contract, findings = trial.best_contract(card, kind)
    classes, new_words = _classes(card.classes, vocabulary)
    with whole_folder(folder) as making:
        file = making / f"{path.stem}.onnx"
        rewritten = graph.rewritten(
            contract.height_pixels, contract.width_pixels, len(classes), kind, card.output.features
        )
        onnx.save(rewritten, file)
        features = _check_rewritten(file, contract, len(classes))
        data = file.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        complete = ModelCard(
            name=card.name,
            served=SERVED,
            input=contract,
            output=OutputContract(LOGITS, FEATURES, features),
            source=ModelSource(card.source, f"sha256-{hashlib.sha256(path.read_bytes()).hexdigest()}", card.licence),
            recipe=ModelRecipe(RECIPE_VERSION, "not calibrated here", "", 0),
            files=(ModelFile(file.name, sha256, len(data), SERVED),),
            accuracy=(),
            classes=classes,
        )
        (making / CARD_NAME).write_text(complete.to_json(), encoding="utf-8")
    return ImportedModel(complete, findings, new_words)


def _contract(card: ForeignCard, graph: ForeignGraph) -> InputContract:
    height, width = (
        _agreed(name, own, stated)
        for name, own, stated in zip(
            ("height_pixels", "width_pixels"),
            graph.size,
            (card.input.height_pixels, card.input.width_pixels),
            strict=True,
        )
    )
    mean, scale = card.input.mean or _ZERO, card.input.scale or _ONE
    if graph.is_whole_numbers and (mean, scale) != (_ZERO, _ONE):
        raise CallerError("the model takes whole levels of 0 to 255: remove input.mean and input.scale from the card")
    return InputContract(
        width_pixels=width,
        height_pixels=height,
        colour_order=card.input.colour_order or "RGB",
        layout="NCHW",
        mean=mean,
        scale=scale,
        fit=card.input.fit,
        shorter_side_pixels=card.input.shorter_side_pixels or round(max(width, height) * CROP_MARGIN),
        name=PIXELS,
    )


def _agreed(name: str, own: int | None, stated: int | None) -> int:
    if own and stated and own != stated:
        raise CallerError(f"the card says input.{name} {stated}, but the model takes {own}")
    if not own and not stated:
        raise CallerError(f"the model takes pictures of any size: say input.{name} in the card")
    return int(own or stated or 0)


def _classes(
    classes: Sequence[ForeignClass], vocabulary: Vocabulary
) -> tuple[tuple[ModelClass, ...], tuple[Keyword, ...]]:
    """Return the classes with the ids of their keywords, and the keywords that the taxonomy lacks."""
    complete, new = [], {}
    for index, given in enumerate(classes):
        keyword_id = given.id or _keyword_named(given.name, vocabulary)
        if keyword_id is None:
            keyword = own_keyword(given.name, vocabulary, _below(given, vocabulary))
            keyword_id, new[keyword.id] = keyword.id, keyword
        complete.append(ModelClass(index, keyword_id, given.name))
    return tuple(complete), tuple(word for word in new.values() if word.id not in vocabulary.nodes)


def _keyword_named(name: str, vocabulary: Vocabulary) -> str | None:
    ids = vocabulary.spelled(name)
    return ids[0] if len(ids) == 1 else None


def _below(given: ForeignClass, vocabulary: Vocabulary) -> str | None:
    if given.below is None or given.below in vocabulary.nodes:
        return given.below
    ids = vocabulary.spelled(given.below)
    if len(ids) != 1:
        raise CallerError(f"the class {given.name!r} is said to be below {given.below!r}, which is not one keyword")
    return ids[0]


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """The original model, and pictures at its size: uint8 [H, W, 3] each, RGB."""

    session: ort.InferenceSession
    graph: ForeignGraph
    contract: InputContract
    levels: tuple[NDArray[np.uint8], ...]
    classes: int

    @classmethod
    def of(cls, graph: ForeignGraph, contract: InputContract, card: ForeignCard, pictures: Sequence[bytes]) -> _Trial:
        levels = []
        for data in pictures[:MOST_PICTURES]:
            try:
                levels.append(read_picture(data, contract).levels)
            except ImageRejected:
                continue  # an unreadable photo says nothing about the model
        if len(levels) < FEWEST_PICTURES:
            raise CallerError(
                f"{len(levels)} of the photos can be read; the fewest to try a model on is {FEWEST_PICTURES}"
            )
        session = ort.InferenceSession(graph.model.SerializeToString(), providers=["CPUExecutionProvider"])
        return cls(session, graph, contract, tuple(levels), len(card.classes))

    def answers(self, contract: InputContract, *, mirrored: bool = False) -> NDArray[np.float32]:
        """Return float32 [n, classes]: the model's raw answers to the pictures."""
        rows = []
        kind = np.uint8 if self.graph.is_whole_numbers else np.float32
        for levels in self.levels:
            shown = np.ascontiguousarray(levels[:, ::-1]) if mirrored else levels
            pixels = model_input([_as_picture(shown)], contract)
            shaped = pixels.transpose(0, 2, 3, 1) if self.graph.layout == "NHWC" else pixels
            try:
                [answer] = self.session.run([self.graph.output_name], {self.graph.input_name: shaped.astype(kind)})
            except Exception as error:
                # The runtime raises many types; whatever it is, the model cannot run as the card says.
                raise CallerError(
                    f"the model cannot be run as its card says: {' '.join(str(error).split())}"
                ) from error
            rows.append(np.asarray(answer, np.float32).reshape(-1))
        if len(rows[0]) != self.classes:
            raise CallerError(
                f"the card lists {self.classes:,} classes, but the model answers {len(rows[0]):,} numbers"
            )
        return np.stack(rows)

    def kind(self, card: ForeignCard) -> OutputKind:
        """Return the kind of the answers, by their values."""
        answers = self.answers(self.contract)
        if not np.isfinite(answers).all():
            raise CallerError("the model answers numbers that are not finite; its file, mean or scale is wrong")
        sums_to_one = bool((answers >= 0).all() and np.abs(answers.sum(axis=1) - 1).max() < _SUMS_TO_ONE)
        output = OutputKind.PROBABILITIES if sums_to_one else OutputKind.LOGITS
        if card.output.kind and card.output.kind is not output:
            proof = "every answer sums to 1" if sums_to_one else "the answers do not sum to 1"
            raise CallerError(f"the card says output.kind {card.output.kind}, but {proof}: they are {output}")
        return output

    def best_contract(self, card: ForeignCard, kind: OutputKind) -> tuple[InputContract, tuple[str, ...]]:
        """Return the contract, with the card's gaps filled by experiment, and the findings.

        Raises:
            CallerError: another preprocessing works far better than the card's.
        """
        stated = self.contract
        own = self.agreement(stated, kind)
        tried = {contract: self.agreement(contract, kind) for contract in self._alternatives(card)}
        best = max(tried, key=tried.__getitem__, default=stated)
        highest = tried.get(best, 0.0)
        if max(own, highest) < LEAST_AGREEMENT:
            raise CallerError("the model answers nearly the same to every photo; its file, layout or classes are wrong")
        is_stated = None not in (card.input.mean, card.input.scale, card.input.colour_order)
        if is_stated and highest > own * SUSPICIOUS_FACTOR + SUSPICIOUS_GAIN:
            raise CallerError(
                f"as the card shows photos, a photo and its mirror image get the same class in {own:.2f} more than by "
                f"chance, and in {highest:.2f} with {_described(best)}: correct input.mean, input.scale or "
                "input.colour_order"
            )
        chosen = best if not is_stated and highest > own else stated
        if not is_stated and not self.graph.is_whole_numbers:
            return chosen, (f"the card does not say it, so it was chosen by trying: {_described(chosen)}",)
        return chosen, ()

    def agreement(self, contract: InputContract, kind: OutputKind) -> float:
        """Return how much more often than by chance a photo and its mirror image get the same class, in [0, 1]."""
        first, second = (_shares(self.answers(contract, mirrored=mirrored), kind) for mirrored in (False, True))
        return float((first * second).sum(axis=1).mean() - (first.mean(axis=0) * second.mean(axis=0)).sum())

    def _alternatives(self, card: ForeignCard) -> list[InputContract]:
        """Return alternative contracts: those the card leaves open, or if it is complete, likely confusions."""
        ranges = ((_ZERO, _ONE),) if self.graph.is_whole_numbers else KNOWN_RANGES
        says_range = card.input.mean is not None and card.input.scale is not None
        orders = (card.input.colour_order,) if card.input.colour_order and not says_range else ("RGB", "BGR")
        if says_range and not card.input.colour_order:
            ranges = ((self.contract.mean, self.contract.scale),)
        contracts = [
            replace(self.contract, mean=mean, scale=scale, colour_order=str(order))
            for mean, scale in ranges
            for order in orders
        ]
        return [contract for contract in contracts if contract != self.contract]


def _as_picture(levels: NDArray[np.uint8]) -> Picture:
    return Picture(levels, levels.shape[1], levels.shape[0], low_information=False)


def _shares(answers: NDArray[np.float32], kind: OutputKind) -> NDArray[np.float64]:
    """Return float64 [n, classes], each row summing to 1."""
    return (answers if kind is OutputKind.PROBABILITIES else softmax(answers)).astype(np.float64)


def _described(contract: InputContract) -> str:
    mean, scale = ([round(value, 4) for value in values] for values in (contract.mean, contract.scale))
    return f"mean {mean}, scale {scale}, {contract.colour_order}"


def _check_rewritten(file: Path, contract: InputContract, classes: int) -> int:
    """Return the rewritten graph's number of features, after running it on two pictures at once.

    Raises:
        CallerError: it cannot take two pictures, or does not return a number for each class.
    """
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    pixels = np.zeros((2, 3, contract.height_pixels, contract.width_pixels), np.float32)
    try:
        logits, features = session.run([LOGITS, FEATURES], {PIXELS: pixels})
    except Exception as error:
        # As above: whatever the runtime raises, the graph cannot take several pictures.
        reason = " ".join(str(error).split())[:200]
        raise CallerError(
            f"the model takes one picture at a time; export it with a dynamic batch ({reason})"
        ) from error
    if logits.shape != (2, classes):
        raise CallerError(f"the model answers {list(logits.shape)} for two pictures; {[2, classes]} was expected")
    return int(features.shape[1])
