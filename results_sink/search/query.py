"""The query language: words, phrases, AND, OR, NOT, parentheses and ``min:0.6``, read into a tree.

::

    query  = any
    any    = all { "OR" all }
    all    = one { ["AND"] one }                several words mean AND
    one    = "NOT" one | "(" any ")" | word | "a phrase" | "min:" number

A word is looked up folded, in all languages and synonyms, and means the keyword and every keyword below it; a plural
of a word that is known means that word. Quotation marks may be those of any language.
Neighbours that together are a keyword are that keyword: ``computer mouse``; ``computer AND mouse`` asks for both.
``min:`` keeps what scores at least that much in the parentheses, or the whole query, that it stands in. Operators are
capitals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import CallerError
from results_sink.search.spelling import OPERATORS, meant, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.keywords import Vocabulary

MAX_CHARACTERS = 1_000  # of a query, chosen by us
MAX_DEPTH = 50  # parentheses and NOTs within each other, chosen by us: far below Python's own limit
MAX_JOINED = 6  # words of the longest keyword that is recognised without quotes
_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"'))  # of the languages that we speak
_TOKEN = re.compile(r'\s*(?:(?P<phrase>"[^"]*")|(?P<open>\()|(?P<close>\))|(?P<word>[^\s()"]+)|(?P<quote>"))')
_MIN = "min:"
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Term:
    """Images that have any of these keywords, by the best of their scores."""

    keyword_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Images that every part finds, by the lowest of their scores."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Images that some part finds, by the highest of their scores."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """Tagged images that the part does not find, with the score 1."""

    part: Node


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Images that the part finds with this score or a higher one."""

    score: float
    part: Node


Node = Term | AllOf | AnyOf | Without | AtLeast


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of the query. The column counts characters from 1."""

    kind: str  # word, phrase, open, close, end
    text: str
    column: int

    def says(self, operator: str) -> bool:
        return self.kind == "word" and self.text == operator

    @property
    def is_plain(self) -> bool:
        return self.kind == "word" and self.text not in OPERATORS and not self.text.lower().startswith(_MIN)


def parse(query: str, vocabulary: Vocabulary) -> Node:
    """Return what the query asks for.

    Raises:
        CallerError: it has a mistake, and the message names the column; or a word is no keyword.
    """
    if len(query) > MAX_CHARACTERS:
        raise CallerError(f"the query has {len(query):,} characters; the limit is {MAX_CHARACTERS:,}")
    return _Parser(_joined(_tokens(query), vocabulary), vocabulary).query()


def _tokens(query: str) -> list[_Token]:
    tokens: list[_Token] = []
    query, at = query.translate(_QUOTES), 0
    while match := _TOKEN.match(query, at):
        kind = str(match.lastgroup)
        if kind == "quote":
            raise _mistake(match.start(kind) + 1, "this quotation mark is never closed")
        tokens.append(_Token(kind, match[kind].strip('"'), match.start(kind) + 1))
        at = match.end()
    tokens.append(_Token("end", "", len(query.rstrip()) + 1))
    return tokens


def _joined(tokens: Sequence[_Token], vocabulary: Vocabulary) -> list[_Token]:
    """Return the tokens, with neighbouring words made one that are a keyword together: the longest such first."""
    # DECISIONS.md, 10
    joined: list[_Token] = []
    at = 0
    while at < len(tokens):
        length = _phrase_length(tokens[at : at + MAX_JOINED], vocabulary)
        text = " ".join(token.text for token in tokens[at : at + length])
        joined.append(_Token("phrase", text, tokens[at].column) if length > 1 else tokens[at])
        at += length
    return joined


def _phrase_length(tokens: Sequence[_Token], vocabulary: Vocabulary) -> int:
    plain = next((at for at, token in enumerate(tokens) if not token.is_plain), len(tokens))
    lengths = range(plain, 1, -1)
    return next((n for n in lengths if meant(" ".join(token.text for token in tokens[:n]), vocabulary)), 1)


def _mistake(column: int, what: str) -> CallerError:
    return CallerError(f"the query has a mistake at column {column}: {what}")


class _Parser:
    """Reads the tokens from left to right, one function for each rule of the grammar."""

    def __init__(self, tokens: Sequence[_Token], vocabulary: Vocabulary) -> None:
        self._tokens, self._vocabulary = tokens, vocabulary
        self._at = self._depth = 0

    def query(self) -> Node:
        if self._now.kind == "end":
            raise CallerError("the query is empty; write a word, such as footwear")
        node = self._group()
        if self._now.kind != "end":
            raise _mistake(self._now.column, "this parenthesis closes nothing")
        return node

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _group(self) -> Node:
        """Read the whole query, or what stands in parentheses; a ``min:`` anywhere in it is of all of it."""
        least: list[float] = []
        parts = [self._all(least)]
        while self._now.says("OR"):
            self._next()
            parts.append(self._all(least))
        node = parts[0] if len(parts) == 1 else AnyOf(tuple(parts))
        return AtLeast(max(least), node) if least else node

    def _all(self, least: list[float]) -> Node:
        began = self._now
        parts: list[Node] = []
        after_operator = True
        while after_operator or not (self._now.kind in {"end", "close"} or self._now.says("OR")):
            if self._is_min():
                least.append(self._min())
            else:
                parts.append(self._one())
            after_operator = self._now.says("AND")
            if after_operator:
                self._next()
        if not parts:
            raise _mistake(began.column, "min: needs a word beside it")
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self) -> Node:
        token = self._next()
        if token.says("NOT"):
            return Without(self._deeper(self._one, token))
        if token.kind == "open":
            node = self._deeper(self._group, token)
            if self._next().kind != "close":
                raise _mistake(token.column, "this parenthesis is never closed")
            return node
        if token.kind == "phrase" or token.is_plain:
            return self._term(token)
        raise self._unexpected(token)

    def _deeper(self, rule: Callable[[], Node], token: _Token) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _mistake(token.column, f"more than {MAX_DEPTH} parentheses and NOTs lie within each other")
        node = rule()
        self._depth -= 1
        return node

    def _term(self, token: _Token) -> Term:
        ids = meant(token.text, self._vocabulary)
        if not token.text.strip():
            raise _mistake(token.column, "there is nothing between the quotation marks")
        if not ids:
            raise self._unknown()
        return Term(frozenset().union(*(self._vocabulary.descendants(each) for each in ids)))

    def _unknown(self) -> CallerError:
        """Return the error of the word that was read last, which is looked for among its neighbours too."""
        first = last = self._at - 1
        if self._tokens[first].is_plain:
            while first and self._tokens[first - 1].is_plain:
                first -= 1
            while self._tokens[last + 1].is_plain:
                last += 1
        words = [token.text for token in self._tokens[first : last + 1]]
        return unknown(words, self._at - 1 - first, self._vocabulary)

    def _is_min(self) -> bool:
        return self._now.kind == "word" and self._now.text.lower().startswith(_MIN)

    def _min(self) -> float:
        token = self._next()
        text = token.text[len(_MIN) :]
        if not _NUMBER.match(text) or float(text) > 1:
            raise _mistake(token.column, "min: needs a score from 0 to 1, such as min:0.6")
        return float(text)

    def _unexpected(self, token: _Token) -> CallerError:
        before = self._tokens[self._at - 2] if self._at > 1 else None
        after = f" after {before.text}" if before and before.text in OPERATORS else ""
        found = "the query ends" if token.kind == "end" else f"{token.text} stands"
        return _mistake(token.column, f"{found} where a word is needed{after}")
