"""Connects these verbs to the deployed stack's table."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pipeline.aws.dynamodb import table_of_stack
from tagging_lambda.curate.rewrite import AT_ONCE, Rewriter


@contextmanager
def rewriter_of_stack(*, dry_run: bool = False) -> Iterator[Rewriter]:
    """Yield a rewriter of the deployed stack's table.

    Raises:
        NoStack: no stack is deployed.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield Rewriter(table_of_stack(), pool, dry_run)
