"""What words of a query mean: keywords and colours by names, synonyms, plurals, misspellings and prefixes.

Words are looked up in the person's language first, and in the others only if they are not words of that language: so
*rock* is never a German *Rock*.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files

import snowballstemmer
from rapidfuzz import process
from rapidfuzz.distance import OSA

from pipeline.colours import COLOURS, MULTICOLOURED, colour_words
from pipeline.keywords import Vocabulary, fold
from pipeline.synonyms import (
    MATERIALS,
    WordKind,
    load_synonyms,
    special_words,
)
from results_sink.search.query import AnyOf, Colour, Node, Term, Without

MOST_JOINED = 6  # words of the longest keyword recognised without quotes
LEAST_PREFIX = 3  # letters before a word is completed, chosen by us
LEAST_TYPO = 4  # letters before a word is corrected: shorter ones are near too many others
TWO_TYPOS = 7  # letters, chosen by us: from here on a word may have two typos, below it one
LETTERS_PER_TYPO = 4  # of a suggestion, chosen by us
MOST_ENDING = 3  # letters by which a word and its plural may differ: more, and the common stem is chance
MOST_MISSPELLED = 3  # words of a keyword recognised with one of them misspelled, chosen by us
NEAR_WORDS = 3  # suggestions for a word that means nothing
_STEMMERS = {"en": "english", "de": "german", "fr": "french", "es": "spanish"}
_PLURAL_ENDINGS = {"en": ("s", "es"), "de": ("n", "en", "e", "s", "er"), "fr": ("s", "x"), "es": ("s", "es")}
LEAST_HEAD = 6  # letters of a compound's last part that is trusted whatever comes before it
_COMPOUNDS = ("de",)  # languages that write compounds as one word
HEAD_COMES_FIRST = ("fr", "es")  # languages whose modifiers follow the noun: sac à main, but handbag
_EDGES = ".,;:!?'`\u00b4\u2018\u2019&+*/#~-_"  # punctuation around a word, not part of it
_ELISION = re.compile(r"^[dl]['\u2019](?=\w)", re.IGNORECASE)
_POSSESSIVES = ("'s", "\u2019s", "s'", "s\u2019")


@dataclass(frozen=True, slots=True)
class Correction:
    """A word as typed, and the word it was read as."""

    typed: str
    read_as: str


@dataclass(frozen=True, slots=True)
class WordMatch:
    """What a word, or a group of words, means.

    Attributes:
        text: as typed.
        node: None if it is left out.
        ignored: the words left out that are worth reporting: no articles and the like.
        corrections: the words read as another.
        is_detail: whether it matters less than the words beside it: a colour, a material, a negation, or the head of
            longer names.
    """

    text: str
    node: Node | None
    ignored: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()
    is_detail: bool = False


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a known spelling means, and how it is displayed."""

    shown: str
    keyword_ids: tuple[str, ...] = ()
    colour_id: str | None = None

    def merged(self, other: Meaning) -> Meaning:
        """Return the union of both meanings."""
        ids = tuple(dict.fromkeys((*self.keyword_ids, *other.keyword_ids)))
        return Meaning(self.shown, ids, self.colour_id or other.colour_id)


