"""WordNet 3.0's nouns: the words and hypernyms of every synset, read from `data.noun`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import CallerError

# Where Debian's wordnet-base installs it. WordNet 3.1 has other offsets, and so other ids.
DATA_NOUN = Path("/usr/share/wordnet/data.noun")
# wndb(5WN): "@" is a hypernym, "@i" the class that an instance belongs to.
HYPERNYM_POINTERS = frozenset({"@", "@i"})
# wndb(5WN): the count of words is hexadecimal; each word takes two fields, each pointer four.
WORDS_START, WORD_FIELDS, POINTER_FIELDS = 4, 2, 4


@dataclass(frozen=True, slots=True)
class Synset:
    """One noun of WordNet: its id (`n` + byte offset), its words and the ids of its hypernyms."""

    id: str
    words: tuple[str, ...]
    parents: tuple[str, ...]


def parse_synset(line: str) -> Synset:
    """Return the synset in a line of `data.noun`."""
    fields = line.split(" | ", 1)[0].split()
    words_end = WORDS_START + WORD_FIELDS * int(fields[3], 16)
    words = fields[WORDS_START:words_end:WORD_FIELDS]
    pointers = fields[words_end + 1 :]
    parents = [
        f"n{pointers[start + 1]}"
        for start in range(0, int(fields[words_end]) * POINTER_FIELDS, POINTER_FIELDS)
        if pointers[start] in HYPERNYM_POINTERS and pointers[start + 2] == "n"
    ]
    return Synset(f"n{fields[0]}", tuple(word.replace("_", " ") for word in words), tuple(parents))


def read_nouns(data_noun: Path) -> dict[str, Synset]:
    """Return all synsets of `data.noun` by id.

    Raises:
        CallerError: the file does not exist.
    """
    if not data_noun.is_file():
        raise CallerError(f"{data_noun} does not exist; Debian's package wordnet-base installs {DATA_NOUN}")
    with data_noun.open(encoding="latin-1") as lines:
        synsets = (parse_synset(line) for line in lines if not line.startswith("  "))  # the licence is indented
        return {synset.id: synset for synset in synsets}


def with_ancestors(ids: Iterable[str], nouns: Mapping[str, Synset]) -> dict[str, Synset]:
    """Return the synsets with these ids and all their ancestors, by id.

    Raises:
        CallerError: an id is not a noun of this WordNet.
    """
    synsets: dict[str, Synset] = {}
    waiting = list(ids)
    while waiting:
        node_id = waiting.pop()
        if node_id in synsets:
            continue
        if node_id not in nouns:
            raise CallerError(f"{node_id} is not a noun of WordNet 3.0")
        synsets[node_id] = nouns[node_id]
        waiting.extend(nouns[node_id].parents)
    return synsets
