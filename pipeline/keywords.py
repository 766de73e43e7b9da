"""Keywords: what a shopper types, with stable ids, parents, and words in each language."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.settings import overlay_path
from pipeline.taxonomy_file import PARENTS, THRESHOLD, USE, TaxonomyFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.taxonomy_file import NodeCells

LANGUAGES = ("en", "de", "fr", "es")  # built in; the first is the default
TAXONOMY_PATH = Path(__file__).with_name("taxonomy.csv")


class Source(StrEnum):
    """Where a keyword on an image comes from."""

    MODEL = "model"
    HEAD = "head"
    HUMAN = "human"


class Use(StrEnum):
    """How a node of the tree is used."""

    KEYWORD = "keyword"  # a word of a shop: may be emitted
    FALLBACK = "fallback"  # a whole department: emitted if nothing narrower is certain
    THROUGH = "through"  # too general, or only structure: passes sums on, is never emitted
    NOT_GOODS = "not_goods"  # nothing a shop sells: never emitted


@dataclass(frozen=True, slots=True)
class KeywordTag:
    """A keyword on an image. The score is in [0, 1]: the chance that the keyword fits."""

    keyword_id: str
    score: float
    source: Source = Source.MODEL


@dataclass(frozen=True, slots=True)
class Keyword:
    """A node of the taxonomy. Its id is a WordNet 3.0 id (``n04120489``) or one of our own (``shop-...``)."""

    id: str
    parents: tuple[str, ...]
    use: Use
    threshold: float | None
    words: Mapping[str, tuple[str, ...]] = field(hash=False)

    @property
    def is_emitted(self) -> bool:
        """Whether a photo can get this keyword."""
        return self.use in (Use.KEYWORD, Use.FALLBACK)

    def name(self, language: str = LANGUAGES[0]) -> str:
        """Return the name in ``language``, or in the first language if that one has none."""
        return (self.words.get(language) or self.words[LANGUAGES[0]])[0]


def fold(word: str) -> str:
    """Return the form in which words are compared: no case, no accents, single spaces."""
    bare = unicodedata.normalize("NFKD", word.casefold())
    return " ".join("".join(c for c in bare if not unicodedata.combining(c)).split())


@dataclass(frozen=True)
class Vocabulary:
    """Every node by id, and queries on the tree. The version identifies the content of the files."""

    nodes: Mapping[str, Keyword]
    version: str
    languages: tuple[str, ...] = LANGUAGES

    @classmethod
    def load(cls, path: Path | None = None, overlay: Path | None = None) -> Vocabulary:
        """Return the vocabulary of a taxonomy file and a shop's overlay (default: the built-in and the installed one).

        Raises:
            BadTaxonomy: a file is missing or contradicts itself; the message names the file, line and column.
        """
        file = TaxonomyFile.read(path, overlay) if path else TaxonomyFile.read(TAXONOMY_PATH, overlay or overlay_path())
        for cells in file.nodes.values():
            for parent in cells.several(PARENTS):
                if parent not in file.nodes:
                    raise cells.mistake(PARENTS, f"{parent} is named as a parent, but is not in the taxonomy")
        keywords = [_keyword(node_id, cells, file.languages) for node_id, cells in file.nodes.items()]
        vocabulary = cls({keyword.id: keyword for keyword in keywords}, file.version, file.languages)
        for node_id in vocabulary._in_cycles():
            raise file.nodes[node_id].mistake(PARENTS, f"{node_id} is its own ancestor")
        return vocabulary

    def ancestors(self, keyword_id: str) -> tuple[str, ...]:
        """Return every node above this one, nearest first, each once."""
        if keyword_id not in self._ancestors:
            self._ancestors[keyword_id] = self._find_ancestors(keyword_id)
        return self._ancestors[keyword_id]

    def _find_ancestors(self, keyword_id: str) -> tuple[str, ...]:
        ancestors: dict[str, None] = {}
        level = [keyword_id]
        while level:
            parents = [parent for node in level for parent in self.nodes[node].parents if parent not in ancestors]
            ancestors.update(dict.fromkeys(parents))
            level = list(dict.fromkeys(parents))
        return tuple(ancestors)

    def descendants(self, keyword_id: str) -> frozenset[str]:
        """Return this node and every node below it."""
        if keyword_id not in self._descendants:
            self._descendants[keyword_id] = self._find_descendants(keyword_id)
        return self._descendants[keyword_id]

    def _find_descendants(self, keyword_id: str) -> frozenset[str]:
        descendants = {keyword_id}
        level = [keyword_id]
        while level:
            level = [child for node in level for child in self._children.get(node, ()) if child not in descendants]
            descendants.update(level)
        return frozenset(descendants)

    def spelled(self, word: str) -> tuple[str, ...]:
        """Return the ids of the emitted keywords that ``word`` names in any language, folded."""
        return self._spellings.get(fold(word), ())

    def name_of(self, keyword_id: str, language: str = LANGUAGES[0]) -> str:
        """Return the name of the keyword; one that the vocabulary lacks is named by its id."""
        node = self.nodes.get(keyword_id)
        return keyword_id if node is None else node.name(language)

    @cached_property
    def emitted(self) -> tuple[Keyword, ...]:
        """Every keyword that a photo can get, in the file's order."""
        return tuple(keyword for keyword in self.nodes.values() if keyword.is_emitted)

    # Each photo asks for the same few again, and finding them took a third of the time of naming its keywords.
    @cached_property
    def _ancestors(self) -> dict[str, tuple[str, ...]]:
        return {}

    @cached_property
    def _descendants(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for keyword in self.nodes.values():
            for parent in keyword.parents:
                children.setdefault(parent, []).append(keyword.id)
        return children

    @cached_property
    def _spellings(self) -> dict[str, tuple[str, ...]]:
        spellings: dict[str, dict[str, None]] = {}
        for keyword in self.emitted:
            for word in (word for words in keyword.words.values() for word in words):
                spellings.setdefault(fold(word), {})[keyword.id] = None
        return {word: tuple(ids) for word, ids in spellings.items()}

    def _in_cycles(self) -> list[str]:
        rooted: set[str] = set()  # nodes from which every way up ends: these are in no cycle
        left = list(self.nodes.values())
        while left:
            count = len(rooted)
            rooted.update(keyword.id for keyword in left if rooted.issuperset(keyword.parents))
            if len(rooted) == count:
                break
            left = [keyword for keyword in left if keyword.id not in rooted]
        return [keyword.id for keyword in left if keyword.id in self.ancestors(keyword.id)]


def _keyword(node_id: str, cells: NodeCells, languages: Iterable[str]) -> Keyword:
    words = {language: cells.several(language) for language in languages}
    if not words.get(LANGUAGES[0]):
        raise cells.mistake(LANGUAGES[0], f"{node_id} has no English word")
    return Keyword(node_id, cells.several(PARENTS), _use(cells), _threshold(cells), words)


def _use(cells: NodeCells) -> Use:
    text = cells.cells.get(USE, "")
    try:
        return Use(text)
    except ValueError:
        raise cells.mistake(USE, f"{text!r} is not one of {', '.join(Use)}") from None


def _threshold(cells: NodeCells) -> float | None:
    text = cells.cells.get(THRESHOLD, "")
    if not text:
        return None
    try:
        threshold = float(text)
    except ValueError:
        raise cells.mistake(THRESHOLD, f"{text!r} is not a number") from None
    if not 0 <= threshold <= 1:
        raise cells.mistake(THRESHOLD, f"{text} is not in [0, 1]")
    return threshold
