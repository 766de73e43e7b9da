"""`catalog-tagger tag`: files and folders of this machine, without AWS, to the terminal, a file or an export."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from infra.model.first_use import ensure_model
from pipeline.errors import CallerError
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.keyword_names import KeywordNames
from pipeline.keywords import Vocabulary
from pipeline.not_pictures import skip_reason
from pipeline.product_pattern import DEFAULT_PRODUCT_PATTERN, ProductPattern
from pipeline.progress import Progress
from pipeline.settings import model_dir
from pipeline.terminal import printable
from results_sink.export.manifest import LATEST_NAME
from tagging_lambda.file_documents import file_document
from tagging_lambda.tag_files import FileTagger, RejectedFile, TaggedFile, count_beside_photos, files_below
from tagging_lambda.words.head_store import InstalledHeads
from tagging_lambda.words.heads_option import heads_option

Results = Iterable[TaggedFile | RejectedFile]

CSV, JSON_LINES, PARQUET = ".csv", ".jsonl", ".parquet"


@dataclass
class TagSummary:
    """Counts what became of files as they pass by."""

    tagged: int = 0
    needs_a_look: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    rejected_photos: int = 0  # those whose names do not say that they are none

    def over(self, results: Results) -> Iterator[TaggedFile | RejectedFile]:
        """Yield the results, and count them."""
        for result in results:
            if isinstance(result, RejectedFile):
                self.rejected[str(result.reason)] += 1
                self.rejected_photos += skip_reason(result.path.name) is None
            else:
                self.tagged += 1
                self.needs_a_look += not result.keywords
            yield result

    def document(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        return {
            "tagged": self.tagged,
            "needs_a_look": self.needs_a_look,
            "rejected": dict(sorted(self.rejected.items())),
        }

    def line(self, skipped: int, seconds: float) -> str:
        """Return the counts on one line; ``skipped`` files were lists and notes beside the photos."""
        rejected = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.rejected.items()))
        parts = [
            f"{self.tagged:,} tagged",
            *([f"{self.needs_a_look:,} of them without a keyword"] if self.needs_a_look else []),
            *([f"{self.rejected.total():,} rejected ({rejected})"] if rejected else []),
            *([f"{skipped:,} skipped that are no photos by name"] if skipped else []),
        ]
        return f"{', '.join(parts)}, in {seconds:,.1f} s"


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT.{csv,jsonl,parquet}|FOLDER",
    help="Write a file by its ending, or into a folder the same export that AWS writes. Photos that were done before "
    "are not done again.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; with -o, one of the counts.")
@click.option(
    "--language", default="en", show_default=True, help="Of the keywords shown: en, de, fr, es, or the shop's."
)
@click.option("--workers", type=click.IntRange(1, 256), help="Files at once.  [default: one for each core]")
@heads_option
@click.option(
    "--product-pattern",
    metavar="REGEX",
    default=DEFAULT_PRODUCT_PATTERN,
    help="Reads the product from the path below FOLDER, by a group named product.  [default: the path, no ending]",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if any photo was rejected.")
def tag(  # noqa: PLR0913 - the options of the command
    *,
    paths: Sequence[Path],
    output: Path | None,
    as_json: bool,
    language: str,
    workers: int | None,
    heads: Sequence[str],
    product_pattern: str,
    strict: bool,
) -> int:
    """Tag files and folders of this machine, without AWS: one line per image, or a file or an export of them.

    A file that is no readable picture is a line with its reason; the rest goes on. In folders, lists and notes (.csv,
    .txt, ...) are left out.

    \b
    catalog-tagger tag photos/ -o keywords.csv
    catalog-tagger tag photos/ -o tagged          then: search boot --from tagged
                                                  and duplicates, check, export --from
    """  # noqa: D301 - the mark is click's, and no text
    began_s = time.monotonic()
    files, vocabulary = files_below(paths), Vocabulary.load()
    names = KeywordNames.in_language(vocabulary, language)  # a mistake is said before the model loads
    products = ProductPattern.parse(product_pattern)
    if output is not None:
        check_output(output)
    ensure_model()
    tagger = FileTagger.load(model_dir(), vocabulary, workers, InstalledHeads.of_this_machine().load(heads))
    tagging = Tagging(tagger, replace(names, vocabulary=tagger.vocabulary), paths, products)
    summary = TagSummary()
    if output is None:
        _print_results(summary.over(tagger.tag(files)), tagging, as_json=as_json)
    else:
        from infra.tag_output import write_output  # noqa: PLC0415 - pyarrow doubles the start of a run without it

        # By content: what an output says of a path is worth nothing once its file has changed (DECISIONS.md, 91).
        results = summary.over(tagger.with_cache().tag(files))
        with Progress("tag", total=sum(1 for _ in files_below(paths)), unit="photos", quiet=as_json) as progress:
            write_output(output, progress.over(results), tagging)
    if not as_json:
        line = summary.line(count_beside_photos(paths), time.monotonic() - began_s)
        click.echo(f"{line}: {printable(str(output))}" if output else f"\n{line}")
    elif output:
        click.echo(json.dumps({"output": str(output), **summary.document()}))
    return ATTENTION if strict and summary.rejected_photos else DONE


def _print_results(results: Results, tagging: Tagging, *, as_json: bool) -> None:
    # On a terminal the lines themselves show that it goes on.
    with Progress("tag", quiet=as_json or sys.stdout.isatty()) as progress:
        for result in progress.over(results):
            click.echo(json.dumps(tagging.document(result)) if as_json else file_line(result, tagging.names))


@dataclass(frozen=True)
class Tagging:
    """What an output needs to know of the run beside the results."""

    tagger: FileTagger
    names: KeywordNames
    roots: Sequence[Path]
    products: ProductPattern

    def document(self, result: TaggedFile | RejectedFile) -> dict[str, Any]:
        """Return a result as ``tag --json`` prints it."""
        return file_document(result, self.names, self.tagger.classifier.card.classes)


def file_line(result: TaggedFile | RejectedFile, names: KeywordNames) -> str:
    """Return the line that a person reads of a file."""
    name = printable(str(result.path))
    if isinstance(result, RejectedFile):
        return f"{name}  {click.style(f'rejected ({result.reason}): {result.detail}', fg='red')}"
    return f"{name}  {names.line(result.keywords)}"


def check_output(output: Path) -> None:
    """Refuse what cannot be written, before any photo is read.

    Raises:
        CallerError: the ending is none of ours, the folder around it is missing, or it is a folder with other files.
    """
    is_file = output.suffix in {CSV, JSON_LINES, PARQUET}
    if not output.parent.is_dir():
        raise CallerError(f"{output} cannot be written: there is no folder {output.parent}")
    if is_file and output.is_dir():
        raise CallerError(f"{output} is a folder; name a file that ends in {output.suffix}")
    if is_file:
        return
    if output.is_file() or skip_reason(output.name):
        raise CallerError(f"{output}: name a file that ends in {CSV}, {JSON_LINES} or {PARQUET}, or a folder")
    if output.is_dir() and any(output.iterdir()) and not (output / LATEST_NAME).is_file():
        raise CallerError(f"{output} holds other files and no export; name a new folder")
