"""`catalog-tagger local`: the deployed template on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from infra.local.authorization import PASSWORD, USER, Authorization
from infra.local.deploy import LocalApi
from infra.local.place import default_place
from infra.local.run import Life, LocalStatus, Sources
from infra.local.run import down as take_down
from infra.local.run import status as status_of
from infra.local.run import up as bring_up
from infra.package import ROOT, TEMPLATE
from pipeline.aws.clients import LOCAL_KEY, LOCAL_REGION, client
from pipeline.aws.functions import PATTERN_VARIABLE, deployed_product_pattern
from pipeline.aws.s3 import S3Images
from pipeline.exit_codes import ATTENTION, DONE
from pipeline.images import BucketPrefix
from pipeline.product_pattern import ProductPattern
from pipeline.products import describe_products
from pipeline.settings import model_dir
from pipeline.stack import LocalRun, Stack

COMES_BACK = (
    "It had ended without `local down`; all that it had acknowledged comes back with `catalog-tagger local up`."
)


@click.command()
@click.option(
    "--auth",
    type=click.Choice([str(kind) for kind in Authorization]),
    default=str(Authorization.NONE),
    show_default=True,
    help="Whom the API answers: everybody, whoever signs as AWS asks, or whoever signs in at the page.",
)
@click.option(
    "--product-pattern",
    envvar=PATTERN_VARIABLE,
    metavar="REGEX",
    help="Reads the product from a key, by a group named product.  [default: the key without its ending]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
def up(*, auth: str, product_pattern: str | None, as_json: bool) -> int:
    """Start the local stack, or bring it up to date.

    It runs in the background until `local down`. Template, code and model are deployed as they are now.
    """
    parameters = {"ProductPattern": ProductPattern.parse(product_pattern).pattern.pattern} if product_pattern else {}
    done = bring_up(default_place(), Sources(TEMPLATE, ROOT, model_dir()), Authorization(auth), parameters)
    if as_json:
        facts = {**_run_facts(done.run), "was": str(done.before), "changed": done.changed, **_api_facts(done.api)}
        facts["recovered"] = {"items": done.recovered.items, "messages": done.recovered.messages}
        click.echo(json.dumps({"state": str(Life.UP), **facts, "stack": done.stack.outputs()}))
        return DONE
    if done.before is Life.DIED:
        back = done.recovered
        click.echo(
            f"It had ended without `local down`. Its journal brought back {back.items:,} changes of records and "
            f"{back.messages:,} messages; photos that were tagged already are only compared once more.",
            err=True,
        )
    already = " already" if done.before is Life.UP else ""
    news = "" if done.before is not Life.UP else ", and up to date" if not done.changed else ", and now up to date"
    click.echo(f"The local stack is{already} up{news}: {done.run.endpoint_url} (process {done.run.pid}).")
    _show_names(done.stack, done.api)
    _show_products(done.stack)
    return DONE


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
def status(*, as_json: bool) -> int:
    """Say whether the local stack is up, where it answers, and what its queues hold.

    Exits 1 where it is not up.
    """
    report = status_of(default_place())
    if as_json:
        click.echo(json.dumps(_status_facts(report)))
    else:
        _show_status(report)
    return DONE if report.life is Life.UP else ATTENTION


@click.command()
@click.option("--purge", is_flag=True, help="Forget its objects, records and messages as well.")
def down(*, purge: bool) -> int:
    """Stop the local stack. Its objects, records and messages are kept for the next `local up`."""
    before = take_down(default_place(), purge=purge)
    sentences = {Life.NONE: "There is no local stack.", Life.DOWN: "The local stack is down already."}
    click.echo(sentences.get(before, "The local stack is down."))
    if purge and before is not Life.NONE:
        click.echo("All that it held is gone.")
    elif before is Life.DIED:
        click.echo(COMES_BACK, err=True)
    return DONE


def _run_facts(run: LocalRun | None) -> dict[str, Any]:
    return {"endpoint_url": run and run.endpoint_url, "pid": run and run.pid}


def _api_facts(api: LocalApi | None) -> dict[str, Any]:
    facts = {"api": api and api.url, "auth": api and str(api.authorization), "page": api and api.page_url}
    is_signed_in = api is not None and api.authorization is Authorization.JWT
    return facts | {"sign_in": {"user": USER, "password": PASSWORD} if is_signed_in else None}


def _status_facts(report: LocalStatus) -> dict[str, Any]:
    queues = {"uploads": report.uploads, "backfill": report.backfill}
    return {
        "state": str(report.life),
        **_run_facts(report.run),
        **_api_facts(report.api),
        "stack": report.stack and report.stack.outputs(),
        "queues": {name: asdict(counts) for name, counts in queues.items() if counts is not None},
    }


def _show_status(report: LocalStatus) -> None:
    if report.stack is None or report.run is None:
        sentences = {
            "down": "The local stack is down; `catalog-tagger local up` starts it.",
            "died": "The local stack has ended without `local down`; `catalog-tagger local up` starts it again.",
            "silent": "The local stack runs and does not answer; `catalog-tagger local down` stops it.",
            "none": "There is no local stack; `catalog-tagger local up` makes one.",
        }
        click.echo(sentences[report.life])
        return
    click.echo(f"The local stack is up: {report.run.endpoint_url} (process {report.run.pid}).")
    _show_names(report.stack, report.api)
    for name, counts in (("uploads", report.uploads), ("backfill", report.backfill)):
        if counts is not None:
            numbers = (
                f"{counts.waiting:,} waiting, {counts.in_flight:,} in flight, {counts.dead_lettered:,} dead letters"
            )
            click.echo(f"  {name + ' queue':<15}{numbers}")


def _show_products(stack: Stack) -> None:
    pattern = deployed_product_pattern(client("lambda", stack.endpoint_url), stack.tag_function_name)
    listing = S3Images(client("s3", stack.endpoint_url)).listing(BucketPrefix(stack.images_bucket))
    examples, warning = describe_products((listed.image for listed in listing), pattern)
    for line in examples[:1]:
        click.echo(f"  {'products':<15}{line}")
    if warning:
        click.echo(f"{warning}: `catalog-tagger local up --product-pattern REGEX`", err=True)


def _show_names(stack: Stack, api: LocalApi | None) -> None:
    for title, name in (
        *(_api_lines(api) if api else ()),
        ("images bucket", stack.images_bucket),
        ("table", stack.table_name),
        ("export", f"s3://{stack.export_bucket}/{stack.export_prefix}"),
    ):
        click.echo(f"  {title:<15}{name}")


def _api_lines(api: LocalApi) -> list[tuple[str, str | None]]:
    match api.authorization:
        case Authorization.IAM:
            key = f"--aws-sigv4 aws:amz:{LOCAL_REGION}:execute-api --user {LOCAL_KEY}:{LOCAL_KEY}"
            return [("API", api.url), ("signed by", f"curl {key}")]
        case Authorization.JWT:
            return [("page", api.page_url), ("sign in", f"as {USER} with the password {PASSWORD}")]
        case Authorization.NONE:
            return [("page", api.page_url)]
