"""`catalog-tagger taxonomy`: the keywords that a photo can get, with the ids that an overlay names."""

from __future__ import annotations

import json

import click

from pipeline.errors import CallerError
from pipeline.keyword_names import KeywordNames
from pipeline.keywords import Keyword, Vocabulary, fold


@click.command()
@click.argument("word", required=False)
@click.option(
    "--language", default="en", show_default=True, help="The language of the words: en, de, fr, es, or one of your own."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def taxonomy(*, word: str | None, language: str, as_json: bool) -> None:
    """Print the keywords that a photo can get: the id, the words and the parents of each.

    With WORD, only keywords with a word that contains it, in any language. overlay.csv uses the same ids.
    """
    names = KeywordNames.in_language(Vocabulary.load(), language)
    keywords = [keyword for keyword in names.vocabulary.emitted if word is None or _contains(keyword, word)]
    if not keywords:
        raise CallerError(f"no keyword has a word that contains {word!r}; `catalog-tagger taxonomy` prints all")
    if as_json:
        click.echo(json.dumps({"keywords": [_document(keyword, names) for keyword in keywords]}))
        return
    width = max(len(keyword.id) for keyword in keywords)
    click.echo("\n".join(f"{keyword.id:<{width}}  {_line(keyword, names)}" for keyword in keywords))


def _line(keyword: Keyword, names: KeywordNames) -> str:
    parents = ", ".join(names.name(parent) for parent in keyword.parents)
    words = ", ".join(keyword.words.get(names.language) or (keyword.name(),))
    return words + (f"  < {parents}" if parents else "")


def _contains(keyword: Keyword, word: str) -> bool:
    return any(fold(word) in fold(known) for words in keyword.words.values() for known in words)


def _document(keyword: Keyword, names: KeywordNames) -> dict[str, object]:
    return {
        "id": keyword.id,
        "keyword": names.name(keyword.id),
        "words": {language: list(words) for language, words in keyword.words.items() if words},
        "parents": list(keyword.parents),
        "threshold": keyword.threshold,
    }
