"""The function by which people decide about keywords, as it is deployed: wired from its environment."""

import os
from concurrent.futures import ThreadPoolExecutor

from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.clock import utc_now
from pipeline.http_event import make_http_handler
from pipeline.keywords import Vocabulary
from pipeline.settings import required
from pipeline.telemetry import make_logger
from tagging_lambda.curate.decide_request import make_routes
from tagging_lambda.curate.rewrite import Rewriter

_table = DynamoTable(client("dynamodb"), required(os.environ, "TABLE_NAME"))
handler = make_http_handler(
    make_routes(Rewriter(_table, ThreadPoolExecutor(1)), Vocabulary.load(), utc_now), make_logger("decide").error
)
