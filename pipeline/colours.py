"""The twelve colour names that shoppers type, their translations into four languages, and the colours of a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.keywords import Source, fold
from pipeline.records import DecisionKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.facts import PhotoFacts
    from pipeline.records import Decision

MULTICOLOURED = "multicoloured"
COLOUR_PREFIX = "colour-"  # of a colour's id where ids of keywords stand too: in decisions and suggestions
_LANGUAGES = ("en", "de", "fr", "es")
_WORDS = {
    "black": ("black", "schwarz", "noir", "negro"),
    "white": ("white", "weiß", "blanc", "blanco"),
    "grey": ("grey", "grau", "gris", "gris"),
    "blue": ("blue", "blau", "bleu", "azul"),
    "red": ("red", "rot", "rouge", "rojo"),
    "green": ("green", "grün", "vert", "verde"),
    "yellow": ("yellow", "gelb", "jaune", "amarillo"),
    "orange": ("orange", "orange", "orange", "naranja"),
    "brown": ("brown", "braun", "marron", "marrón"),
    "beige": ("beige", "beige", "beige", "beige"),
    "pink": ("pink", "rosa", "rose", "rosa"),
    "purple": ("purple", "lila", "violet", "morado"),
    MULTICOLOURED: ("multicoloured", "mehrfarbig", "multicolore", "multicolor"),
}
COLOURS = tuple(name for name in _WORDS if name != MULTICOLOURED)  # the order in which a record stores their shares

# Chosen by us on one half of the labelled packshots and of clothes at home, and measured on the others
# (DECISIONS.md, 132; docs/signals.md).
LEAST_CERTAINTY = 0.45  # below this, the product cannot be told apart from its background
LEAST_FIRST_SHARE = 0.46  # of the product; below this, no colour dominates
LEAST_DISPUTED_SHARE = 0.56  # the same of a colour on whose limits people disagree most (DECISIONS.md, 166)
DISPUTED = frozenset({"brown", "beige", "grey", "pink"})
LEAST_SHARE = 0.15  # a colour with a smaller share is a detail, not a colour of the product
MULTICOLOURED_COUNT = 3  # this many colours, none of which dominates,
MULTICOLOURED_HUES = 3  # and this many bright ones: shaded leather is brown, beige and grey at once
_DULL = frozenset({"black", "white", "grey", "brown", "beige"})


@dataclass(frozen=True, slots=True)
class ColourShare:
    """A colour's name, the share of the product that has it, in [0, 1], and who says so; a pinned colour's is 1."""

    colour: str
    share: float
    source: Source = Source.MODEL


def colour_id(colour: str) -> str:
    """Return the id of a colour among ids of keywords."""
    return f"{COLOUR_PREFIX}{colour}"


def colour_of(keyword_id: str) -> str | None:
    """Return the colour with this id; None where it is a keyword's."""
    colour = keyword_id.removeprefix(COLOUR_PREFIX)
    return colour if keyword_id.startswith(COLOUR_PREFIX) and colour in _WORDS else None


def colour_named(text: str) -> str | None:
    """Return the colour that is called so in any language, ``colour:`` in front of it or not; None where none is."""
    word = fold(text.removeprefix("colour:"))
    return next((colour for colour, words in _WORDS.items() if word in map(fold, words)), None)


def decided_colours(facts: PhotoFacts | None, decisions: Iterable[Decision]) -> tuple[ColourShare, ...]:
    """Return the colours of a photo: those that people pinned, then the measured ones that nobody suppressed."""
    kinds = {colour: decision.kind for decision in decisions if (colour := colour_of(decision.keyword_id))}
    pinned = (ColourShare(name, 1.0, Source.HUMAN) for name, kind in kinds.items() if kind is DecisionKind.PIN)
    return (*pinned, *(colour for colour in colours_of(facts) if colour.colour not in kinds))


def colour_words(colour: str) -> Mapping[str, str]:
    """Return the colour's word in each language.

    Raises:
        KeyError: there is no such colour.
    """
    return dict(zip(_LANGUAGES, _WORDS[colour], strict=True))


def colours_of(facts: PhotoFacts | None) -> tuple[ColourShare, ...]:
    """Return the product's colours, largest share first, or nothing if the photo does not show them clearly.

    A product with several colours, none dominant, gets ``multicoloured`` first and then each of them.
    """
    if facts is None or facts.colour_certainty < LEAST_CERTAINTY:
        return ()
    shares = (ColourShare(name, share) for name, share in zip(COLOURS, facts.colour_shares, strict=True))
    large = sorted((colour for colour in shares if colour.share >= LEAST_SHARE), key=lambda colour: -colour.share)
    if large and large[0].share >= least_first_share(large[0].colour):
        return tuple(large)
    return _multicoloured(large)


def least_first_share(colour: str) -> float:
    """Return the share of the product from which a colour dominates it."""
    return LEAST_DISPUTED_SHARE if colour in DISPUTED else LEAST_FIRST_SHARE


def _multicoloured(large: list[ColourShare]) -> tuple[ColourShare, ...]:
    """Return the colours of a product without a dominant one, or nothing if they are too few for ``multicoloured``."""
    hues = [colour for colour in large if colour.colour not in _DULL]
    if len(large) >= MULTICOLOURED_COUNT and len(hues) >= MULTICOLOURED_HUES:
        whole = ColourShare(MULTICOLOURED, round(sum(colour.share for colour in large), 4))
        return (whole, *large)
    return ()
