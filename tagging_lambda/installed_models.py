"""The installed models: the one that tags, and others to compare with, named after their folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.model_version import CARD_NAME
from tagging_lambda.classify import Classifier
from tagging_lambda.classify_route import LoadedModel, Models
from tagging_lambda.image.reader import Child, ProcessReader
from tagging_lambda.words.classes_and_heads import KeywordMapper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.keywords import Vocabulary
    from tagging_lambda.model_card import InputContract
    from tagging_lambda.words.heads import Head

DEFAULT = "default"  # the model that tags


def find_models(
    model_dir: Path, models_dir: Path, vocabulary: Vocabulary, heads: Sequence[Head] = (), child: Child | None = None
) -> Models:
    """Return the model in ``model_dir`` as ``default``, and a model for each folder with a card in ``models_dir``.

    The heads apply to the models whose vectors they can read. ``child`` becomes the reader of the first model in use.
    """
    others = sorted(card.parent for card in models_dir.glob(f"*/{CARD_NAME}")) if models_dir.is_dir() else []
    folders = {DEFAULT: model_dir, **{folder.name: folder for folder in others if folder.name != DEFAULT}}
    readers: dict[InputContract, ProcessReader] = {}

    def load(name: str) -> LoadedModel:
        # AWS Lambda has verified the package, and a fetched model was verified when it arrived.
        classifier = Classifier.load(folders[name] / CARD_NAME, is_checked=True)
        contract = classifier.card.input
        if contract not in readers:
            readers[contract] = ProcessReader(contract, child=None if readers else child)
        reader = readers[contract]
        reader.start()
        mapper = KeywordMapper.of(vocabulary, [model_class.id for model_class in classifier.card.classes], heads)
        return LoadedModel(reader, classifier, mapper)

    return Models(tuple(folders), load)
