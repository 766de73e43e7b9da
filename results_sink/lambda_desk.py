"""The function behind the page's review and status, as it is deployed: photos, ratings, and how tagging is."""

import os

from pipeline.aws.clients import client, presigning_client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.photo_addresses import S3Addresses
from pipeline.aws.ratings import DynamoRatings
from pipeline.aws.sqs import SqsQueue
from pipeline.clock import utc_now
from pipeline.front_settings import bucket_regions, names_in, on_embedded_aws
from pipeline.http.resolver import HttpSettings, Resolver, make_http_handler
from pipeline.keywords import Vocabulary
from pipeline.settings import QueueSettings, required
from pipeline.telemetry import make_logger
from results_sink.http import photos, ratings, status

_buckets = names_in(os.environ, "CATALOGUE_BUCKETS")
_dynamodb, _sqs = client("dynamodb"), client("sqs")
_table = DynamoTable(_dynamodb, required(os.environ, "TABLE_NAME"))
_addresses = S3Addresses(
    presigning_client(on_embedded_aws=on_embedded_aws(os.environ)),
    {bucket: presigning_client(region=region) for bucket, region in bucket_regions(os.environ).items()},
)
_ratings = DynamoRatings(_dynamodb, required(os.environ, "RATINGS_TABLE_NAME"))
_queues = [
    status.TaggingQueue(name.lower(), SqsQueue(_sqs, queue.url), SqsQueue(_sqs, queue.dead_letter_url))
    for name in ("UPLOADS", "BACKFILL")
    for queue in [QueueSettings.from_environment(os.environ, name)]
]
_http = HttpSettings.from_environment(os.environ)
_app = Resolver(make_logger("desk").error, _http)
photos.add_routes(_app, photos.CataloguePhotos(_addresses, _table, _buckets))
ratings.add_routes(_app, ratings.KeywordRatingStore(_ratings, _table, Vocabulary.load(), _buckets, utc_now))
status.add_routes(_app, status.TaggingStatus(_table, _queues, utc_now))
handler = make_http_handler(_app, _http)
