"""Words that shoppers type for something the taxonomy calls by another name, or for its nearest match.

They are for searching only: neither photos nor exports carry them. A shop adds words of its own to a keyword in its
overlay of the taxonomy.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.csv_rows import rows
from pipeline.errors import BadTaxonomy, CallerError

if TYPE_CHECKING:
    from pipeline.csv_rows import CsvRow
    from pipeline.keywords import Vocabulary

SYNONYMS_PATH = Path(__file__).with_name("synonyms.csv")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Plurals and other forms that no rule of the language covers; folded, without accents.
IRREGULAR_PLURALS = {
    "en": {
        "mice": "mouse",
        "men": "man",
        "women": "woman",
        "children": "child",
        "feet": "foot",
        "knives": "knife",
        "scarves": "scarf",
        "shelves": "shelf",
        "loaves": "loaf",
        "wives": "wife",
        "gray": "grey",
    },
    "de": {"mause": "maus", "topfe": "topf", "kafige": "kafig", "handys": "handy", "sofas": "sofa", "autos": "auto"},
    "fr": {
        "bijoux": "bijou",
        "animaux": "animal",
        "journaux": "journal",
        "chevaux": "cheval",
        "travaux": "travail",
        "blanche": "blanc",
        "blanches": "blanc",
        "violette": "violet",
        "violettes": "violet",
    },
    "es": {"luces": "luz", "lapices": "lapiz", "peces": "pez", "jerseis": "jersey", "relojes": "reloj"},
}

# Other names of colours.
COLOUR_SYNONYMS = {
    "en": {"navy": "blue", "gray": "grey", "violet": "purple", "burgundy": "red", "multicolored": "multicoloured"},
    "de": {"violett": "purple", "dunkelblau": "blue", "hellblau": "blue", "weinrot": "red", "bunt": "multicoloured"},
    "fr": {"bordeaux": "red", "marine": "blue", "mauve": "purple", "brun": "brown"},
    "es": {"violeta": "purple", "granate": "red", "celeste": "blue", "rosado": "pink", "castano": "brown"},
}

# Words that say nothing about a photo, so that searches ignore them silently; folded.
STOP_WORDS = {
    "en": _words("a an and the for with of in on to from my by at some"),
    "de": _words("der die das ein eine einen und fur mit von aus im in zum zur den dem"),
    "fr": _words("le la les l un une des de du d et pour avec en a au aux"),
    "es": _words("el la los las un una unos unas de del y para con en a al"),
}

# Words that leave out what follows them; folded.
NEGATIONS = {
    "en": _words("not no without except"),
    "de": _words("nicht kein keine keinen ohne ausser"),
    "fr": _words("sans pas sauf"),
    "es": _words("sin no excepto menos"),
}

# Keywords that mostly say what another thing is made of, when they stand beside it: wool, velvet.
MATERIALS = _words("n04599235 n04525038")

# Words for what photos do not show; spelled correctly, although word lists lack them; folded.
UNSAID_WORDS = {
    "en": _words("mens womens ladies kids boys girls unisex xs xxl plussize oversized handmade vegan faux"),
    "de": _words("herren damen kinder unisex xxl xs oversize gunstig reduziert"),
    "fr": _words("homme femme enfant unisexe xxl xs soldes"),
    "es": _words("hombre mujer nino nina unisex xxl xs rebajas"),
}


def load_synonyms(vocabulary: Vocabulary, path: Path = SYNONYMS_PATH) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return for each language the ids of the keywords that a synonym leads to.

    A keyword that the vocabulary lacks is skipped: a shop may have another taxonomy.

    Raises:
        BadTaxonomy: the file cannot be read.
    """
    # Kept apart from names, which photos and exports show (DECISIONS.md, 60).
    synonyms: dict[str, dict[str, tuple[str, ...]]] = {language: {} for language in vocabulary.languages}
    for row in _rows(path):
        for language, words in synonyms.items() if row["id"] in vocabulary.nodes else ():
            for word in row.several(language):
                words[word] = (*words.get(word, ()), row["id"])
    return synonyms


@cache
def _rows(path: Path) -> tuple[CsvRow, ...]:
    try:
        return tuple(rows(path, ("id",)))
    except CallerError as error:
        raise BadTaxonomy(str(error)) from error
