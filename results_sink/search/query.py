"""The query language: words, phrases, AND, OR, NOT, parentheses and ``min:0.6``, read into a tree.

::

    query  = any
    any    = all { "OR" all }
    all    = one { ["AND"] one }                several words mean AND
    one    = "NOT" one | "(" any ")" | words | "a phrase" | "min:" number

``words.LanguageWords`` resolves words: to a keyword and every keyword below it, or to a colour. Unknown words are
left out, and the parsed query lists them; only broken syntax is an error. Adjacent words that form a keyword are
that keyword: ``computer mouse``; ``computer AND mouse`` asks for both. ``min:`` sets the least score within its
parentheses, or for the whole query. Quotation marks may be those of any language. Operators are in capitals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import BadQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from results_sink.search.words import Correction, LanguageWords, WordMatch

MAX_CHARACTERS = 1_000  # of a query, chosen by us
MAX_DEPTH = 50  # nested parentheses and NOTs, chosen by us: far below Python's own limit
OPERATORS = ("AND", "OR", "NOT")
_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"'))  # of our languages
_TOKEN = re.compile(r'\s*(?:(?P<phrase>"[^"]*")|(?P<open>\()|(?P<close>\))|(?P<word>[^\s()"]+)|(?P<quote>"))')
_MIN = "min:"
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Term:
    """Images with any of these keywords, by the best of their scores."""

    keyword_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Colour:
    """Tagged images of this colour, with the score 1."""

    colour_id: str


@dataclass(frozen=True, slots=True)
class Everything:
    """All tagged images, with the score 1."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Images that match every part, by the lowest of their scores."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Images that match some part, by the highest of their scores."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """Tagged images that do not match the part, with the score 1."""

    part: Node


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Images that match the part with at least this score."""

    score: float
    part: Node


Node = Term | Colour | Everything | AllOf | AnyOf | Without | AtLeast


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A parsed query.

    Attributes:
        node: None if nothing is left of the query.
        ignored: the words left out.
        corrections: the misspelled words, corrected.
        words: what each word means, if the query has no operators, parentheses or quotes; else empty.
    """

    node: Node | None
    ignored: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()
    words: tuple[WordMatch, ...] = ()

    def with_fewer_words(self, *, first_words_first: bool) -> Iterator[ParsedQuery]:
        """Yield the query without one of its words, then without more, while any is left.

        Details are left out before other words, negations first: one alone would match everything else.

        Args:
            first_words_first: whether the first words are left out before the others: modifiers come first in English
                and German, but last in French and Spanish.
        """
        words = [match for match in self.words if match.node]
        in_order = words if first_words_first else words[::-1]
        order = sorted(in_order, key=lambda match: (not isinstance(match.node, Without), not match.is_detail))
        for count in range(1, len(words)):
            left_out = order[:count]
            kept = [match.node for match in words if match not in left_out]
            ignored = (*self.ignored, *(match.text for match in words if match in left_out))
            yield ParsedQuery(_combined(AllOf, kept), ignored, self.corrections)


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of the query. The column counts characters from 1."""

    kind: str  # word, phrase, open, close, end; or term: resolved words
    text: str
    column: int
    match: WordMatch | None = field(default=None, compare=False)

    def is_operator(self, operator: str) -> bool:
        return self.kind == "word" and self.text == operator

    @property
    def is_min(self) -> bool:
        return self.kind == "word" and self.text.lower().startswith(_MIN)

    @property
    def is_plain(self) -> bool:
        return self.kind == "word" and self.text not in OPERATORS and not self.is_min


def parse(query: str, words: LanguageWords, *, may_be_empty: bool = False) -> ParsedQuery:
    """Return the parsed query; an empty one means everything, if it may be empty.

    Raises:
        BadQuery: its syntax is broken; the message names the column.
    """
    if len(query) > MAX_CHARACTERS:
        raise BadQuery("too_long", f"the query has {len(query):,} characters; the limit is {MAX_CHARACTERS:,}")
    tokens = list(_looked_up(_tokens(query), words))
    if tokens[0].kind == "end":
        if may_be_empty:
            return ParsedQuery(Everything())
        raise BadQuery("empty", "the query is empty; write a word, such as footwear")
    # DECISIONS.md, 58: unknown words are no error; only broken syntax is refused.
    node = _Parser(tokens).query()
    is_words_alone = all(token.kind in {"term", "end"} for token in tokens) and '"' not in query
    return _parsed(node, [token.match for token in tokens if token.match], is_words_alone=is_words_alone)


def _parsed(node: Node | None, matches: Sequence[WordMatch], *, is_words_alone: bool) -> ParsedQuery:
    """Return the query with what is known of its words."""
    ignored = tuple(text for match in matches for text in match.ignored)
    corrections = tuple(correction for match in matches for correction in match.corrections)
    return ParsedQuery(node, ignored, corrections, tuple(matches) if is_words_alone else ())


