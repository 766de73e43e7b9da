"""The head card: a head's words, its vector space, its measured accuracy, and its training sources."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pipeline.errors import BadModel
from pipeline.model_version import VERSION_LENGTH
from tagging_lambda.words.share import Share

FORMAT = 1  # increment with every change that an older reader would misread
NEVER = 2.0  # a threshold that no score reaches: the word counts in sums but is never given


class HeadKind(StrEnum):
    """How the logits of a head become scores."""

    SOFTMAX = "softmax"  # at most one word a photo: the scores and *other* sum to 1
    SIGMOID = "sigmoid"  # any number of words a photo: scores are independent


@dataclass(frozen=True, slots=True)
class HeadWord:
    """One keyword that a head can give.

    Attributes:
        id: the keyword's id, from the taxonomy or the shop's own.
        parents: the ids of the keywords directly above it.
        words: names by language; a language may be missing.
        threshold: the least score to give the keyword; `NEVER` if no score is right often enough.
        precision: held-out photos on which the keyword was right, of those that got it.
        recall: held-out photos that got it, of those that show it.
        examples: photos the head learned the keyword from.
        members: if the keyword is a group, the words of this head whose scores it sums: those below it, and itself
            if it is a word as well; else empty.
    """

    id: str
    parents: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]]
    threshold: float
    precision: Share
    recall: Share
    examples: int
    members: tuple[str, ...] = ()

    @property
    def is_said(self) -> bool:
        """Whether any score is enough to give the keyword."""
        return self.threshold <= 1

    @property
    def name(self) -> str:
        """The first English name, or else the id."""
        return next(iter(self.words.get("en", ())), self.id)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Return the word that `asdict` wrote."""
        return cls(
            id=str(document["id"]),
            parents=tuple(document["parents"]),
            words={language: tuple(words) for language, words in document["words"].items()},
            threshold=float(document["threshold"]),
            precision=Share(**document["precision"]),
            recall=Share(**document["recall"]),
            examples=int(document["examples"]),
            members=tuple(document["members"]),
        )


@dataclass(frozen=True, slots=True)
class TrainingSource:
    """One set of labelled photos that a head learned from.

    Attributes:
        name: what people call it.
        sha256: the hash of its file names and labels.
        photos: the number of photos.
        licence: of the photos; empty for the shop's own.
        attribution: whom to credit.
    """

    name: str
    sha256: str
    photos: int
    licence: str = ""
    attribution: str = ""


@dataclass(frozen=True, slots=True)
class HeadCard:
    """The facts about one head.

    Attributes:
        name: what people call it.
        space: the space of the vectors it reads.
        kind: how its logits become scores.
        branch: ids of the topmost keywords of its domain; empty for words outside any department.
        words: in the order of the weights' columns.
        groups: keywords that fit several of the words, given if no single word is sure.
        other_threshold: the least score of *other* for a photo with none of the words.
        wanted_precision: the thresholds' target.
        training: the sources it learned from.
        weights_sha256: the hash of the weights' file.
    """

    name: str
    space: str
    kind: HeadKind
    branch: tuple[str, ...]
    words: tuple[HeadWord, ...]
    groups: tuple[HeadWord, ...]
    other_threshold: float
    wanted_precision: float
    training: tuple[TrainingSource, ...]
    weights_sha256: str
    format: int = FORMAT

    def __post_init__(self) -> None:
        """Refuse a card that contradicts itself."""
        if self.format != FORMAT:
            raise BadModel(
                f"the card of the head {self.name} has the format {self.format}; this program reads {FORMAT}"
            )
        if not self.words:
            raise BadModel(f"the card of the head {self.name} has no words")
        columns = {word.id for word in self.words}
        if len(columns) != len(self.words):
            raise BadModel(f"the card of the head {self.name} has a word twice")
        missing = {member for group in self.groups for member in group.members} - columns
        if missing:
            raise BadModel(
                f"the card of the head {self.name} has groups of words it lacks: {', '.join(sorted(missing))}"
            )

    @property
    def version(self) -> str:
        """The version of the head: the first hexadecimal digits of the card's SHA-256."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:VERSION_LENGTH]

    @property
    def said(self) -> tuple[HeadWord, ...]:
        """The words that the head can give."""
        return tuple(word for word in self.words if word.is_said)

    @property
    def left_out(self) -> tuple[HeadWord, ...]:
        """The words never given, as no score is right often enough."""
        return tuple(word for word in self.words if not word.is_said)

    def to_json(self) -> str:
        """Return the card as the text of its file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the card at `path`.

        Raises:
            BadModel: There is none, or it is invalid.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                name=document["name"],
                space=document["space"],
                kind=HeadKind(document["kind"]),
                branch=tuple(document["branch"]),
                words=tuple(HeadWord.read(word) for word in document["words"]),
                groups=tuple(HeadWord.read(group) for group in document["groups"]),
                other_threshold=float(document["other_threshold"]),
                wanted_precision=float(document["wanted_precision"]),
                training=tuple(TrainingSource(**source) for source in document["training"]),
                weights_sha256=document["weights_sha256"],
                format=document["format"],
            )
        except FileNotFoundError as error:
            raise BadModel(f"{path} does not exist; a head is a folder with card.json and weights.npz") from error
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadModel(f"{path} is not a head card ({type(error).__name__}: {error})") from error
