"""The deployed function that classifies on demand, wired from its environment."""

import os
import tempfile
from functools import partial
from pathlib import Path

from pipeline.aws.clients import client
from pipeline.aws.s3 import S3Files, S3Images
from pipeline.front_settings import ClassifySettings
from pipeline.http.resolver import HttpSettings, Resolver, make_http_handler
from pipeline.keywords import Vocabulary
from pipeline.telemetry import make_logger
from tagging_lambda.classify_once import PhotoClassifier, PhotoSource, add_routes
from tagging_lambda.installed_models import find_models
from tagging_lambda.link import LinkFetcher
from tagging_lambda.model_store import fetch_model
from tagging_lambda.words.head_store import fetch_heads
from tagging_lambda.words.heads import Head, vocabulary_with
from tagging_lambda.words.projection import STARTER

_settings = ClassifySettings.from_environment(os.environ)
_s3 = client("s3")
_model_dir = _settings.model_dir
if _settings.model_uri:
    _model_dir = fetch_model(
        _settings.model_uri, partial(S3Files, _s3), Path(tempfile.gettempdir()) / "catalog-tagger-model"
    )
_heads: tuple[Head, ...] = (Head.load(STARTER),)
if _settings.heads_uri:
    _own = fetch_heads(_settings.heads_uri, partial(S3Files, _s3), Path(tempfile.gettempdir()) / "catalog-tagger-heads")
    _heads = (*_own, *_heads)
_vocabulary = vocabulary_with(Vocabulary.load(), _heads)
_models = find_models(_model_dir, _settings.models_dir, _vocabulary, _heads)
_models.named(_models.names[0])  # at start, so that no caller waits for it
_source = PhotoSource(LinkFetcher(allows_http=_settings.allows_http), S3Images(_s3), _settings.buckets)
_http = HttpSettings.from_environment(os.environ)
_app = Resolver(make_logger("classify").error, _http)
add_routes(_app, PhotoClassifier(_models, _source, _vocabulary))
handler = make_http_handler(_app, _http)
