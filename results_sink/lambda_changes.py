"""The function that records changes as it is deployed: wired from its environment, fed by the table's stream."""

import os
from uuid import uuid4

from pipeline.aws.clients import client
from pipeline.aws.s3 import S3Files
from pipeline.keywords import Vocabulary
from pipeline.settings import ExportSettings
from pipeline.telemetry import make_logger, make_metrics
from results_sink.connect import folder_of
from results_sink.export.changes import Recorder, make_handler

settings = ExportSettings.from_environment(os.environ)

handler = make_handler(
    Recorder(
        files=S3Files(client("s3"), folder_of(settings.bucket, settings.prefix)),
        vocabulary=Vocabulary.load(),
        new_id=lambda: uuid4().hex[:8],
    ),
    make_logger("changes"),
    make_metrics("export", settings.metrics_namespace),
)
