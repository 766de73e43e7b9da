"""The models that are installed: the one that tags, and others to compare with, each by the name of its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.model_version import CARD_NAME
from tagging_lambda.classify import Classifier
from tagging_lambda.classify_once import Models, SeeingModel
from tagging_lambda.image.reader import ProcessReader
from tagging_lambda.words.keyword_mapper import KeywordMapper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.keywords import Vocabulary
    from tagging_lambda.model_card import InputContract
    from tagging_lambda.words.heads import Head

DEFAULT = "default"  # the model that tags


def installed(model_dir: Path, models_dir: Path, vocabulary: Vocabulary, heads: Sequence[Head] = ()) -> Models:
    """Return the model of the one folder as ``default``, and one for each folder with a card in the other.

    The heads speak for the models whose vectors they read.
    """
    found = sorted(card.parent for card in models_dir.glob(f"*/{CARD_NAME}")) if models_dir.is_dir() else []
    folders = {DEFAULT: model_dir, **{folder.name: folder for folder in found if folder.name != DEFAULT}}
    readers: dict[InputContract, ProcessReader] = {}

    def load(name: str) -> SeeingModel:
        classifier = Classifier.load(folders[name] / CARD_NAME)
        contract = classifier.card.input
        reader = readers.setdefault(contract, ProcessReader(contract))
        reader.start()
        mapper = KeywordMapper.of(vocabulary, [each.id for each in classifier.card.classes], heads)
        return SeeingModel(reader, classifier, mapper)

    return Models(tuple(folders), load)
