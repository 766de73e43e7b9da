"""The API as it is deployed: wired from its environment, asked over HTTP."""

import os
import tempfile
import time
from pathlib import Path

from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Files
from pipeline.http.resolver import HttpSettings, Resolver, make_http_handler
from pipeline.keywords import Vocabulary
from pipeline.settings import ExportSettings
from pipeline.telemetry import make_logger
from results_sink.connect import folder_of
from results_sink.http.api import Api, add_routes
from results_sink.search.newest import ExportReader
from results_sink.search.snapshot import Downloaded

settings = ExportSettings.from_environment(os.environ)
vocabulary = Vocabulary.load()
files = S3Files(client("s3"), folder_of(settings.bucket, settings.prefix))
logger = make_logger("api")
copies = Downloaded(files, "the export", Path(tempfile.gettempdir()) / "catalog-tagger-export-copies")

api = Api(
    table=DynamoTable(client("dynamodb"), settings.table_name),
    newest=ExportReader(files, copies, "the export", vocabulary, time.monotonic, logger.warning),
    vocabulary=vocabulary,
)
http = HttpSettings.from_environment(os.environ)
app = Resolver(logger.warning, http)
add_routes(app, api)
handler = make_http_handler(app, http)
