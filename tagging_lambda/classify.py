"""From pixels to class scores: checks and runs the model's file. While tagging, only this module uses onnxruntime."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import onnxruntime as ort

from pipeline.errors import BadModel
from pipeline.softmax import softmax
from tagging_lambda.model_card import ModelCard, ModelFile
from tagging_lambda.words.projection import Projection, projection_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.vectors import FeatureVector


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """What the model answers for one picture.

    Attributes:
        scores: float32 [classes], each in [0, 1], summing to 1.
        features: float32 [features], the input of the last layer: any range, without individual meaning.
        vector: what a record keeps of the features; None if the model has no projection.
    """

    scores: NDArray[np.float32]
    features: NDArray[np.float32]
    vector: FeatureVector | None = None


class Classifier:
    """A loaded model that was checked against its card."""

    def __init__(self, card: ModelCard, session: ort.InferenceSession, projection: Projection | None = None) -> None:
        """Classify with `session`, which runs one of the files of `card`."""
        self.card = card
        self.projection = projection
        self._session = session
        self._temperature = np.float32(card.temperature)

    @classmethod
    def load(cls, card_path: Path, threads: int = 1, precision: str | None = None, *, is_checked: bool = False) -> Self:
        """Return the classifier whose card lies at `card_path`, with its files beside it.

        Args:
            card_path: The card's file.
            threads: How many threads compute one batch; 0 is one for each core. One Lambda function has one core.
            precision: Which of the card's files to run; None is the served one.
            is_checked: Whether the file's hash was already compared with the card's.

        Raises:
            BadModel: A file is missing, damaged, or not what the card says.
        """
        card = ModelCard.load(card_path)
        file = card.file(precision or card.served)
        path = card_path.parent / file.name
        if not is_checked:
            _verify(path, file)
        try:
            # The ONNX file itself is loaded: an optimized one is bound to a processor (DECISIONS.md, 5).
            session = ort.InferenceSession(path, _options(threads), providers=["CPUExecutionProvider"])
        except Exception as error:
            # onnxruntime raises exceptions of its own that are not part of its interface; the file matches the card.
            raise BadModel(f"{file.name} cannot be run by onnxruntime {ort.__version__}: {_line(error)}") from error
        _check(card, file, session)
        return cls(card, session, projection_for(card))

    def classify(self, pixels: NDArray[np.float32]) -> list[Classification]:
        """Return an answer for each picture.

        Args:
            pixels: float32 [N, 3, H, W] as the card's input contract says; N may be 0.
        """
        if not len(pixels):
            return []
        output = self.card.output
        logits, features = self._session.run([output.logits, output.features], {self.card.input.name: pixels})
        return [
            Classification(scores, own, self.projection.vector(own) if self.projection else None)
            for scores, own in zip(softmax(logits / self._temperature), features, strict=True)
        ]


def _verify(path: Path, file: ModelFile) -> None:
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise BadModel(f"{path} is listed on the model card but cannot be read ({error.strerror})") from error
    if size_bytes != file.size_bytes:
        raise BadModel(f"{path} has {size_bytes:,} bytes; the model card says {file.size_bytes:,}")
    if sha256 != file.sha256:
        raise BadModel(f"{path} is damaged: its sha256 is not the one on the model card")


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Waiting threads must not burn the core that decodes the next picture.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _check(card: ModelCard, file: ModelFile, session: ort.InferenceSession) -> None:
    """Refuse a graph whose inputs and outputs are not those on the card."""
    shapes = {node.name: node.shape for node in (*session.get_inputs(), *session.get_outputs())}
    contract = card.input
    promised = {
        contract.name: [3, contract.height_pixels, contract.width_pixels],
        card.output.logits: [len(card.classes)],
        card.output.features: [card.output.feature_count],
    }
    for name, shape in promised.items():
        if name not in shapes:
            raise BadModel(f"{file.name} has no input or output named {name}, which the model card names")
        actual = shapes[name][1:]
        if not _fits(actual, shape):
            raise BadModel(f"{file.name} has {name} of shape {actual} for each picture; the model card says {shape}")


def _fits(shape: Sequence[int | str | None], promised: Sequence[int]) -> bool:
    """Return whether a graph's shape, in which a name or None stands for any number, can be the promised one."""
    if len(shape) != len(promised):
        return False
    return all(not isinstance(own, int) or own == other for own, other in zip(shape, promised, strict=True))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
