"""Commands of this stage: tag."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.colours import colours_of
from pipeline.errors import CallerError
from pipeline.keyword_names import KeywordNames
from pipeline.keywords import Vocabulary
from pipeline.photo_rules import broken_ids, shipped_rule_sets, with_ancestors
from pipeline.progress import Progress
from pipeline.settings import model_dir
from tagging_lambda.local_files import FileTagger, RejectedFile, files_below
from tagging_lambda.words.head_store import InstalledHeads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.facts import PhotoFacts
    from pipeline.keywords import KeywordTag
    from tagging_lambda.local_files import TaggedFile

CLASSES_SHOWN = 5


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, and nothing else.")
@click.option(
    "--language", default="en", show_default=True, help="Of the keywords shown: en, de, fr, es, or the shop's."
)
@click.option("--workers", type=click.IntRange(1, 256), help="Files at once.  [default: one for each core]")
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="NAME_OR_FOLDER",
    help="Use this head; may be given several times.  [default: all that are installed]",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if any file was rejected.")
def tag(  # noqa: PLR0917 - click passes them by name
    paths: Sequence[Path], as_json: bool, language: str, workers: int | None, heads: Sequence[str], strict: bool
) -> int:
    """Tag files and folders of this machine: one line per image, and no AWS at all.

    A file that is no readable picture is a line with its reason; the rest goes on.
    """
    files, vocabulary = files_below(paths), Vocabulary.load()
    if language not in vocabulary.languages:
        raise CallerError(f"no keyword has words in {language!r}; there are {', '.join(vocabulary.languages)}")
    tagger = FileTagger.load(model_dir(), vocabulary, workers, InstalledHeads.of_this_machine().load(heads))
    rejected = 0
    # On a terminal the lines themselves show that it goes on.
    with Progress("tag", quiet=as_json or sys.stdout.isatty()) as progress:
        for result in progress.over(tagger.tag(files)):
            rejected += isinstance(result, RejectedFile)
            click.echo(json.dumps(_document(result, tagger)) if as_json else _line(result, tagger, language))
    return 1 if strict and rejected else 0


def _document(result: TaggedFile | RejectedFile, tagger: FileTagger) -> dict[str, Any]:
    if isinstance(result, RejectedFile):
        refused = {"status": "rejected", "reason": result.reason, "detail": result.detail}
        return {
            "image": str(result.path),
            **refused,
            "keywords": [],
            "classes": [],
            "low_information": False,
            "needs_a_look": False,
            "colours": [],
            "rules": {},
        }
    classes = tagger.classifier.card.classes
    return {
        "image": str(result.path),
        "status": "tagged",
        "reason": None,
        "keywords": KeywordNames(tagger.vocabulary).documents(result.keywords),
        "classes": [
            {"class_index": c.class_index, "class": classes[c.class_index].name, "score": round(c.score, 4)}
            for c in result.class_scores[:CLASSES_SHOWN]
        ],
        "low_information": result.low_information,
        "needs_a_look": not result.keywords,
        **signals_document(result.facts, result.keywords, tagger.vocabulary),
    }


def signals_document(
    facts: PhotoFacts | None, keywords: Sequence[KeywordTag], vocabulary: Vocabulary
) -> dict[str, Any]:
    """Return a photo's colours, and the ids of the rules that it breaks, as ``tag --json`` prints them."""
    today = datetime.now(UTC).date()
    return {
        "colours": [{"colour": c.colour, "share": round(c.share, 2)} for c in colours_of(facts)],
        "rules": broken_ids(shipped_rule_sets(), facts, with_ancestors(keywords, vocabulary), today),
    }


def _line(result: TaggedFile | RejectedFile, tagger: FileTagger, language: str) -> str:
    name = printable(str(result.path))
    if isinstance(result, RejectedFile):
        return f"{name}  {click.style(f'rejected ({result.reason}): {result.detail}', fg='red')}"
    nodes = tagger.vocabulary.nodes
    words = ", ".join(f"{nodes[k.keyword_id].name(language)} {k.score:.2f}" for k in result.keywords)
    return f"{name}  {words or '(no keyword)'}"


def printable(text: str) -> str:
    """Return the text with everything escaped that could steer a terminal: file names are the sender's text."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
