"""The deployed function that classifies on demand, wired from its environment."""

from tagging_lambda.image.reader import Child

# Before anything else is imported: the child is a copy of this process as it is now (DECISIONS.md, 134).
_child = Child.fork()

import os
import tempfile
from functools import partial
from pathlib import Path

from pipeline.aws.clients import client
from pipeline.aws.s3 import S3Files, S3Images
from pipeline.front_settings import MODELS_FOLDER, names_in, yes_or_no
from pipeline.http.resolver import HttpSettings, Resolver, make_http_handler
from pipeline.keywords import Vocabulary
from pipeline.settings import TASK_ROOT, TASK_ROOT_VARIABLE
from pipeline.telemetry import make_logger
from tagging_lambda.classify_route import PhotoClassifier, PhotoSource, add_routes
from tagging_lambda.installed_models import find_models
from tagging_lambda.link import LinkFetcher
from tagging_lambda.model_store import fetch_model
from tagging_lambda.words.head_store import fetch_heads
from tagging_lambda.words.heads import Head, vocabulary_with
from tagging_lambda.words.projection import STARTER

_s3 = client("s3")
_task_root, _scratch = Path(os.environ.get(TASK_ROOT_VARIABLE, TASK_ROOT)), Path(tempfile.gettempdir())
_model_dir = Path(os.environ.get("MODEL_DIR") or _task_root / "model")
if os.environ.get("MODEL_URI"):
    _model_dir = fetch_model(os.environ["MODEL_URI"], partial(S3Files, _s3), _scratch / "catalog-tagger-model")
_heads: tuple[Head, ...] = (Head.load(STARTER),)
if os.environ.get("HEADS_URI"):
    _own = fetch_heads(os.environ["HEADS_URI"], partial(S3Files, _s3), _scratch / "catalog-tagger-heads")
    _heads = (*_own, *_heads)
_vocabulary = vocabulary_with(Vocabulary.load(), _heads)
_models_dir = Path(os.environ.get("MODELS_DIR") or _task_root / MODELS_FOLDER)
_models = find_models(_model_dir, _models_dir, _vocabulary, _heads, _child)
_models.named(_models.names[0])  # at start, so that no caller waits for it
_links = LinkFetcher(allows_http=yes_or_no(os.environ, "HTTP_LINKS"))
_source = PhotoSource(_links, S3Images(_s3), names_in(os.environ, "CATALOGUE_BUCKETS"))
_http = HttpSettings.from_environment(os.environ)
_app = Resolver(make_logger("classify").error, _http)
add_routes(_app, PhotoClassifier(_models, _source, _vocabulary))
handler = make_http_handler(_app, _http)
