"""The function that S3 Batch Operations calls, as it is deployed: wired from its environment."""

import os

from catalog_loader.batch_job import make_batch_handler
from pipeline.aws.clients import client
from pipeline.aws.sqs import SqsQueue
from pipeline.settings import required

handler = make_batch_handler(SqsQueue(client("sqs"), required(os.environ, "BACKFILL_QUEUE_URL")))
