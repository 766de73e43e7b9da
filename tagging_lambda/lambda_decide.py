"""The deployed function that takes people's decisions about keywords, wired from its environment."""

import os
from concurrent.futures import ThreadPoolExecutor

from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.clock import utc_now
from pipeline.http.resolver import HttpSettings, Resolver, make_http_handler
from pipeline.keywords import Vocabulary
from pipeline.settings import required
from pipeline.telemetry import make_logger
from tagging_lambda.curate.decide_route import DecisionWriter, add_routes
from tagging_lambda.curate.rewrite import Rewriter

_table = DynamoTable(client("dynamodb"), required(os.environ, "TABLE_NAME"))
_http = HttpSettings.from_environment(os.environ)
_app = Resolver(make_logger("decide").error, _http)
add_routes(_app, DecisionWriter(Rewriter(_table, ThreadPoolExecutor(1)), Vocabulary.load(), utc_now))
handler = make_http_handler(_app, _http)
