"""The command search."""

from __future__ import annotations

import json
import os
import time

import click

from pipeline.errors import CallerError
from pipeline.keyword_names import KeywordNames
from pipeline.keywords import LANGUAGES, Source, Vocabulary
from pipeline.reject_reasons import RejectReason
from pipeline.terminal import columns, warn
from results_sink.connect import export_place
from results_sink.report import answer_document, answer_text
from results_sink.search.filters import NO_FILTERS, Filters
from results_sink.search.newest import ExportReader
from results_sink.search.query import parse
from results_sink.search.search import SearchRequest, Sort
from results_sink.search.words import QueryWords

REASONS = tuple(str(reason) for reason in RejectReason)


@click.command()
@click.argument("query", nargs=-1, metavar="QUERY")
@click.option("--from", "export_name", metavar="DIR|s3://BUCKET/PREFIX", help="The export.  [default: the stack's own]")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0), help="The most results shown.")
@click.option("--per-product", is_flag=True, help="One result per product, its best image, instead of one per image.")
@click.option("--language", type=click.Choice(LANGUAGES), default=LANGUAGES[0], show_default=True, help="Your own.")
@click.option(
    "--sort",
    type=click.Choice([str(sort) for sort in Sort]),
    default="score",
    show_default=True,
    help="The order of the results.",
)
@click.option("--needs-a-look", is_flag=True, help="Only images that the machine was not sure of.")
@click.option(
    "--source", type=click.Choice([str(source) for source in Source]), help="Only images with a keyword from there."
)
@click.option("--reason", type=click.Choice(REASONS), help="Images that were rejected for this reason; without QUERY.")
@click.option(
    "--text", default="", help="Words that the product's id, title or brand must hold, as the shop wrote them."
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, and nothing else.")
def search(  # noqa: PLR0913, PLR0917 - the options of the command
    query: tuple[str, ...],
    export_name: str | None,
    limit: int,
    per_product: bool,
    language: str,
    sort: str,
    needs_a_look: bool,
    source: str | None,
    reason: str | None,
    text: str,
    as_json: bool,
) -> None:
    """Find images by keywords, from the last export.

    \b
    footwear                       and everything below it: boots, sandals, ...
    boot sandal                    both, as boot AND sandal
    'boot OR sandal'
    'footwear AND NOT boot'
    '(boot OR clog) min:0.8'       with a score of 0.8 or more
    '"rocking chair"'              a keyword of several words
    red dress                      a colour, where the export says colours
    Schuh, chaussure, zapato       in any language; case and accents do not matter

    Words that mean nothing are left out and named. Misspelled words are read as the nearest word.
    """  # noqa: D301 - the mark is click's, and no text
    vocabulary = Vocabulary.load()
    words = " ".join(query)
    filters = Filters(needs_a_look or None, Source(source) if source else None, reason, text.strip())
    if reason and words:
        raise CallerError("rejected images have no keywords: leave out the query, or --reason")
    may_be_empty = filters != NO_FILTERS
    parse(words, QueryWords(vocabulary).in_language(language), may_be_empty=may_be_empty)  # before any download
    target = export_place(export_name, os.environ)
    reader = ExportReader(target.files, target.copies, target.name, vocabulary, time.monotonic, warn)
    request = SearchRequest(words, limit, per_product=per_product, language=language, filters=filters, sort=Sort(sort))
    answer = reader.searcher().answer(request)
    names = KeywordNames(vocabulary, language)
    unit = "product" if per_product else "image"
    click.echo(json.dumps(answer_document(answer, names)) if as_json else answer_text(answer, names, unit, columns()))
