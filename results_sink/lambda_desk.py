"""The function behind the page's review and status, as it is deployed: photos, ratings, and how tagging is."""

import os

from pipeline.aws.clients import client, presigning_client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.photo_addresses import S3Addresses
from pipeline.aws.ratings import DynamoRatings
from pipeline.aws.sqs import SqsQueue
from pipeline.clock import utc_now
from pipeline.front_settings import DeskSettings
from pipeline.http.resolver import HttpSettings, Resolver, make_http_handler
from pipeline.keywords import Vocabulary
from pipeline.telemetry import make_logger
from results_sink.http import photos, ratings, status

_settings = DeskSettings.from_environment(os.environ)
_dynamodb, _sqs = client("dynamodb"), client("sqs")
_table = DynamoTable(_dynamodb, _settings.table_name)
_addresses = S3Addresses(
    presigning_client(on_embedded_aws=_settings.on_embedded_aws),
    {bucket: presigning_client(region=region) for bucket, region in _settings.regions.items()},
)
_ratings = DynamoRatings(_dynamodb, _settings.ratings_table_name)
_queues = [
    status.TaggingQueue(name, SqsQueue(_sqs, queue.url), SqsQueue(_sqs, queue.dead_letter_url))
    for name, queue in _settings.queues
]
_http = HttpSettings.from_environment(os.environ)
_app = Resolver(make_logger("desk").error, _http)
photos.add_routes(_app, photos.CataloguePhotos(_addresses, _table, _settings.buckets))
ratings.add_routes(_app, ratings.KeywordRatingStore(_ratings, _table, Vocabulary.load(), _settings.buckets, utc_now))
status.add_routes(_app, status.TaggingStatus(_table, _queues, utc_now))
handler = make_http_handler(_app, _http)
