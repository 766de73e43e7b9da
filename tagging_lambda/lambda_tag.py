"""The deployed tagging function, wired from its environment."""

from tagging_lambda.image.reader import Child, ProcessReader

# Before anything else is imported: the child is a copy of this process as it is now (DECISIONS.md, 134).
child = Child.fork()

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pipeline.aws.clients import client
from pipeline.aws.direct import DirectDynamo, DirectS3
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Files, S3Images
from pipeline.aws.sqs import SqsDeliveries
from pipeline.deliveries import QueueName
from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.settings import TaggingSettings
from pipeline.telemetry import make_logger, make_metrics
from tagging_lambda.classification_cache import ClassificationCache
from tagging_lambda.classify import Classifier
from tagging_lambda.disposition import BackOff
from tagging_lambda.model_card import ModelCard
from tagging_lambda.model_store import fetch_model
from tagging_lambda.reconcile import Reconciler
from tagging_lambda.tag_messages import Redeliverer, make_handler
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tagging_lambda.words.head_store import fetch_heads
from tagging_lambda.words.heads import Head
from tagging_lambda.words.projection import STARTER

settings = TaggingSettings.from_environment(os.environ)
s3, sqs = client("s3"), client("sqs")
model_dir = settings.model_dir
if settings.model_uri:
    model_dir = fetch_model(
        settings.model_uri, partial(S3Files, s3), Path(tempfile.gettempdir()) / "catalog-tagger-model"
    )
heads: tuple[Head, ...] = (Head.load(STARTER),)
if settings.heads_uri:  # the shop's own come first: they win where both are certain
    own = fetch_heads(settings.heads_uri, partial(S3Files, s3), Path(tempfile.gettempdir()) / "catalog-tagger-heads")
    heads = (*own, *heads)
reader = ProcessReader(ModelCard.load(model_dir / CARD_NAME).input, child=child)
# AWS Lambda has verified the package, and a fetched model was verified when it arrived.
classifier = Classifier.load(model_dir / CARD_NAME, is_checked=True)
logger = make_logger("tag")
handler = make_handler(
    Reconciler(
        images=S3Images(DirectS3.of(s3)),
        table=DynamoTable(DirectDynamo.of(client("dynamodb")), settings.table_name),
        cache=ClassificationCache(reader, classifier),
        mapper=KeywordMapper.of(Vocabulary.load(), [model_class.id for model_class in classifier.card.classes], heads),
        products=settings.product_pattern,
        clock=lambda: datetime.now(UTC),
        pool=ThreadPoolExecutor(settings.downloads),
        log=logger.warning,
    ),
    Redeliverer(
        {QueueName.of_url(q.url): SqsDeliveries(sqs, q.url, q.dead_letter_url) for q in settings.queues},
        BackOff(settings.longest_wait_s),
        logger,
    ),
    logger,
    make_metrics("tag", settings.metrics_namespace),
)
