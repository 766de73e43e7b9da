"""Estimates how many more examples a word needs, from the errors with half of the examples and with all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tagging_lambda.words.train import TrainedHead, held_out_logits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


# Errors fall about as examples ** -rate. The rate is measured over all words, and clipped to what linear models show:
# one word alone is too noisy, and a rate near 0 would promise success after millions of photos.
LOWEST_RATE, HIGHEST_RATE = 0.4, 1.0
ENOUGH_TO_TELL = 10  # examples of a word, chosen by us: with fewer, its own errors say nothing
USUAL = 20  # examples, chosen by us: about so many suffice for most words of the shops tried
WORTHWHILE = 20  # times as many examples, chosen by us: beyond it, more photos are no useful advice


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice on a word that is left out.

    Attributes:
        keyword_id: the word's id.
        examples: photos it has.
        more: further photos that it likely needs, rounded up; None if more will hardly help.
        taken_for: the word most often given instead; None if there is none, or it is *other*.
    """

    keyword_id: str
    examples: int
    more: int | None
    taken_for: str | None


def advise(trained: TrainedHead) -> tuple[Advice, ...]:
    """Return advice for each word that the head never gives, those with the most examples first."""
    card = trained.head.card
    columns = [column for column, word in enumerate(card.words) if not word.is_said]
    if not columns:
        return ()
    if all(card.words[column].examples < ENOUGH_TO_TELL for column in columns):
        return _sorted(_few(trained, column) for column in columns)
    targets, folds = trained.problem.targets, trained.held_out.folds
    half = held_out_logits(trained.problem, folds, _every_second(targets))
    all_errors, half_errors = _surest_errors(trained.held_out.scores, targets), _surest_errors(half, targets)
    rate = float(np.log2(max(half_errors.mean(), 1e-6) / max(all_errors.mean(), 1e-6)))
    rate = min(HIGHEST_RATE, max(LOWEST_RATE, rate))
    advice = []
    for column in columns:
        word = card.words[column]
        if word.examples < ENOUGH_TO_TELL:
            advice.append(_few(trained, column))
            continue
        factor = max(1.5, (all_errors[column] / max(1 - card.wanted_precision, 0.01)) ** (1 / rate))
        more = _rounded_up(word.examples * (factor - 1)) if factor <= WORTHWHILE else None
        advice.append(Advice(word.id, word.examples, more, _taken_for(trained, column)))
    return _sorted(advice)


def _few(trained: TrainedHead, column: int) -> Advice:
    word = trained.head.card.words[column]
    return Advice(word.id, word.examples, USUAL - word.examples, _taken_for(trained, column))


def _sorted(advice: Iterable[Advice]) -> tuple[Advice, ...]:
    return tuple(sorted(advice, key=lambda item: (-item.examples, item.keyword_id)))


def _every_second(targets: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return bool [n]: every second photo of each column, in the order given."""
    kept = np.zeros(len(targets), bool)
    for column in range(targets.shape[1]):
        kept[np.flatnonzero(targets[:, column])[::2]] = True
    return kept


def _surest_errors(scores: NDArray[np.float32], targets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return float [words]: how often a word is wrong on its surest photos, half as many as show it.

    Half a wrong photo is added: no error among three photos proves little.
    """
    errors = []
    for column in range(targets.shape[1] - 1):
        count = max(1, int(targets[:, column].sum()) // 2)
        surest = np.argsort(-scores[:, column], kind="stable")[:count]
        errors.append((float((~targets[surest, column]).sum()) + 0.5) / (count + 1))
    return np.array(errors)


def _taken_for(trained: TrainedHead, column: int) -> str | None:
    own = trained.problem.targets[:, column]
    others = np.where(trained.problem.targets[own], -1, trained.held_out.scores[own])
    votes = np.bincount(others.argmax(axis=1), minlength=others.shape[1])
    best = int(votes.argmax())
    return trained.problem.words[best] if best < len(trained.problem.words) else None


def _rounded_up(count: float) -> int:
    """Return the count rounded up to 5, 10, 20, ... as it is only an estimate."""
    step = 5 if count <= 50 else 10 ** (len(str(int(count))) - 1)  # noqa: PLR2004 - as said above
    return max(step, int(-(-count // step) * step))
