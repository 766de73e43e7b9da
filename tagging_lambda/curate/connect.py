"""Puts the deployed stack's table behind the port that these verbs need."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.stack import find_stack
from tagging_lambda.curate.rewrite import AT_ONCE, Rewriter

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def rewriter_of_stack(*, dry_run: bool = False) -> Iterator[Rewriter]:
    """Give what rewrites the table of the stack that is deployed.

    Raises:
        NoStack: none is.
    """
    stack = find_stack()
    table = DynamoTable(client("dynamodb", stack.endpoint_url), stack.table_name)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield Rewriter(table, pool, dry_run)
