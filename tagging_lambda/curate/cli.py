"""Commands on records at rest: pin, suppress, release, retag, undo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.keywords import Vocabulary
    from pipeline.records import KeywordAction
    from tagging_lambda.curate.decide import Wish

# What is imported inside the functions is loaded when a command runs, not for the help.

ATTENTION = 1  # the exit code of what is done and wants attention
MAX_BY_LETTERS = 64  # chosen by us: a name or an address; it lies on every record


def _decision(verdict: str, what: str) -> Callable[..., int]:
    """Return the command of one verdict; the three differ in nothing else."""

    def command(
        *, keyword: str | None, image: str | None, product: str | None, file: Path | None, by: str, as_json: bool
    ) -> int:
        from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
        from pipeline.records import KeywordAction  # noqa: PLC0415 - as said above

        vocabulary = Vocabulary.load()
        wishes = _wishes(KeywordAction(verdict), (keyword, image, product, file), vocabulary)
        return _decide(wishes, vocabulary, by, as_json=as_json)

    command.__doc__ = f"""{what}

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
    return click.command(verdict)(command)


pin = _decision("pin", "Say that a keyword fits, whatever the model says; what is above it is said with it.")
suppress = _decision("suppress", "Say that a keyword does not fit, whatever the model says; it alone is taken away.")
release = _decision("release", "Take a decision back: the model decides again.")


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--all", "everything", is_flag=True, help="Also images that have this taxonomy's version already.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def retag(dry_run: bool, everything: bool, as_json: bool) -> int:
    """Make the keywords of all images anew by today's taxonomy, from the class scores on record: no photo is read.

    When it was stopped, the same command goes on where it was. Deploy the taxonomy first: a function with an older
    one would turn the images that it looks at back.
    """
    from datetime import UTC, datetime  # noqa: PLC0415 - as said above

    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
    from pipeline.model_version import CARD_NAME  # noqa: PLC0415 - as said above
    from pipeline.progress import Progress  # noqa: PLC0415 - as said above
    from pipeline.run_id import new_run_id  # noqa: PLC0415 - as said above
    from pipeline.settings import model_dir  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.connect import rewriter_of_stack  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.report import retagged_document, retagged_text  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.retag import Retagged, Retagger  # noqa: PLC0415 - as said above
    from tagging_lambda.model_card import ModelCard  # noqa: PLC0415 - as said above
    from tagging_lambda.words.taxonomy import Taxonomy  # noqa: PLC0415 - as said above

    card, vocabulary = ModelCard.load(model_dir() / CARD_NAME), Vocabulary.load()
    taxonomy = Taxonomy.of(vocabulary, [each.id for each in card.classes])
    run_id, retagged = new_run_id(datetime.now(UTC)), Retagged()
    with rewriter_of_stack(dry_run=dry_run) as rewriter, Progress("retag", quiet=as_json) as progress:
        retagger = Retagger(rewriter, taxonomy, card.version, run_id, everything)
        for _ in retagger.retag(rewriter.table.scan(), retagged):
            progress.step()
    if as_json:
        click.echo(json.dumps(retagged_document(retagged, run_id, vocabulary, dry_run=dry_run)))
    else:
        click.echo(retagged_text(retagged, run_id, vocabulary, dry_run=dry_run))
    return ATTENTION if retagged.failed or retagged.other_model else 0


@click.command()
@click.option("--run", "run_id", required=True, metavar="ID", help="The run, as load or retag has named it.")
@click.option("--dry-run", is_flag=True, help="Show what would be taken back, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def undo(run_id: str, dry_run: bool, as_json: bool) -> int:
    """Take back what a run wrote, and only that: images have the keywords again that they had before it.

    An image of which nothing was known before, or another photo, becomes as if nobody had looked at it. People's
    decisions stay. One run back is kept of each image. The run must have ended: its queue would tag them again.
    """
    from pipeline.clock import utc_now  # noqa: PLC0415 - as said above
    from pipeline.keywords import Vocabulary  # noqa: PLC0415 - as said above
    from pipeline.progress import Progress  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.connect import rewriter_of_stack  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.report import undone_document, undone_text  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.undo import Undoer, Undone  # noqa: PLC0415 - as said above

    vocabulary, undone = Vocabulary.load(), Undone()
    with rewriter_of_stack(dry_run=dry_run) as rewriter, Progress("undo", quiet=as_json) as progress:
        undoer = Undoer(rewriter, run_id, vocabulary, utc_now)
        for _ in undoer.undo(rewriter.table.scan(), undone):
            progress.step()
    if as_json:
        click.echo(json.dumps(undone_document(undone, run_id, dry_run=dry_run)))
    else:
        click.echo(undone_text(undone, run_id, dry_run=dry_run))
    return ATTENTION if undone.failed or not undone.found else 0


def _wishes(verdict: KeywordAction, said: tuple[Any, ...], vocabulary: Vocabulary) -> tuple[Wish, ...]:
    from pipeline.images import ImageRef  # noqa: PLC0415 - as said above
    from pipeline.records import KeywordAction  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.decide import Wish  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.decision_file import wishes_in  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.keyword_lookup import keyword_named, keyword_once_named  # noqa: PLC0415 - as said above

    keyword, image, product, file = said
    if file is not None:
        if keyword or image or product:
            raise CallerError("a file says everything itself: give --file alone, or a keyword with an image or product")
        return wishes_in(file, verdict, vocabulary)
    if keyword is None or (image is None) == (product is None):
        raise CallerError("name a keyword and one image, s3://bucket/key, or one product, --product ID")
    named = keyword_once_named if verdict is KeywordAction.RELEASE else keyword_named
    return (Wish(verdict, named(keyword, vocabulary), ImageRef.parse(image) if image else product),)


def _decide(wishes: tuple[Wish, ...], vocabulary: Vocabulary, by: str, *, as_json: bool) -> int:
    from pipeline.clock import utc_now  # noqa: PLC0415 - as said above
    from pipeline.progress import Progress  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.connect import rewriter_of_stack  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.decide import Decided, Decider  # noqa: PLC0415 - as said above
    from tagging_lambda.curate.report import decided_document, decided_text  # noqa: PLC0415 - as said above

    if len(by) > MAX_BY_LETTERS:
        raise CallerError(f"--by has {len(by):,} letters; the limit is {MAX_BY_LETTERS}")
    decided = Decided()
    with rewriter_of_stack() as rewriter:
        decider = Decider(rewriter.table, rewriter, vocabulary, utc_now, by)
        by_image = decider.by_image(wishes, decided.unknown)
        with Progress("decide", total=len(by_image), quiet=as_json) as progress:
            for _ in decider.decide(by_image, decided):
                progress.step()
    if len(wishes) == 1 and decided.unknown and not decided.changed:
        raise CallerError(f"nothing is known of {decided.unknown[0]}; load it first")
    said = decided_text(decided, wishes, vocabulary)
    click.echo(json.dumps(decided_document(decided)) if as_json else said)
    return ATTENTION if decided.unknown or decided.failed else 0
