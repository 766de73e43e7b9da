"""The export function as it is deployed: wired from its environment, started by a schedule."""

import os
import tempfile
from pathlib import Path
from uuid import uuid4

from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Files
from pipeline.keywords import Vocabulary
from pipeline.settings import ExportSettings
from pipeline.telemetry import make_logger, make_metrics
from results_sink.connect import folder_of
from results_sink.export.export import Exporter, Work, make_handler
from results_sink.export.fold import Folding
from results_sink.export.segments import SegmentedExport
from results_sink.search.snapshot import Downloaded

settings = ExportSettings.from_environment(os.environ)

work = Path(tempfile.gettempdir()) / "catalog-tagger-export"
files = S3Files(client("s3"), folder_of(settings.bucket, settings.prefix))
table = DynamoTable(client("dynamodb"), settings.table_name)
exporter = Exporter(
    table=table,
    files=files,
    vocabulary=Vocabulary.load(),
    new_id=lambda: uuid4().hex[:8],
    work=work,
)

segmented = SegmentedExport(exporter, table, settings.segments)
handler = make_handler(
    work,
    Work(
        export=exporter.export,
        fold=Folding(exporter, Downloaded(files, "the export", work / "copies")).fold_all,
        plan=segmented.plan_events,
        step=segmented.run,
    ),
    make_logger("export"),
    make_metrics("export", settings.metrics_namespace),
)