class Lexicon:
    """The words of one language."""

    def __init__(self, vocabulary: Vocabulary, language: str) -> None:
        """Collect names, and synonyms that are not forms of a name: a name always wins."""
        self.language = language
        self._stemmer = snowballstemmer.stemmer(_STEMMERS.get(language, "english"))
        self._stem = cache(self._stemmer.stemWord)
        self.names: dict[str, Meaning] = {}
        for keyword in vocabulary.emitted:
            for word in keyword.words.get(language, ()):
                self._add(self.names, fold(word), Meaning(word, (keyword.id,)))
        names_by_key: dict[str, list[str]] = {}
        for name in self.names:
            names_by_key.setdefault(self.key(name), []).append(name)
        self.synonyms: dict[str, Meaning] = {}
        for word, keyword_ids in load_synonyms(vocabulary).get(language, {}).items():
            forms = names_by_key.get(self.key(word), ())
            if not any(OSA.distance(fold(word), name) <= MOST_ENDING for name in forms):
                self._add(self.synonyms, fold(word), Meaning(word, keyword_ids))
        self.colours: dict[str, Meaning] = {}
        for word, colour_id in _colour_names(language):
            self._add(self.colours, self.key(word), Meaning(word, (), colour_id))

    def exact(self, text: str) -> Meaning | None:
        """Return the meaning of a name or synonym, ignoring case, accents, spaces and hyphens."""
        folded = fold(text)
        return self.names.get(folded) or self.synonyms.get(folded) or self._solid.get(_solid(folded))

    def inflected(self, text: str) -> Meaning | None:
        """Return what a plural, or another form of a name, means."""
        if len(text) < LEAST_PREFIX:
            return None
        keys = (self.key(text), self._stem(_solid(fold(text))))
        stemmed = next(filter(None, (self._closest(text, key, MOST_ENDING) for key in keys)), None)
        return stemmed or self._singular(fold(text))

    def _singular(self, folded: str) -> Meaning | None:
        """Return what a word means without a plural ending, if the two stems differ."""
        endings = [ending for ending in _PLURAL_ENDINGS.get(self.language, ()) if folded.endswith(ending)]
        singulars = (folded[: -len(ending)] for ending in endings if len(folded) - len(ending) >= LEAST_PREFIX)
        return next(filter(None, (self.names.get(word) or self.synonyms.get(word) for word in singulars)), None)

    def colour(self, text: str) -> Meaning | None:
        """Return the colour of that name, in any form."""
        return self.colours.get(self.key(text))

    def headed(self, text: str) -> Meaning | None:
        """Return the keywords whose names have this word as their head: *washing machine* for *machine*."""
        return self._heads.get(self.key(text))

    def compounded(self, text: str) -> Meaning | None:
        """Return the meaning of a compound's longest ending that is a name: *Tisch* of *Holztisch*."""
        folded = fold(text)
        if self.language not in _COMPOUNDS:
            return None
        splits = range(LEAST_PREFIX, len(folded) - LEAST_PREFIX + 1)
        parts = (
            folded[split:] for split in splits if self.is_word(folded[:split]) or len(folded) - split >= LEAST_HEAD
        )
        return next(filter(None, (self.exact(part) or self.inflected(part) for part in parts)), None)

    def begun(self, text: str) -> Meaning | None:
        """Return the keywords with a name that starts with this."""
        folded = fold(text)
        if len(folded) < LEAST_PREFIX:
            return None
        begun = [meaning for name, meaning in self._spellings.items() if name.startswith(folded)]
        return _merged(begun) if begun else None

    def misspelled(self, text: str) -> Meaning | None:
        """Return what a word with a typo or two means: the closest, preferably with the same start."""
        key, letters = self.key(text), len(text.replace(" ", ""))
        if letters < LEAST_TYPO:
            return None
        limit = 1 if letters < TWO_TYPOS else 2
        near = process.extract(key, self._keys.keys(), scorer=OSA.distance, score_cutoff=limit, limit=NEAR_WORDS)
        alike = [(slips, spelling[0] != key[0], rank) for rank, (spelling, slips, _) in enumerate(near)]
        return self._closest(text, near[min(alike)[2]][0]) if alike else None

    def near(self, text: str) -> list[str]:
        """Return names with a similar spelling, then names that contain this."""
        key = self.key(text)
        limit = max(1, len(key) // LETTERS_PER_TYPO)
        near = process.extract(key, self._keys.keys(), scorer=OSA.distance, score_cutoff=limit, limit=NEAR_WORDS)
        keys = [name for name, _, _ in near] + [name for name in self._keys if key in name.split()]
        names = [meaning.shown for key in keys if (meaning := self._closest(text, key))]
        return list(dict.fromkeys(names))[:NEAR_WORDS]

    def is_word(self, text: str) -> bool:
        """Return whether it is any word of the language, and so no typo."""
        folded = text.casefold()
        return folded in special_words(WordKind.UNSAID, self.language) or folded in known_words(self.language)

    def key(self, text: str) -> str:
        """Return the form that a word and its plural share: each word's stem."""
        words = fold(text).replace("-", " ").split()
        singulars = special_words(WordKind.FORM, self.language)
        return " ".join(self._stem(singulars.get(word, word)) for word in words)

    @cached_property
    def _spellings(self) -> dict[str, Meaning]:
        return {**self.synonyms, **self.names}

    @cached_property
    def _solid(self) -> dict[str, Meaning]:
        solid: dict[str, Meaning] = {}
        for name, meaning in (*self.names.items(), *self.synonyms.items()):
            solid.setdefault(_solid(name), meaning)
        return solid

    @cached_property
    def _keys(self) -> dict[str, dict[str, Meaning]]:
        """The meanings of names and synonyms by stem: several may share one, as *bed* and *bedding*."""
        keys: dict[str, dict[str, Meaning]] = {}
        for name, meaning in self._spellings.items():
            for key in (self.key(name), _solid(self.key(name)), self._stem(_solid(name))):
                keys.setdefault(key, {})[name] = meaning
        return keys

    def _closest(self, text: str, key: str, most_slips: int | None = None) -> Meaning | None:
        """Return the meaning of a stem's names closest to the text, at most ``most_slips`` letters apart."""
        names = self._keys.get(key, {})
        slips = {name: OSA.distance(fold(text), name) for name in names}
        least = min(slips.values(), default=None)
        if least is None or (most_slips is not None and least > most_slips):
            return None
        return _merged(names[name] for name in names if slips[name] == least)

    @cached_property
    def _heads(self) -> dict[str, Meaning]:
        heads: dict[str, Meaning] = {}
        for name, meaning in self.names.items():
            words = name.replace("-", " ").split()
            if len(words) > 1:
                head = words[0] if self.language in HEAD_COMES_FIRST else words[-1]
                self._add(heads, self.key(head), meaning)
        return heads

    @staticmethod
    def _add(meanings: dict[str, Meaning], name: str, meaning: Meaning) -> None:
        meanings[name] = meanings[name].merged(meaning) if name in meanings else meaning


@dataclass(frozen=True)
class QueryWords:
    """The words of a vocabulary in every language, each indexed on first use."""

    vocabulary: Vocabulary

    @cached_property
    def _lexicons(self) -> dict[str, Lexicon]:
        return {}

    def lexicon(self, language: str) -> Lexicon:
        """Return the words of one language."""
        if language not in self._lexicons:
            self._lexicons[language] = Lexicon(self.vocabulary, language)
        return self._lexicons[language]

    def in_language(self, language: str, *, has_colours: bool = False) -> LanguageWords:
        """Return the reader for a person of that language; colours mean nothing if images have none."""
        return LanguageWords(self, language, has_colours)


@dataclass(frozen=True)
class LanguageWords:
    """Reads words in the person's language first."""

    words: QueryWords
    language: str
    has_colours: bool

    @property
    def _own(self) -> Lexicon:
        return self.words.lexicon(self.language)

    def read_phrase(self, phrase: str) -> list[WordMatch]:
        """Return what a quoted phrase means as a whole, or else its words."""
        meaning = self._known(phrase) or self._misspelled([phrase])
        if meaning is None:
            return self.read(phrase.split(), is_last=False)
        return [self._match(phrase, meaning, is_corrected=self._known(phrase) is None)]

    def read(self, texts: Sequence[str], *, is_last: bool) -> list[WordMatch]:
        """Return what adjacent words mean, the longest keyword first.

        Args:
            texts: the words as typed.
            is_last: whether they end the query, so that the last one may be unfinished.
        """
        matches = []
        first = 0
        while first < len(texts):
            count, match = self._negated(texts[first:]) or self._next(texts[first:], is_last=is_last)
            matches.append(match)
            first += count
        return matches

    def _next(self, texts: Sequence[str], *, is_last: bool) -> tuple[int, WordMatch]:
        """Return how many of the first words belong together, and what they mean."""
        rest = [_bare(text) for text in texts[:MOST_JOINED]]
        noun = self._without_article(rest[0])
        if noun != rest[0] and not self._longest(rest):
            rest[0] = noun
        return self._longest(rest) or self._single(rest, is_last=is_last and len(texts) == 1)

    # DECISIONS.md, 146: without its "no", "no boots" would find nothing but boots.
    def _negated(self, texts: Sequence[str]) -> tuple[int, WordMatch] | None:
        """Return the number of words in a negation and its object, and the match; None if there is none."""
        stop_words = special_words(WordKind.STOP, self.language)
        following = [index for index, text in enumerate(texts) if index and fold(_bare(text)) not in stop_words]
        if fold(_bare(texts[0])) not in special_words(WordKind.NEGATION, self.language) or not following:
            return None
        first = following[0]
        count, match = self._next(texts[first:], is_last=False)
        text = " ".join(texts[: first + count])
        if match.node is None:
            return first + count, WordMatch(text, None, (texts[0], *match.ignored))
        return first + count, WordMatch(text, Without(match.node), (), match.corrections, is_detail=True)

    def near(self, text: str) -> list[str]:
        """Return names, in the person's language, near an unknown word."""
        return self._own.near(text)

    def _longest(self, texts: Sequence[str]) -> tuple[int, WordMatch] | None:
        """Return how many of the first words form a keyword, and which; None if none do."""
        # DECISIONS.md, 10: shoppers type no quotation marks, so adjacent words that form a keyword are one.
        for count in range(len(texts), 1, -1):
            text = " ".join(texts[:count])
            if meaning := self._known(text):
                return count, self._match(text, meaning)
        for count in range(min(MOST_MISSPELLED, len(texts)), 1, -1):
            if meaning := self._misspelled(texts[:count]):
                return count, self._match(" ".join(texts[:count]), meaning, is_corrected=True)
        meaning = self._known(texts[0])
        return (1, self._match(texts[0], meaning)) if meaning else None

    def _single(self, texts: Sequence[str], *, is_last: bool) -> tuple[int, WordMatch]:
        """Return what the first word means if it is no name: a head, a prefix, a typo, or nothing."""
        text = texts[0]
        if fold(text) in special_words(WordKind.STOP, self.language) or not text:
            return 1, WordMatch(text, None)
        if meaning := self._own.headed(text):
            return 1, replace(self._match(text, meaning), is_detail=True)
        if meaning := self._own.compounded(text):
            return 1, self._match(text, meaning)
        if not self._own.is_word(text):
            if is_last and (begun := self._own.begun(text)):
                return 1, self._match(text, begun)
            if meaning := self._misspelled([text]):
                return 1, self._match(text, meaning, is_corrected=True)
        return 1, WordMatch(text, None, (text,))

    def _without_article(self, text: str) -> str:
        """Return a French word without the article that an apostrophe joins to it: *hiver* of *d'hiver*."""
        return _ELISION.sub("", text) if self.language == "fr" else text

    def _known(self, text: str) -> Meaning | None:
        """Return the meaning of a name, synonym or colour in any form: in the person's language, or another."""
        if not text:
            return None
        # DECISIONS.md, 59: a word of the person's language, even an unknown one, is not read in another.
        own = self._named(self._own, text)
        if own or self._own.is_word(text) or fold(text) in special_words(WordKind.STOP, self.language):
            return own
        others = [language for language in self.words.vocabulary.languages if language != self.language]
        return next(filter(None, (self._named(self.words.lexicon(language), text) for language in others)), None)

    def _named(self, lexicon: Lexicon, text: str) -> Meaning | None:
        meaning = lexicon.exact(text) or lexicon.inflected(text)
        colour = lexicon.colour(text) if self.has_colours else None
        return meaning.merged(colour) if meaning and colour else meaning or colour

    def _misspelled(self, texts: Sequence[str]) -> Meaning | None:
        """Return what words mean if one, which is no word of the language, is misspelled."""
        if all(self._own.is_word(word) or self._own.exact(word) for text in texts for word in text.split()):
            return None
        return self._own.misspelled(" ".join(texts))

    def _match(self, text: str, meaning: Meaning, *, is_corrected: bool = False) -> WordMatch:
        corrections = (Correction(text, meaning.shown),) if is_corrected else ()
        is_detail = meaning.colour_id is not None and not meaning.keyword_ids
        is_detail |= bool(meaning.keyword_ids) and MATERIALS.issuperset(meaning.keyword_ids)
        return WordMatch(text, self._node(meaning), (), corrections, is_detail=is_detail)

    def _node(self, meaning: Meaning) -> Node:
        below = [self.words.vocabulary.descendants(keyword_id) for keyword_id in meaning.keyword_ids]
        nodes: list[Node] = [Term(frozenset().union(*below))] if below else []
        if meaning.colour_id:
            nodes.append(Colour(meaning.colour_id))
        return nodes[0] if len(nodes) == 1 else AnyOf(tuple(nodes))


@cache
def known_words(language: str) -> frozenset[str]:
    """Return pyspellchecker's words of a language, in lower case; none for a language it lacks.

    Reading a list takes 0.1 to 0.3 s, once in a process, and only for a word the taxonomy lacks.
    """
    path = files("spellchecker") / "resources" / f"{language}.json.gz"
    return frozenset(json.loads(gzip.decompress(path.read_bytes()))) if path.is_file() else frozenset()


def _colour_names(language: str) -> Iterator[tuple[str, str]]:
    for colour_id in (*COLOURS, MULTICOLOURED):
        words = colour_words(colour_id)
        if language in words:
            yield words[language], colour_id
    yield from special_words(WordKind.COLOUR, language).items()


def _merged(meanings: Iterable[Meaning]) -> Meaning:
    first, *others = meanings
    for other in others:
        first = first.merged(other)
    return first


def _solid(folded: str) -> str:
    """Return a word without spaces and hyphens: t-shirt, t shirt and tshirt are the same."""
    return folded.replace(" ", "").replace("-", "")


def _bare(text: str) -> str:
    """Return a word without punctuation around it and without a possessive."""
    bare = text.rpartition(":")[2].strip(_EDGES)  # colour:red is red
    ending = next((ending for ending in _POSSESSIVES if bare.lower().endswith(ending)), "")
    return bare[: len(bare) - len(ending)] + ("s" if ending in {"s'", "s\u2019"} else "") if ending else bare
