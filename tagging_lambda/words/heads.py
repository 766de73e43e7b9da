"""Heads: linear layers on feature vectors with words of their own. Plain NumPy."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from pipeline.errors import BadModel
from pipeline.keywords import Keyword, KeywordTag, Source, Use, Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.softmax import softmax
from tagging_lambda.words.head_card import HeadCard, HeadKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

WEIGHTS_NAME = "weights.npz"  # beside the card; coefficients float32 [D, words + 1] and bias float32 [words + 1]


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A head, ready to score vectors.

    Attributes:
        card: its description.
        coefficients: float32 [D, words + 1]; the last column is *other*. The temperature is folded in.
        bias: float32 [words + 1].
    """

    card: HeadCard
    coefficients: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Refuse weights that do not match the card."""
        columns = len(self.card.words) + 1
        if self.bias.shape != (columns,) or self.coefficients.shape[1:] != (columns,):
            shape = list(self.coefficients.shape)
            raise BadModel(f"the head {self.card.name} has weights of shape {shape}; its card says {columns} columns")
        if not (np.isfinite(self.coefficients).all() and np.isfinite(self.bias).all()):
            raise BadModel(f"the head {self.card.name} has weights that are no numbers; train it again")

    @classmethod
    def of(cls, card: HeadCard, coefficients: NDArray[np.float32], bias: NDArray[np.float32]) -> Self:
        """Return the head with these weights, with their hash on its card."""
        data = _weights_file(coefficients, bias)
        return cls(replace(card, weights_sha256=hashlib.sha256(data).hexdigest()), coefficients, bias)

    def scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [n, words + 1] in [0, 1] for float32 [n, D] of length 1; the last column is *other*."""
        logits = vectors @ self.coefficients + self.bias
        if self.card.kind is HeadKind.SIGMOID:
            return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float32)
        return softmax(logits)

    def save(self, folder: Path) -> None:
        """Write the head into the folder; the card last, so that a card means a complete head."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS_NAME).write_bytes(_weights_file(self.coefficients, self.bias))
        part = folder / f"{CARD_NAME}.part"
        part.write_text(self.card.to_json(), encoding="utf-8")
        part.replace(folder / CARD_NAME)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the head in the folder.

        Raises:
            BadModel: There is none, or its files are damaged or contradict each other.
        """
        card = HeadCard.load(folder / CARD_NAME)
        path = folder / WEIGHTS_NAME
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BadModel(f"{path} cannot be read ({error.strerror})") from error
        if hashlib.sha256(data).hexdigest() != card.weights_sha256:
            raise BadModel(f"{path} is damaged: its sha256 is not the one on the head's card")
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return cls(card, arrays["coefficients"], arrays["bias"])
        except (ValueError, KeyError, zipfile.BadZipFile) as error:
            raise BadModel(f"{path} does not hold a head's weights ({error})") from error


def _weights_file(coefficients: NDArray[np.float32], bias: NDArray[np.float32]) -> bytes:
    """Return the weights' file. Its bytes depend on the weights alone: NumPy's archives have no timestamps."""
    file = io.BytesIO()
    np.savez(file, coefficients=coefficients, bias=bias)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class HeadAnswer:
    """One head's answer for one photo.

    Attributes:
        tags: its sure keywords, the most specific first, with those above them; empty if none is sure.
        is_group: whether no single word is sure, but several together are.
        is_other: whether it is sure that the photo shows none of its words.
        branch: the topmost keywords above the tags; below them the head overrules the taxonomy.
    """

    tags: tuple[KeywordTag, ...]
    is_group: bool
    is_other: bool
    branch: frozenset[str]


def head_keywords(head: Head, scores: NDArray[np.float32], vocabulary: Vocabulary) -> HeadAnswer:
    """Return the head's answer for one photo.

    Args:
        head: the head.
        scores: float32 [words + 1], the photo's row of `Head.scores`.
        vocabulary: includes the head's words, see `vocabulary_with`.
    """
    card = head.card
    of_word = {word.id: float(score) for word, score in zip(card.words, scores, strict=False)}
    words = _sure_words(card, of_word)
    sure = _without_broader(words or _sure_group(card, of_word), vocabulary)
    lines = {keyword_id: vocabulary.ancestors(keyword_id) for keyword_id in sure}
    implied = _implied(sure, lines, vocabulary)
    all_scores = implied | sure
    order = sorted(all_scores, key=lambda keyword_id: (keyword_id not in sure, -all_scores[keyword_id]))
    lineage = sure.keys() | {ancestor for line in lines.values() for ancestor in line}
    return HeadAnswer(
        tags=tuple(KeywordTag(keyword_id, _rounded(all_scores[keyword_id]), Source.HEAD) for keyword_id in order),
        is_group=not words and bool(sure),
        is_other=not sure and float(scores[len(card.words)]) >= card.other_threshold,
        branch=frozenset(lineage & set(card.branch)),
    )


def _sure_words(card: HeadCard, of_word: Mapping[str, float]) -> dict[str, float]:
    """Return the sure words and their scores.

    Of exclusive words only the strongest can be given, as when thresholds were found.
    """
    strongest = max(of_word, key=of_word.__getitem__)
    candidates = [word for word in card.words if card.kind is HeadKind.SIGMOID or word.id == strongest]
    return {word.id: of_word[word.id] for word in candidates if of_word[word.id] >= word.threshold}


def _sure_group(card: HeadCard, of_word: Mapping[str, float]) -> dict[str, float]:
    """Return the narrowest sure group and its score; empty if there is none."""
    for group in card.groups:
        total = group_score(card.kind, [of_word[member] for member in group.members])
        if total >= group.threshold:
            return {group.id: total}
    return {}


def _implied(
    sure: Mapping[str, float], lines: Mapping[str, tuple[str, ...]], vocabulary: Vocabulary
) -> dict[str, float]:
    """Return the keywords above the sure ones, each with the highest score below it."""
    implied: dict[str, float] = {}
    for keyword_id, line in lines.items():
        for above in line:
            if vocabulary.nodes[above].use is Use.KEYWORD:
                implied[above] = max(implied.get(above, 0.0), sure[keyword_id])
    return implied


def group_score(kind: HeadKind, scores: Sequence[float]) -> float:
    """Return the score of a group of words: the sum if they are exclusive, else the greatest."""
    return min(1.0, sum(scores)) if kind is HeadKind.SOFTMAX else max(scores)


def _without_broader(sure: dict[str, float], vocabulary: Vocabulary) -> dict[str, float]:
    """Return the keywords that no other one implies."""
    above = {ancestor for keyword_id in sure for ancestor in vocabulary.ancestors(keyword_id)}
    return {keyword_id: score for keyword_id, score in sure.items() if keyword_id not in above}


def _rounded(score: float) -> float:
    return min(1.0, round(score, 4))


def vocabulary_with(vocabulary: Vocabulary, heads: Iterable[Head]) -> Vocabulary:
    """Return the vocabulary plus the heads' words that it lacks, each below its existing parents."""
    lacking = {
        word.id: Keyword(word.id, word.parents, Use.KEYWORD, None, word.words)
        for head in heads
        for word in (*head.card.words, *head.card.groups)
        if word.id not in vocabulary.nodes
    }
    if not lacking:
        return vocabulary
    known = vocabulary.nodes.keys() | lacking.keys()
    added = {
        keyword.id: replace(keyword, parents=tuple(parent for parent in keyword.parents if parent in known))
        for keyword in lacking.values()
    }
    return Vocabulary(dict(vocabulary.nodes) | added, vocabulary.version, vocabulary.languages)
