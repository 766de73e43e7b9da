"""The function that makes thumbnails and compares photos, as it is deployed: wired from its environment."""

import os

from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Files, S3Images
from pipeline.front_settings import names_in
from pipeline.http.resolver import HttpSettings, Resolver, make_http_handler
from pipeline.images import BucketPrefix
from pipeline.settings import required
from pipeline.telemetry import make_logger
from tagging_lambda import same_photos, thumbnails
from tagging_lambda.image.decode import encode_webp
from tagging_lambda.image.same_photo import PhotoPrint
from tagging_lambda.image.signals import FACTS_SIDE_PIXELS
from tagging_lambda.image.small_photo import small_photo_reader
from tagging_lambda.recorded_photos import RecordedPhotos

_s3 = client("s3")
_photos = RecordedPhotos(
    DynamoTable(client("dynamodb"), required(os.environ, "TABLE_NAME")),
    S3Images(_s3),
    frozenset(names_in(os.environ, "CATALOGUE_BUCKETS")),
)
_readers = {size: small_photo_reader(int(size)) for size in thumbnails.ThumbnailSize}
_print_reader = small_photo_reader(FACTS_SIDE_PIXELS)


def _webp(data: bytes, size: thumbnails.ThumbnailSize) -> bytes:
    return encode_webp(_readers[size].read(data).levels, thumbnails.QUALITY)


def _print_of(data: bytes) -> PhotoPrint:
    return PhotoPrint.of(_print_reader.read(data).levels)


_http = HttpSettings.from_environment(os.environ)
_app = Resolver(make_logger("picture").error, _http)
_kept = S3Files(_s3, BucketPrefix(required(os.environ, "THUMBNAILS_BUCKET")))
thumbnails.add_routes(_app, thumbnails.Thumbnails(_photos, _kept, _webp))
same_photos.add_routes(_app, same_photos.PhotoComparison(_photos, _print_of))
handler = make_http_handler(_app, _http)
