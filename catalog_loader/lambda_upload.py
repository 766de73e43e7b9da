"""The function that takes uploads, as it is deployed: wired from its environment."""

import os
import secrets

from catalog_loader.upload import Uploads, add_routes
from pipeline.aws.clients import client, presigning_client
from pipeline.aws.photo_addresses import S3Addresses
from pipeline.aws.s3 import S3Images
from pipeline.aws.watchers import DynamoWatchers
from pipeline.clock import utc_now
from pipeline.front_settings import UploadSettings
from pipeline.http.resolver import HttpSettings, Resolver, make_http_handler
from pipeline.telemetry import make_logger

_settings = UploadSettings.from_environment(os.environ)
_uploads = Uploads(
    bucket=_settings.bucket,
    addresses=S3Addresses(presigning_client(on_embedded_aws=_settings.on_embedded_aws)),
    images=S3Images(client("s3")),
    watchers=DynamoWatchers(client("dynamodb"), _settings.watchers_table_name),
    clock=utc_now,
    random=secrets.token_hex,
    minutes=_settings.minutes,
)
_http = HttpSettings.from_environment(os.environ)
_app = Resolver(make_logger("upload").error, _http)
add_routes(_app, _uploads)
handler = make_http_handler(_app, _http)
