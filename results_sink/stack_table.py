"""The table of the deployed stack. Apart from ``connect``, which loads pyarrow: ``show`` starts without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.stack import find_stack

if TYPE_CHECKING:
    from pipeline.ports import RecordTable


def table_of_stack() -> RecordTable:
    """Return the table of the stack that is deployed.

    Raises:
        NoStack: none is.
    """
    stack = find_stack()
    return DynamoTable(client("dynamodb", stack.endpoint_url), stack.table_name)
