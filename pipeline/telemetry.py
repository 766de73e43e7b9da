"""Telemetry of the deployed functions: the logger, and every metric's name in one place."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import partial

from aws_lambda_powertools import Logger, Metrics

from pipeline.settings import NAMESPACE


class Metric(StrEnum):
    """What is counted, in CloudWatch's embedded metric format."""

    TAGGED = "ImagesTagged"
    REJECTED = "ImagesRejected"
    GONE = "ImagesGone"
    UNCHANGED = "ImagesUnchanged"
    RETRIED = "ImagesSentBack"
    NOT_BEGUN = "ImagesNotBegun"  # too little time was left; nothing has failed
    BUGS = "Bugs"
    CONTENTS_RECOGNISED = "ContentsRecognised"  # 1 or 0 for each file: the average is the hit rate, the sum the hits
    BAD_MESSAGES = "BadMessages"
    DEAD_LETTERED = "MessagesDeadLettered"
    EXPORTED = "ImagesExported"
    UNREADABLE = "UnreadableRecords"  # items of the table that cannot be read as records
    CHANGED = "ImagesChanged"  # recorded in deltas


def make_logger(function: str) -> Logger:
    """Return the structured logger of one deployed function: a line of JSON in ASCII for each entry.

    No file name can end a line or reverse its direction.
    """
    return Logger(service=function, json_serializer=partial(json.dumps, default=str))


def make_metrics(function: str, namespace: str = NAMESPACE) -> Metrics:
    """Return the metrics of one deployed function."""
    return Metrics(namespace=namespace, service=function)
