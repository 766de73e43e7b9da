"""Reports what was learned, for a person and as JSON. The first line is the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.terminal import GAP
from tagging_lambda.image.contact_sheet import Figure, Section
from tagging_lambda.words.learning_curve import Advice, advise
from tagging_lambda.words.share import Share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagging_lambda.words.head_card import HeadCard, HeadWord
    from tagging_lambda.words.labels import LabelledPhoto
    from tagging_lambda.words.learn import Learned

ROWS_SHOWN = 12  # words, for a person: the report fits a screen; --full prints all, and JSON has all
SHOWN = 40  # pictures in each section of the sheet, chosen by us: some 2 MB in all


@dataclass(frozen=True, slots=True)
class LearnedMeasures:
    """How a head does on its labelled photos, each judged while held out.

    Attributes:
        photos: photos that show one of its words.
        specific: photos that get a word of the labels.
        wrong: photos that get a wrong word.
        broader: photos that get only a group above several words.
        precision: right words, of those given and judged.
        outside: photos of other things that get any word.
    """

    photos: int
    specific: Share
    wrong: Share
    broader: Share
    precision: Share
    outside: Share

    @classmethod
    def of(cls, learned: Learned) -> LearnedMeasures:
        """Return the measures of a head."""
        held_out = learned.trained.held_out
        words = len(learned.trained.head.card.words)
        shows = np.array([bool(label) for label in held_out.examples.labels])
        said, right = held_out.said.keywords, held_out.truth.right
        wrong = said & ~right & ~held_out.truth.unjudged
        by_word = said[:, :words].any(axis=1)
        is_broader = shows & ~by_word & said[:, words:].any(axis=1)
        of = int(shows.sum())
        judged = said & ~held_out.truth.unjudged
        return cls(
            photos=of,
            specific=Share(int((said & right)[shows, :words].any(axis=1).sum()), of),
            wrong=Share(int(wrong[shows].any(axis=1).sum()), of),
            broader=Share(int(is_broader.sum()), of),
            precision=Share(int((judged & right).sum()), int(judged.sum())),
            outside=Share(int(said[~shows].any(axis=1).sum()), int((~shows).sum())),
        )


@dataclass(frozen=True, slots=True)
class LearnReport:
    """The report on what was learned."""

    card: HeadCard
    measures: LearnedMeasures
    advice: tuple[Advice, ...]
    too_few: Mapping[str, int]
    new_words: tuple[str, ...]
    names: dict[str, str]
    elapsed_s: float

    @classmethod
    def of(cls, learned: Learned, new_words: Sequence[str], elapsed_s: float) -> LearnReport:
        """Return the report."""
        card = learned.trained.head.card
        nodes = learned.vocabulary.nodes
        names = {word.id: word.name for word in (*card.words, *card.groups)}
        names |= {keyword_id: nodes[keyword_id].name() for keyword_id in learned.too_few}
        return cls(
            card,
            LearnedMeasures.of(learned),
            advise(learned.trained),
            learned.too_few,
            tuple(new_words),
            names,
            elapsed_s,
        )

    def document(self) -> dict[str, Any]:
        """Return the report as JSON."""
        measures = self.measures
        return {
            "name": self.card.name,
            "version": self.card.version,
            "photos": measures.photos,
            "precision_wanted": self.card.wanted_precision,
            "specific": measures.specific.document(),
            "wrong": measures.wrong.document(),
            "broader": measures.broader.document(),
            "precision": measures.precision.document(),
            "outside": measures.outside.document(),
            "words": [_word_document(word) for word in self.card.words],
            "groups": [_word_document(word) for word in self.card.groups],
            "left_out": [
                {
                    "keyword": self.names[item.keyword_id],
                    "id": item.keyword_id,
                    "examples": item.examples,
                    "more": item.more,
                    "taken_for": item.taken_for and self.names[item.taken_for],
                }
                for item in self.advice
            ],
            "too_few": [
                {"keyword": self.names[keyword_id], "id": keyword_id, "examples": examples}
                for keyword_id, examples in self.too_few.items()
            ],
            "new_words": list(self.new_words),
            "seconds": round(self.elapsed_s, 2),
        }

    def text(self, *, full: bool = False) -> str:
        """Return the report for a person; without `full` it fits a screen."""
        return "\n".join([*self._verdict(), *self._left_out(full=full), *self._words(full=full)])

    def _verdict(self) -> list[str]:
        measures, words = self.measures, len(self.card.said)
        learned = f"{words:,} words learned from {measures.photos:,} photos in {self.elapsed_s:.0f} s"
        shares = f"a photo gets its word in {measures.specific.value:.0%}, a wrong one in {measures.wrong.value:.1%}"
        aim = f"{self.card.wanted_precision:g}"
        lines = [
            f"{self.card.name}: {learned}; {shares}",
            f"{GAP}measured on photos that were held out, with thresholds for a precision of {aim}",
        ]
        if measures.broader.count:
            broader = ", ".join(word.name for word in self.card.groups[:3])
            lines.append(f"{GAP}{measures.broader.value:.0%} of the photos get a broader word instead ({broader})")
        if measures.outside.of:
            lines.append(
                f"{GAP}of {measures.outside.of:,} photos of other things, {measures.outside.count:,} get a word"
            )
        if self.new_words:
            lines.append(f"{GAP}words of your own, new to the taxonomy: {_listed(self.new_words)}")
        return lines

    def _left_out(self, *, full: bool) -> list[str]:
        lines = []
        if self.advice:
            lines += ["", f"left out, since no score is right in {self.card.wanted_precision:.0%}:"]
            shown = self.advice if full else self.advice[:ROWS_SHOWN]
            lines += [self._advice(item) for item in shown]
            lines += _rest(len(self.advice) - len(shown))
        if self.too_few:
            few = [f"{self.names[keyword_id]} {examples}" for keyword_id, examples in self.too_few.items()]
            lines += ["", f"too few photos to learn from (3 are the fewest): {_listed(few, full=full)}"]
        return lines

    def _advice(self, item: Advice) -> str:
        more = f"some {item.more:,} more would likely help" if item.more else "more photos will hardly help"
        taken = f"; often taken for {self.names[item.taken_for]}" if item.taken_for else ""
        return f"{GAP}{self.names[item.keyword_id]:<24}{item.examples:>6,} photos{GAP}{more}{taken}"

    def _words(self, *, full: bool) -> list[str]:
        words = sorted(self.card.said, key=lambda word: (word.recall.value, word.name))
        shown = words if full else words[:ROWS_SHOWN]
        heading = "the words said, least often found first" if len(words) > 1 else "the word said"
        rows = [
            f"{GAP}{word.name:<24}{word.examples:>8,}{_short(word.precision):>16}{_short(word.recall):>16}"
            for word in shown
        ]
        return [
            "",
            heading,
            f"{GAP}{'keyword':<24}{'photos':>8}{'right':>16}{'found':>16}",
            *rows,
            *_rest(len(words) - len(shown)),
        ]


def _word_document(word: HeadWord) -> dict[str, Any]:
    return {
        "keyword": word.name,
        "id": word.id,
        "threshold": word.threshold if word.is_said else None,
        "examples": word.examples,
        "precision": word.precision.document(),
        "recall": word.recall.document(),
    }


def _short(share: Share) -> str:
    return f"{share.count:,} of {share.of:,}" if share.of else "-"


def _rest(count: int) -> list[str]:
    return [f"{GAP}and {count:,} more; --full shows all"] if count > 0 else []


def _listed(words: Sequence[str], *, full: bool = False) -> str:
    shown = list(words) if full else list(words[:ROWS_SHOWN])
    rest = len(words) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")


def learn_sections(learned: Learned) -> list[Section]:
    """Return the sheet's sections: mistakes, the surest first, then photos that get no word, the least sure first."""
    held_out, card = learned.trained.held_out, learned.trained.head.card
    rows = np.arange(len(learned.photos))
    scores = held_out.scores[: len(rows), :-1]
    said, truth = held_out.said.keywords[: len(rows)], held_out.truth.first(len(rows))
    wrong = said & ~truth.right & ~truth.unjudged
    mistaken = rows[wrong.any(axis=1)]
    silent = rows[~said.any(axis=1) & truth.right.any(axis=1)]
    names = {word.id: word.name for word in (*card.words, *card.groups)}

    def figure(row: int) -> Figure:
        photo = learned.photos[row]
        said_words = [names.get(held_out.columns[c], held_out.columns[c]) for c in np.flatnonzero(said[row])]
        best = int(scores[row].argmax())
        verdict = (
            f"<del>{escape(', '.join(said_words))}</del>"
            if said_words
            else f"(no word; nearest {escape(card.words[best].name)} {scores[row, best]:.2f})"
        )
        return Figure(str(photo.source), f"{verdict}<br>{_labelled(photo, names)}")

    return [
        Section(
            f"Mistakes, the surest first: {len(mistaken):,}",
            [figure(row) for row in sorted(mistaken, key=lambda row: -scores[row].max())[:SHOWN]],
        ),
        Section(
            f"No word said: {len(silent):,}",
            [figure(row) for row in sorted(silent, key=lambda row: scores[row].max())[:SHOWN]],
        ),
    ]


def learn_opening(report: LearnReport) -> str:
    """Return the HTML above the pictures: the verdict, and a row for each word."""
    verdict = "<br>".join(escape(line.strip()) for line in report.text().splitlines()[:3])
    rows = "".join(
        f"<tr><td>{escape(word.name)}<td class=number>{word.examples:,}<td class=number>{_short(word.precision)}"
        f"<td class=number>{_short(word.recall)}<td>{'' if word.is_said else 'left out'}</tr>"
        for word in report.card.words
    )
    head = "<tr><th>keyword<th class=number>photos<th class=number>right<th class=number>found<th></tr>"
    return f"<h1>What {escape(report.card.name)} learned</h1><p>{verdict}</p>\n<table>{head}{rows}</table>\n"


def _labelled(photo: LabelledPhoto, names: dict[str, str]) -> str:
    labelled = ", ".join(sorted(names.get(word, word) for word in photo.keywords)) or "(none)"
    return f"<small>labelled {escape(labelled)}<br>{escape(photo.text)}</small>"
