"""The function that takes uploads, as it is deployed: wired from its environment."""

import os
import secrets

from catalog_loader.upload_route import Uploads, add_routes
from pipeline.aws.clients import client, presigning_client
from pipeline.aws.photo_addresses import S3Addresses
from pipeline.aws.s3 import S3Images
from pipeline.aws.watchers import DynamoWatchers
from pipeline.clock import utc_now
from pipeline.front_settings import on_embedded_aws
from pipeline.http.resolver import HttpSettings, Resolver, make_http_handler
from pipeline.settings import required, whole_number
from pipeline.telemetry import make_logger

_uploads = Uploads(
    bucket=required(os.environ, "IMAGES_BUCKET"),
    addresses=S3Addresses(presigning_client(on_embedded_aws=on_embedded_aws(os.environ))),
    images=S3Images(client("s3")),
    watchers=DynamoWatchers(client("dynamodb"), required(os.environ, "WATCHERS_TABLE_NAME")),
    clock=utc_now,
    random=secrets.token_hex,
    minutes=whole_number(os.environ, "UPLOAD_MINUTES", default=10, lowest=1, highest=60),
)
_http = HttpSettings.from_environment(os.environ)
_app = Resolver(make_logger("upload").error, _http)
add_routes(_app, _uploads)
handler = make_http_handler(_app, _http)
