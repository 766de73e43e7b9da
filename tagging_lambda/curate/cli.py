"""Commands on stored records: pin, suppress, release, retag, undo."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click

from pipeline.clock import utc_now
from pipeline.errors import CallerError
from pipeline.exit_codes import ATTENTION
from pipeline.images import ImageRef
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.progress import Progress
from pipeline.records import KeywordAction
from pipeline.run_id import new_run_id
from pipeline.settings import model_dir
from tagging_lambda.curate.connect import rewriter_of_stack
from tagging_lambda.curate.decide import Decider, DecisionCounts, Wish
from tagging_lambda.curate.decision_file import wishes_in
from tagging_lambda.curate.keyword_lookup import keyword_named, keyword_once_named
from tagging_lambda.curate.report import (
    decided_document,
    decided_text,
    retagged_document,
    retagged_text,
    undone_document,
    undone_text,
)
from tagging_lambda.curate.retag import RetagCounts, Retagger
from tagging_lambda.curate.undo import UndoCounts, Undoer
from tagging_lambda.model_card import ModelCard
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tagging_lambda.words.head_store import InstalledHeads

MAX_BY_LETTERS = 64  # chosen by us: a name or an address; it is stored on every record


def _decision(verdict: KeywordAction, summary: str) -> Callable[..., int]:
    """Return the command of one verdict; the three differ only in that."""

    def command(
        *, keyword: str | None, image: str | None, product: str | None, file: Path | None, by: str, as_json: bool
    ) -> int:
        vocabulary = Vocabulary.load()
        if file is not None:
            if keyword or image or product:
                raise CallerError("--file names everything itself; leave out KEYWORD, IMAGE and --product")
            wishes = wishes_in(file, verdict, vocabulary)
        else:
            wishes = (_wish(verdict, keyword, image, product, vocabulary),)
        return _decide(wishes, vocabulary, by, as_json=as_json)

    command.__doc__ = f"""{summary}

    The keyword is given by a word in any language, or by its id. A product's images are those on record now.

    \b
    A FILE decides on thousands at once: a CSV with the columns keyword, image (s3://bucket/key) or product, and
    decision (pin, suppress or release), without which a row means {verdict}.
    """
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else."),
        click.option("--by", default="", metavar="NAME", help="Who decided; kept with the decision."),
        click.option("--file", type=click.Path(path_type=Path), metavar="FILE", help="Many decisions, from a CSV."),
        click.option("--product", metavar="ID", help="All images of a product, instead of one image."),
        click.argument("image", required=False, metavar="[s3://BUCKET/KEY]"),
        click.argument("keyword", required=False, metavar="[KEYWORD]"),
    ):
        command = option(command)
    return click.command(str(verdict))(command)


pin = _decision(KeywordAction.PIN, "Say that a keyword fits, whatever the model says; broader keywords are added too.")
suppress = _decision(
    KeywordAction.SUPPRESS, "Say that a keyword does not fit, whatever the model says; no other keyword changes."
)
release = _decision(KeywordAction.RELEASE, "Take a decision back: the model decides again.")


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--all", "everything", is_flag=True, help="Also images that have this taxonomy's version already.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def retag(dry_run: bool, everything: bool, as_json: bool) -> int:
    """Apply today's taxonomy to all images, from the class scores on record: no photo is read.

    If it is stopped, the same command goes on where it was. Deploy the taxonomy first: a function with an older one
    would turn back the images that it reconciles.
    """
    card, vocabulary = ModelCard.load(model_dir() / CARD_NAME), Vocabulary.load()
    heads = InstalledHeads.of_this_machine().load()
    mapper = KeywordMapper.of(vocabulary, [model_class.id for model_class in card.classes], heads)
    run_id, counts = new_run_id(utc_now()), RetagCounts(card.version)
    with rewriter_of_stack(dry_run=dry_run) as rewriter, Progress("retag", quiet=as_json) as progress:
        retagger = Retagger(rewriter, mapper, card.version, run_id, everything)
        for event in progress.over(retagger.retag(rewriter.table.scan())):
            counts.add(event)
    if as_json:
        click.echo(json.dumps(retagged_document(counts, run_id, vocabulary, dry_run=dry_run)))
    else:
        click.echo(retagged_text(counts, run_id, vocabulary, dry_run=dry_run))
    return ATTENTION if counts.failed or counts.other_model or counts.unreadable.count else 0


@click.command()
@click.option("--run", "run_id", required=True, metavar="ID", help="The run, as load or retag has named it.")
@click.option("--dry-run", is_flag=True, help="Show what would be taken back, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def undo(run_id: str, dry_run: bool, as_json: bool) -> int:
    """Take back what a run wrote, and only that: images have the keywords again that they had before it.

    An image of which nothing was known before, or only another photo, becomes as if it had never been tagged. People's
    decisions stay. One run back is kept of each image. Wait until the run has ended: its queue would tag them again.
    """
    vocabulary, counts = Vocabulary.load(), UndoCounts(run_id)
    with rewriter_of_stack(dry_run=dry_run) as rewriter, Progress("undo", quiet=as_json) as progress:
        undoer = Undoer(rewriter, run_id, vocabulary, utc_now)
        for event in progress.over(undoer.undo(rewriter.table.scan())):
            counts.add(event)
    if not counts.written_last and not counts.unreadable.count:
        raise CallerError(f"no image was written last by the run {run_id}; `catalog-tagger show` names an image's run")
    if as_json:
        click.echo(json.dumps(undone_document(counts, run_id, dry_run=dry_run)))
    else:
        click.echo(undone_text(counts, run_id, dry_run=dry_run))
    return ATTENTION if counts.failed or counts.unreadable.count or not counts.written_last else 0


def _wish(
    verdict: KeywordAction, keyword: str | None, image: str | None, product: str | None, vocabulary: Vocabulary
) -> Wish:
    if keyword is None or (image is None) == (product is None):
        raise CallerError(
            "name a keyword and one image, s3://bucket/key, or one product, --product ID; many decisions: --file"
        )
    lookup = keyword_once_named if verdict is KeywordAction.RELEASE else keyword_named
    target = ImageRef.parse(image) if image is not None else str(product)
    return Wish(verdict, lookup(keyword, vocabulary), target)


def _decide(wishes: tuple[Wish, ...], vocabulary: Vocabulary, by: str, *, as_json: bool) -> int:

    if len(by) > MAX_BY_LETTERS:
        raise CallerError(f"--by has {len(by):,} letters; the limit is {MAX_BY_LETTERS}")
    counts = DecisionCounts()
    with rewriter_of_stack() as rewriter:
        decider = Decider(rewriter.table, rewriter, vocabulary, utc_now, by)
        resolved = decider.resolve(wishes)
        with Progress("decide", total=len(resolved.by_image) + len(resolved.unknown), quiet=as_json) as progress:
            for event in progress.over(decider.decide(resolved)):
                counts.add(event)
    return _report(counts, wishes, vocabulary, as_json=as_json)


def _report(counts: DecisionCounts, wishes: tuple[Wish, ...], vocabulary: Vocabulary, *, as_json: bool) -> int:
    if len(wishes) == 1 and counts.unknown and not counts.changed:
        raise CallerError(f"nothing is known of {counts.unknown[0]}; load it first")
    text = decided_text(counts, wishes, vocabulary)
    click.echo(json.dumps(decided_document(counts)) if as_json else text)
    return ATTENTION if counts.unknown or counts.failed else 0
