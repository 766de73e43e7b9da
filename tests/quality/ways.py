"""Ways from class scores to keywords: ours, and what it is compared with."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from infra.taxonomy.wordnet import DATA_NOUN, read_nouns
from pipeline.keywords import KeywordTag, Use
from tagging_lambda.words.class_keywords import MOST_KEYWORDS, candidates, keywords_of, strongest

EVEN = 0.5  # the threshold of ways that have one for all
OURS = "ours"


def ways(taxonomy, class_ids):
    """Return each way by its name: a function from class scores, float32 [classes], to keywords."""
    named = [_own_keyword(taxonomy.vocabulary, class_id) for class_id in class_ids]
    found = {
        "the first class": lambda scores: _classes(scores, named, 1),
        "the first five classes": lambda scores: _classes(scores, named, 5),
    }
    if DATA_NOUN.exists():
        lines = wordnet_lines(class_ids)
        shown = {keyword.id for keyword in taxonomy.vocabulary.emitted}
        found["WordNet's sums from 0.5"] = lambda scores: _wordnet(scores, lines, shown)
    found["our tree's sums from 0.5"] = lambda scores: _even(scores, taxonomy)
    found[OURS] = lambda scores: keywords_of(strongest(scores), taxonomy)
    return found


def _own_keyword(vocabulary, class_id):
    """Return the keyword that a class is called by: its own, or the nearest above; its id, which nobody types."""
    node = vocabulary.nodes.get(class_id)
    if node is None or node.use is Use.NOT_GOODS:
        return class_id
    line = (class_id, *vocabulary.ancestors(class_id))
    return next((each for each in line if vocabulary.nodes[each].use is Use.KEYWORD), class_id)


def _classes(scores, named, count):
    first = np.argsort(-scores, kind="stable")[:count]
    said = {}
    for index in first:
        said.setdefault(named[index], KeywordTag(named[index], float(scores[index])))
    return tuple(said.values())


def _even(scores, taxonomy):
    return tuple(tag for tag in candidates(strongest(scores), taxonomy) if tag.score >= EVEN)[:MOST_KEYWORDS]


def wordnet_lines(class_ids):
    """Return, for each class, its synset and all above it in WordNet itself."""
    nouns = read_nouns(DATA_NOUN)
    return [_upwards(nouns, class_id) for class_id in class_ids]


def _upwards(nouns, class_id):
    found, level = {class_id: None}, [class_id]
    while level:
        level = [parent for each in level for parent in nouns[each].parents if parent not in found]
        found.update(dict.fromkeys(level))
    return tuple(found)


def _wordnet(scores, lines, shown):
    """Return every synset with that sum. One that is no word of our shop gets another id: nobody types it."""
    sums = defaultdict(float)
    for index in np.argsort(-scores, kind="stable")[:20]:
        for synset in lines[index]:
            sums[synset] += float(scores[index])
    said = [synset for synset in sums if sums[synset] >= EVEN]
    return tuple(KeywordTag(each if each in shown else f"{each} (no word of a shop)", sums[each]) for each in said)