def _tokens(query: str) -> list[_Token]:
    tokens: list[_Token] = []
    query, offset = query.translate(_QUOTES), 0
    while match := _TOKEN.match(query, offset):
        kind = str(match.lastgroup)
        if kind == "quote":
            raise _mistake("open_quote", match.start(kind) + 1, "this quotation mark is never closed")
        tokens.append(_Token(kind, match[kind].strip('"'), match.start(kind) + 1))
        offset = match.end()
    tokens.append(_Token("end", "", len(query.rstrip()) + 1))
    return tokens


def _looked_up(tokens: Sequence[_Token], words: LanguageWords) -> Iterator[_Token]:
    """Yield the tokens, with words and phrases resolved to terms."""
    first = 0
    while first < len(tokens):
        token, end = tokens[first], first + 1
        if token.kind == "phrase":
            if not token.text.strip():
                raise _mistake("empty_phrase", token.column, "there is nothing between the quotation marks")
            yield from _terms(token, words.read_phrase(token.text))
        elif token.is_plain:
            while tokens[end].is_plain:
                end += 1
            is_last = tokens[end].kind == "end"
            yield from _terms(token, words.read([plain.text for plain in tokens[first:end]], is_last=is_last))
        else:
            yield token
        first = end


def _terms(token: _Token, matches: Sequence[WordMatch]) -> Iterator[_Token]:
    for match in matches:
        yield _Token("term", match.text, token.column, match)


def _mistake(code: str, column: int, reason: str) -> BadQuery:
    return BadQuery(code, f"the query has a mistake at column {column}: {reason}")


class _Parser:
    """Reads the tokens from left to right, one method for each rule of the grammar.

    A rule returns None if all of its words are left out.
    """

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._position = self._depth = 0

    def query(self) -> Node | None:
        node = self._group()
        if self._token.kind != "end":
            raise _mistake("stray_parenthesis", self._token.column, "this parenthesis closes nothing")
        return node

    @property
    def _token(self) -> _Token:
        return self._tokens[self._position]

    def _next(self) -> _Token:
        self._position += 1
        return self._tokens[self._position - 1]

    def _group(self) -> Node | None:
        """Read the whole query, or one in parentheses; a ``min:`` anywhere in it applies to all of it."""
        least: list[float] = []
        parts = [self._all(least)]
        while self._token.is_operator("OR"):
            self._next()
            parts.append(self._all(least))
        node = _combined(AnyOf, parts)
        return AtLeast(max(least), node) if least and node else node

    def _all(self, least: list[float]) -> Node | None:
        """Read the part between two ORs, and add the score of each ``min:`` in it to ``least``."""
        begin = self._token
        parts: list[Node | None] = []
        after_operator = True
        while after_operator or not (self._token.kind in {"end", "close"} or self._token.is_operator("OR")):
            if self._token.is_min:
                least.append(_least_score(self._next()))
            else:
                parts.append(self._one())
            after_operator = self._token.is_operator("AND")
            if after_operator:
                self._next()
        if not parts:
            raise _mistake("min_alone", begin.column, "min: needs a word beside it")
        return _combined(AllOf, parts)

    def _one(self) -> Node | None:
        token = self._next()
        if token.is_operator("NOT"):
            part = self._deeper(self._one, token)
            return Without(part) if part else None
        if token.kind == "open":
            node = self._deeper(self._group, token)
            if self._next().kind != "close":
                raise _mistake("open_parenthesis", token.column, "this parenthesis is never closed")
            return node
        if token.match:
            return token.match.node
        raise self._unexpected(token)

    def _deeper(self, rule: Callable[[], Node | None], token: _Token) -> Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            reason = f"more than {MAX_DEPTH} parentheses and NOTs lie within each other"
            raise _mistake("too_deep", token.column, reason)
        node = rule()
        self._depth -= 1
        return node

    def _unexpected(self, token: _Token) -> BadQuery:
        before = self._tokens[self._position - 2] if self._position > 1 else None
        after = f" after {before.text}" if before and before.text in OPERATORS else ""
        seen = "the query ends" if token.kind == "end" else f"{token.text} stands"
        return _mistake("word_missing", token.column, f"{seen} where a word is needed{after}")


def _combined(kind: type[AllOf | AnyOf], parts: Sequence[Node | None]) -> Node | None:
    """Return these parts as one node, without those left out."""
    present = tuple(part for part in parts if part is not None)
    if not present:
        return None
    return present[0] if len(present) == 1 else kind(present)


def _least_score(token: _Token) -> float:
    text = token.text[len(_MIN) :]
    if not _NUMBER.match(text) or float(text) > 1:
        raise _mistake("bad_min", token.column, "min: needs a score from 0 to 1, such as min:0.6")
    return float(text)
