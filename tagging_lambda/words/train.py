"""Trains a head: logistic regression on whitened vectors, thresholds by cross-validation. scikit-learn's only door."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from threadpoolctl import threadpool_limits

from pipeline.keywords import LANGUAGES, Use, Vocabulary
from tagging_lambda.words.head_card import NEVER, HeadCard, HeadKind, HeadWord, TrainingSource
from tagging_lambda.words.head_thresholds import STEPS, Group, Said, Truth, find_thresholds
from tagging_lambda.words.heads import Head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


FOLDS = 5
# Inverse regularisation strengths, chosen by the log loss of held-out photos: on whitened vectors the best lay between
# these for every data set tried. With few photos a word, the log loss is too noisy to choose by, and the strongest
# was best: on ten photos of ten garments 0.801, and 0.792, 0.779, 0.769 for the others.
STRENGTHS = (0.002, 0.005, 0.02, 0.08)
FEW = 20  # photos a word, on average, up to which the strongest is used
MANY = 1000  # photos from which one held-out fold tells strengths apart; with fewer, all folds are used
# Shrinkage of the covariance within kinds towards a sphere. Whitening by it lifted ten photos a word from 0.763 to
# 0.794 on ten garments, and 993 packshots of 30 kinds from 0.825 to 0.841; 0.2 and 0.3 do nearly the same.
SHRINKAGE = 0.1
TEMPERATURES = np.geomspace(0.05, 3, 61)  # strongly regularised logits are small, and must be scaled up
DOUBTFUL = 0.2  # the score below which a photo's own label is unlikely, chosen by us
MOST_OTHER = 1500  # photos of *other* beside the examples, chosen by us: 4,000 take three times as long
# The more *other* beside few examples, the worse they are told apart: 0.801 on ten photos of ten garments with 1,400
# of it and 0.810 with none. Chosen by us: enough of it that a head is silent on other things.
FEWEST_OTHER, OTHER_PER_EXAMPLE = 300, 3
OTHER_PRECISION = 0.9  # of deciding that a photo shows none of the words, chosen by us: it only keeps the head silent
OTHER_LEAST = 0.5
# Exponent of a class's rarity in the weight of its examples. The starter head, held out: 0.4 names 0.936 of goods and
# puts a wrong word on 0.075 of clothing and 0.099 of packshots; 0.3 does 0.929, 0.078 and 0.105.
RARITY = 0.4
_ITERATIONS = 300
_TOLERANCE = 1e-3
_NEXT_TO_CERTAIN = 1e-6  # probabilities are clipped by this before the log loss


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Photos to learn from.

    Attributes:
        vectors: float32 [n, D] of length 1.
        labels: the ids of the keywords on each photo; none for *other*.
        groups: each photo's contributor or product: photos of one group resemble each other, so a head is never
            judged on a group that it learned from.
    """

    vectors: NDArray[np.float32]
    labels: tuple[frozenset[str], ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def __add__(self, more: Examples) -> Examples:
        if not len(more):
            return self
        vectors = np.concatenate([self.vectors, more.vectors]) if len(self) else more.vectors
        return Examples(vectors, self.labels + more.labels, self.groups + more.groups)

    def rows(self, chosen: NDArray[np.intp]) -> Examples:
        """Return the same for some of the photos."""
        labels, groups = (tuple(values[row] for row in chosen) for values in (self.labels, self.groups))
        return Examples(self.vectors[chosen], labels, groups)


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Vectors of things that a head does not name: examples of *other*, and of variation within one kind.

    Attributes:
        vectors: float32 [m, D].
        kinds: what each shows: a keyword's id, or else any text.
    """

    vectors: NDArray[np.float32]
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.kinds)

    @classmethod
    def none(cls) -> Background:
        """Return an empty background."""
        return cls(np.zeros((0, 0), np.float32), ())

    def outside(self, words: Sequence[str], vocabulary: Vocabulary, most: int) -> Examples:
        """Return at most `most` that show none of these words, nor those above or below them, as *other*."""
        lineage = set(words).union(
            *(
                (*vocabulary.ancestors(word), *vocabulary.descendants(word))
                for word in words
                if word in vocabulary.nodes
            )
        )
        chosen = np.array([row for row, kind in enumerate(self.kinds) if kind not in lineage], np.intp)
        chosen = chosen[:: len(chosen) // most + 1]  # evenly over kinds: rows of one kind are adjacent
        groups = tuple(f"background {row}" for row in chosen)
        return Examples(self.vectors[chosen], (frozenset(),) * len(chosen), groups)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How to train a head.

    Attributes:
        name: the head's name.
        space: the vectors' space.
        sources: the examples' sources, for the card.
        precision: the target of each word's threshold.
        seed: selects the folds.
    """

    name: str
    space: str
    sources: tuple[TrainingSource, ...] = ()
    precision: float = 0.95
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutLogits:
    """Logits of photos by heads trained without them.

    Attributes:
        examples: the photos, *other* included.
        logits: float32 [n, words + 1].
        folds: int [n]: the fold of each photo.
    """

    examples: Examples
    logits: NDArray[np.float32]
    folds: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """How a head does on held-out photos: each fifth is judged by heads trained on the others.

    Attributes:
        examples: the photos, *other* included.
        scores: float32 [n, words + 1], by heads trained without the photo.
        said: the keywords of each, by thresholds found on other photos.
        truth: people's labels.
        columns: the ids of the words, then of the groups.
        folds: int [n]: the fold of each photo.
    """

    examples: Examples
    scores: NDArray[np.float32]
    said: Said
    truth: Truth
    columns: tuple[str, ...]
    folds: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class TrainedHead:
    """A head, its held-out results, and its training problem."""

    head: Head
    held_out: HeldOut
    problem: Problem


# One method for every number of photos, from three a word on (DECISIONS.md, 35).
def train_head(
    examples: Examples, plan: TrainingPlan, vocabulary: Vocabulary, background: Background | None = None
) -> TrainedHead:
    """Return the head trained on the examples, with thresholds from grouped cross-validation.

    The same examples and seed give the same bytes.

    Args:
        examples: every word has at least two groups of photos; words in the vocabulary sum up its tree.
        plan: the head's name and target precision.
        vocabulary: has the words.
        background: further *other*, except photos of the words.
    """
    background = background or Background.none()
    with threadpool_limits(1):  # sums in another order would give another head
        problem = Problem.of(examples, vocabulary, background)
        folds = folds_of(problem.examples, plan.seed)
        problem = replace(problem, strength=_best_strength(problem, folds))
        logits = held_out_logits(problem, folds, np.ones(len(problem.examples), bool))
        return judged_head(problem, HeldOutLogits(problem.examples, logits, folds), plan, vocabulary)


def judged_head(problem: Problem, held_out: HeldOutLogits, plan: TrainingPlan, vocabulary: Vocabulary) -> TrainedHead:
    """Return the head trained on the whole problem, with temperature and thresholds from held-out logits."""
    kind, groups = problem.kind, groups_of(problem.words, vocabulary)
    targets = targets_of(held_out.examples, problem.words)
    temperature = _best_temperature(held_out.logits, targets, kind)
    scores = _scores(held_out.logits / temperature, kind)
    columns = (*problem.words, *(group.id for group in groups))
    truth = Truth.of(held_out.examples.labels, problem.words, vocabulary, groups)
    keywords = np.zeros(truth.right.shape, bool)
    for fold in np.unique(held_out.folds):  # by thresholds found on the other folds
        own = held_out.folds == fold
        thresholds = find_thresholds(scores[~own], truth.rows(~own), groups, kind, plan.precision)
        keywords[own] = Said.of(scores[own], thresholds, groups, kind).keywords
    judged = HeldOut(held_out.examples, scores, Said(keywords), truth, columns, held_out.folds)
    linear = problem.fit(np.arange(len(problem.examples))).over(temperature)
    card = _card(problem, plan, vocabulary, groups, judged)
    return TrainedHead(Head.of(card, linear.coefficients, linear.bias), judged, problem)


def cross_validated_scores(
    examples: Examples, words: Sequence[str], seed: int = 0, background: Background | None = None
) -> NDArray[np.float32]:
    """Return float32 [n, words + 1]: each photo's scores by heads trained on other groups, *other* last.

    The background only shows how photos of one thing vary, which a few photos cannot.

    Photos that contradict their label are then left out of training, and all are judged again: a wrong label must not
    vouch for the next one.
    """
    with threadpool_limits(1):
        problem = Problem(
            examples, tuple(words), _kind(examples), _Whitening.of(examples, background or Background.none())
        )
        folds = folds_of(examples, seed)
        problem = replace(problem, strength=_best_strength(problem, folds))
        everyone = np.ones(len(examples), bool)
        first = _cross_validated(problem, folds, everyone)
        return _cross_validated(problem, folds, ~contradicted(first, problem.targets))


def contradicted(scores: NDArray[np.float32], targets: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return bool [n]: the photos whose own label is unlikely while another is likely."""
    own = np.where(targets, scores, -1).max(axis=1)
    best_other = np.where(targets, -1, scores).max(axis=1)
    return np.asarray((own < DOUBTFUL) & (best_other > 1 - DOUBTFUL - own))


def _cross_validated(problem: Problem, folds: NDArray[np.intp], trusted: NDArray[np.bool_]) -> NDArray[np.float32]:
    logits = held_out_logits(problem, folds, trusted)
    return _scores(logits / _best_temperature(logits[trusted], problem.targets[trusted], problem.kind), problem.kind)


def _kind(examples: Examples) -> HeadKind:
    return HeadKind.SIGMOID if any(len(label) > 1 for label in examples.labels) else HeadKind.SOFTMAX


# A word above others is a group as well (DECISIONS.md, 135).
def groups_of(words: Sequence[str], vocabulary: Vocabulary) -> tuple[Group, ...]:
    """Return the keywords above two or more words, and words with others below them, those with the fewest words first.

    *Top* is such a word: a photo of a T-shirt or a long-sleeved shirt surely shows a top. A keyword with none above
    it is a whole department: *clothing* for a dress is right but useless, and would keep another head from saying more.
    """
    members: dict[str, list[int]] = {}
    for column, word in enumerate(words):
        for keyword_id in _line(word, vocabulary):
            if keyword_id in words or _is_narrow(keyword_id, vocabulary):
                members.setdefault(keyword_id, []).append(column)
    groups = (Group(keyword_id, tuple(columns)) for keyword_id, columns in members.items() if len(columns) > 1)
    return tuple(sorted(groups, key=lambda group: (len(group.members), group.id)))


def _is_narrow(keyword_id: str, vocabulary: Vocabulary) -> bool:
    uses = [vocabulary.nodes[node].use for node in (keyword_id, *vocabulary.ancestors(keyword_id))]
    return uses[0] is Use.KEYWORD and Use.KEYWORD in uses[1:]


@dataclass(frozen=True, slots=True, eq=False)
class _Linear:
    """Weights on vectors: float32 [D, columns] and [columns]."""

    coefficients: NDArray[np.float32]
    bias: NDArray[np.float32]

    def over(self, temperature: float) -> _Linear:
        return _Linear(np.float32(1 / temperature) * self.coefficients, np.float32(1 / temperature) * self.bias)

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(vectors @ self.coefficients + self.bias, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Whitening:
    """A map after which photos of one kind vary equally in all directions: mean [D] and matrix [D, D], float64."""

    mean: NDArray[np.float64]
    matrix: NDArray[np.float64]

    @classmethod
    def of(cls, examples: Examples, background: Background) -> _Whitening:
        kinds = [*("|".join(sorted(label)) for label in examples.labels), *background.kinds]
        vectors = np.concatenate([examples.vectors, background.vectors]) if len(background) else examples.vectors
        _, kind_of_row = np.unique(np.array(kinds), return_inverse=True)
        counts = np.bincount(kind_of_row)
        sorted_rows = np.argsort(kind_of_row, kind="stable")
        sums = np.add.reduceat(vectors[sorted_rows], np.cumsum(counts) - counts, axis=0)
        residuals = vectors - (sums / counts[:, None])[kind_of_row]
        covariance = residuals.T @ residuals / max(1, len(vectors) - len(counts))
        size = len(covariance)
        sphere = max(float(np.trace(covariance)) / size, _NEXT_TO_CERTAIN)
        covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * sphere * np.eye(size)
        values, directions = np.linalg.eigh(covariance)
        return cls(vectors.mean(axis=0, dtype=np.float64), directions / np.sqrt(values) @ directions.T)

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((vectors - self.mean) @ self.matrix, np.float32)

    def undo(self, coefficients: NDArray[np.float64], bias: NDArray[np.float64]) -> _Linear:
        """Return weights on plain vectors, for weights on whitened ones."""
        own = self.matrix @ coefficients.astype(np.float64)
        return _Linear(own.astype(np.float32), (bias - self.mean @ own).astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A training problem: examples of words, and *other* as the last column."""

    examples: Examples
    words: tuple[str, ...]
    kind: HeadKind
    whitening: _Whitening
    strength: float = STRENGTHS[1]
    targets: NDArray[np.bool_] = field(init=False)
    whitened: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", targets_of(self.examples, self.words))
        object.__setattr__(self, "whitened", self.whitening.apply(self.examples.vectors))

    @classmethod
    def of(cls, examples: Examples, vocabulary: Vocabulary, background: Background, strength: float = 0.0) -> Problem:
        """Return the problem of these examples, with *other* from the background."""
        words = tuple(sorted(frozenset().union(*examples.labels)))
        most_other = min(MOST_OTHER, max(FEWEST_OTHER, OTHER_PER_EXAMPLE * len(examples)))
        everything = examples + background.outside(words, vocabulary, most_other) if len(background) else examples
        whitening = _Whitening.of(examples, background)
        return cls(everything, words, _kind(examples), whitening, strength or STRENGTHS[1])

    def fit(self, rows: NDArray[np.intp]) -> _Linear:
        """Return the weights fitted to these rows; a column without an example is never likely."""
        fit = _fit_softmax if self.kind is HeadKind.SOFTMAX else _fit_sigmoids
        return self.whitening.undo(*fit(self.whitened[rows], self.targets[rows], self.strength))


def targets_of(examples: Examples, words: Sequence[str]) -> NDArray[np.bool_]:
    """Return bool [n, words + 1]: each photo's labels, *other* last."""
    columns = {word: column for column, word in enumerate(words)}
    targets = np.zeros((len(examples), len(words) + 1), bool)
    for row, label in enumerate(examples.labels):
        targets[row, [columns[word] for word in label] or [-1]] = True
    return targets


def _fit_softmax(
    vectors: NDArray[np.float32], targets: NDArray[np.bool_], strength: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients float64 [D, columns] and bias [columns] of exclusive columns."""
    classes = targets.argmax(axis=1)
    present = np.unique(classes)
    coefficients = np.zeros((vectors.shape[1], targets.shape[1]))
    bias = np.full(targets.shape[1], np.log(_NEXT_TO_CERTAIN))
    if len(present) == 1:
        bias[present] = 0.0
        return coefficients, bias
    fitted = _logistic(strength).fit(vectors, classes, _weights(classes))
    if len(present) == 2:  # noqa: PLR2004 - for two classes scikit-learn keeps only the difference
        coefficients[:, present[1]], bias[present] = fitted.coef_[0], (0.0, fitted.intercept_[0])
    else:
        coefficients[:, present], bias[present] = fitted.coef_.T, fitted.intercept_
    return coefficients, bias


def _fit_sigmoids(
    vectors: NDArray[np.float32], targets: NDArray[np.bool_], strength: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients float64 [D, columns] and bias [columns] of independent columns."""
    coefficients = np.zeros((vectors.shape[1], targets.shape[1]))
    bias = np.full(targets.shape[1], np.log(_NEXT_TO_CERTAIN))
    for column in range(targets.shape[1]):
        classes = targets[:, column].astype(int)
        if 0 < classes.sum() < len(classes):
            fitted = _logistic(strength).fit(vectors, classes, _weights(classes))
            coefficients[:, column], bias[column] = fitted.coef_[0], fitted.intercept_[0]
    return coefficients, bias


def _logistic(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=_ITERATIONS, tol=_TOLERANCE)


def _weights(classes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return a weight for each example: the rarer its class, the higher.

    Without weights, words with few examples are hardly ever given; with the full inverse, too often.
    """
    counts = np.bincount(classes)
    fair = len(classes) / np.count_nonzero(counts)
    return np.asarray((fair / counts[classes]) ** RARITY)


def folds_of(examples: Examples, seed: int) -> NDArray[np.intp]:
    """Return int [n]: the fold of each photo. A group is in one fold; words are spread as evenly as that allows."""
    counts = Counter(word for label in examples.labels for word in label)
    rarest = [min(label, key=lambda word: (counts[word], word), default="") for label in examples.labels]
    groups = np.unique(np.array(examples.groups), return_inverse=True)[1]
    count = min(FOLDS, len(set(examples.groups)))
    alone = len(set(examples.groups)) == len(examples)
    splitter = StratifiedKFold if alone else StratifiedGroupKFold
    folds = np.zeros(len(examples), np.intp)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some folds lack a word with fewer photos than folds
        parts = splitter(count, shuffle=True, random_state=seed).split(examples.vectors, rarest, groups)
        for fold, (_, held_out) in enumerate(parts):
            folds[held_out] = fold
    return folds


def _best_strength(problem: Problem, folds: NDArray[np.intp]) -> float:
    """Return the strength with the least error on held-out photos of words; photos of *other* do not count."""
    if problem.targets[:, :-1].sum() <= FEW * len(problem.words):
        return STRENGTHS[0]
    chosen = np.unique(folds) if len(problem.examples) < MANY else np.unique(folds)[:1]
    errors = dict.fromkeys(STRENGTHS, 0.0)
    for fold in chosen:
        learned = np.flatnonzero(folds != fold)
        judged = np.flatnonzero((folds == fold) & problem.targets[:, :-1].any(axis=1))
        for strength in STRENGTHS if len(judged) else ():
            logits = replace(problem, strength=strength).fit(learned).logits(problem.examples.vectors[judged])
            targets = problem.targets[judged]
            errors[strength] += min(_error(logits / t, targets, problem.kind) for t in TEMPERATURES[::4])
    return min(errors, key=errors.__getitem__)


def held_out_logits(problem: Problem, folds: NDArray[np.intp], trusted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return float32 [n, columns]: each photo's logits by a head trained on the other folds' trusted photos."""
    logits = np.zeros(problem.targets.shape, np.float32)
    for fold in np.unique(folds):
        judged = folds == fold
        logits[judged] = problem.fit(np.flatnonzero(~judged & trusted)).logits(problem.examples.vectors[judged])
    return logits


def _best_temperature(logits: NDArray[np.float32], targets: NDArray[np.bool_], kind: HeadKind) -> float:
    errors = {float(t): _error(logits / t, targets, kind) for t in TEMPERATURES}
    return min(errors, key=errors.__getitem__)


def _scores(logits: NDArray[np.float32], kind: HeadKind) -> NDArray[np.float32]:
    if kind is HeadKind.SIGMOID:
        return np.asarray(expit(logits), np.float32)
    return np.asarray(softmax(logits, axis=1), np.float32)


def _error(logits: NDArray[np.float32], targets: NDArray[np.bool_], kind: HeadKind) -> float:
    """Return the log loss."""
    scores = np.clip(_scores(logits, kind), _NEXT_TO_CERTAIN, 1 - _NEXT_TO_CERTAIN)
    if kind is HeadKind.SOFTMAX:
        return float(-np.log(scores[targets]).mean())
    return float(-np.log(np.where(targets, scores, 1 - scores)).mean())


def _card(
    problem: Problem, plan: TrainingPlan, vocabulary: Vocabulary, groups: Sequence[Group], held_out: HeldOut
) -> HeadCard:
    targets = targets_of(held_out.examples, problem.words)
    counts = targets.sum(axis=0)
    thresholds = find_thresholds(held_out.scores, held_out.truth, groups, problem.kind, plan.precision)

    def entry(column: int, threshold: float, examples: int, members: tuple[int, ...]) -> HeadWord:
        keyword_id = held_out.columns[column]
        node = vocabulary.nodes.get(keyword_id)
        return HeadWord(
            id=keyword_id,
            parents=node.parents if node else (),
            words=dict(node.words) if node else {LANGUAGES[0]: (keyword_id,)},
            threshold=threshold,
            precision=held_out.said.precision_of(column, held_out.truth),
            recall=held_out.said.recall_of(column, held_out.truth),
            examples=examples,
            members=tuple(problem.words[member] for member in members),
        )

    words = len(problem.words)
    return HeadCard(
        name=plan.name,
        space=plan.space,
        kind=problem.kind,
        branch=branch_of(problem.words, vocabulary),
        words=tuple(entry(c, float(thresholds.words[c]), int(counts[c]), ()) for c in range(words)),
        groups=tuple(
            entry(words + g, float(thresholds.groups[g]), int(counts[list(group.members)].sum()), group.members)
            for g, group in enumerate(groups)
            if thresholds.groups[g] < NEVER
        ),
        other_threshold=_other_threshold(held_out.scores, targets),
        wanted_precision=plan.precision,
        training=plan.sources,
        weights_sha256="",
    )


def branch_of(words: Sequence[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the topmost keyword or department above each word: the domain of a head with these words."""
    tops: set[str] = set()
    for word in words:
        line = _line(word, vocabulary)
        emitted = [node for node in line if node not in vocabulary.nodes or vocabulary.nodes[node].is_emitted]
        tops.update(node for node in emitted if not set(_line(node, vocabulary)[1:]) & set(emitted))
    return tuple(sorted(tops))


def _line(word: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the word and what is above it; a word that the vocabulary lacks is alone."""
    return (word, *(vocabulary.ancestors(word) if word in vocabulary.nodes else ()))


def _other_threshold(scores: NDArray[np.float32], targets: NDArray[np.bool_]) -> float:
    """Return the lowest score of *other*, at least 0.5, from which it is right often enough; `NEVER` without one."""
    other = scores[:, -1]
    order = np.argsort(-other, kind="stable")
    precision = np.cumsum(targets[order, -1]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero((precision >= OTHER_PRECISION) & (other[order] >= OTHER_LEAST))
    return float(np.floor(other[order[enough[-1]]] * STEPS) / STEPS) if len(enough) else NEVER
