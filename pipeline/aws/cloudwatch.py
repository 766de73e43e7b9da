"""Measurements that Amazon CloudWatch keeps of the stack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.aws.errors import translated
from pipeline.errors import Denied

AGE_WITHIN = timedelta(minutes=15)  # chosen by us: CloudWatch is some minutes late
AGE_PERIOD_S = 60  # the finest that Amazon SQS measures


def oldest_message_s(cloudwatch: Any, queue_url: str) -> float | None:
    """Return the age of the queue's oldest message as CloudWatch last measured it, or None if it has no measurement."""
    end = datetime.now(UTC)
    try:
        with translated("CloudWatch"):
            points = cloudwatch.get_metric_statistics(
                Namespace="AWS/SQS",
                MetricName="ApproximateAgeOfOldestMessage",
                Dimensions=[{"Name": "QueueName", "Value": queue_url.rsplit("/", 1)[-1]}],
                StartTime=end - AGE_WITHIN,
                EndTime=end,
                Period=AGE_PERIOD_S,
                Statistics=["Maximum"],
            )["Datapoints"]
    except Denied:  # the age is optional: the queues are shown without it, too
        return None
    newest = max(points, key=lambda point: point["Timestamp"], default=None)
    return None if newest is None else float(newest["Maximum"])
