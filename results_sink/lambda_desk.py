"""The function behind the page's desk, as it is deployed: photos to see, ratings, and how tagging is."""

import os

from pipeline.aws.clients import client, presigning_client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.photo_addresses import S3Addresses
from pipeline.aws.ratings import DynamoRatings
from pipeline.aws.sqs import SqsQueue
from pipeline.clock import utc_now
from pipeline.front_settings import DeskSettings
from pipeline.http_event import make_http_handler
from pipeline.keywords import Vocabulary
from pipeline.telemetry import make_logger
from results_sink.http import overview, photos, rate

_settings = DeskSettings.from_environment(os.environ)
_dynamodb, _sqs = client("dynamodb"), client("sqs")
_addresses = S3Addresses(presigning_client(on_embedded_aws=_settings.on_embedded_aws))
_lines = [
    overview.Line(name, SqsQueue(_sqs, queue.url), SqsQueue(_sqs, queue.dead_letter_url))
    for name, queue in _settings.queues
]
handler = make_http_handler(
    {
        **photos.make_routes(photos.Photos(_addresses, _settings.buckets)),
        **rate.make_routes(
            rate.Rater(
                DynamoRatings(_dynamodb, _settings.ratings_table_name), Vocabulary.load(), _settings.buckets, utc_now
            )
        ),
        **overview.make_routes(overview.Overview(DynamoTable(_dynamodb, _settings.table_name), _lines, utc_now)),
    },
    make_logger("desk").error,
)
