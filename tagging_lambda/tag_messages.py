"""The tagging function: takes a batch of messages and returns those that the queue must redeliver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.deliveries import Delivery, QueueName
from pipeline.errors import BadMessage, DeployerError, NotBegun, RetryLater, UnreadableRecord
from pipeline.messages import TagImage, decode
from pipeline.telemetry import Metric
from tagging_lambda.disposition import BackOff, DeadLetter, Disposition, Retry, disposition_of
from tagging_lambda.reconcile import Outcome, OutcomeOrError, Reconciler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from pipeline.images import ImageRef
    from pipeline.ports import Deliveries

    Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]

_METRICS = {
    Outcome.TAGGED: Metric.TAGGED,
    Outcome.REJECTED: Metric.REJECTED,
    Outcome.GONE: Metric.GONE,
    Outcome.UNCHANGED: Metric.UNCHANGED,
}


@dataclass(frozen=True, slots=True)
class _DecodedDelivery:
    """A delivery and its messages, or why it cannot be read."""

    delivery: Delivery
    decoded: tuple[TagImage, ...] | BadMessage

    @classmethod
    def of(cls, delivery: Delivery) -> _DecodedDelivery:
        try:
            return cls(delivery, decode(delivery.body))
        except BadMessage as error:
            return cls(delivery, error)

    @property
    def messages(self) -> tuple[TagImage, ...]:
        return () if isinstance(self.decoded, BadMessage) else self.decoded

    def disposition(self, outcomes: Mapping[ImageRef, OutcomeOrError], back_off: BackOff) -> Disposition:
        if isinstance(self.decoded, BadMessage):
            return disposition_of([self.decoded], self.delivery.receives, back_off)
        return disposition_of([outcomes[message.image] for message in self.decoded], self.delivery.receives, back_off)


@dataclass(frozen=True)
class Redeliverer:
    """Returns unfinished messages to their queues. A foreign queue redelivers when its visibility timeout ends."""

    queues: Mapping[QueueName, Deliveries]
    back_off: BackOff
    logger: Logger

    def redeliver(
        self, deliveries: Iterable[_DecodedDelivery], outcomes: Mapping[ImageRef, OutcomeOrError]
    ) -> dict[str, Disposition]:
        """Send dead letters and set waits, and return the disposition of each message by its id."""
        dispositions: dict[str, Disposition] = {}
        waits_s: dict[QueueName, dict[str, int]] = {}
        for decoded in deliveries:
            delivery = decoded.delivery
            disposition = self._dead_letter(decoded, decoded.disposition(outcomes, self.back_off))
            dispositions[delivery.id] = disposition
            if isinstance(disposition, Retry) and delivery.queue in self.queues:
                waits_s.setdefault(delivery.queue, {})[delivery.receipt] = disposition.wait_s
        for queue, waits in waits_s.items():
            try:
                self.queues[queue].postpone(waits)
            except Exception:
                self.logger.exception("waits could not be set", queue=queue.name)
        return dispositions

    def _dead_letter(self, decoded: _DecodedDelivery, disposition: Disposition) -> Disposition:
        """Send a dead letter and return the disposition. If sending fails, or there is no queue, that is a retry."""
        # The function sends dead letters itself, because the queue's limit counts throttling too (DECISIONS.md, 11).
        if not isinstance(disposition, DeadLetter):
            return disposition
        delivery = decoded.delivery
        retry = Retry(self.back_off.wait_s(delivery.receives))
        if delivery.queue not in self.queues:
            return retry
        run_id = decoded.messages[0].run_id if decoded.messages else None
        try:
            self.queues[delivery.queue].bury(delivery.body, disposition.error, run_id)
        except Exception:
            self.logger.exception("a dead letter could not be sent", queue=delivery.queue.name)
            return retry
        return disposition


def make_handler(reconciler: Reconciler, redeliverer: Redeliverer, logger: Logger, metrics: Metrics) -> Handler:
    """Return the function's handler: an SQS batch in, a partial batch response out."""

    def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        deliveries = [_DecodedDelivery.of(Delivery.of_event(record)) for record in event["Records"]]
        outcomes = reconciler.reconcile(
            [message for decoded in deliveries for message in decoded.messages],
            lambda: context.get_remaining_time_in_millis() / 1000,
            frozenset(m.image for decoded in deliveries if decoded.delivery.is_redelivery for m in decoded.messages),
        )
        dispositions = redeliverer.redeliver(deliveries, outcomes)
        _report_images(outcomes, logger, metrics)
        _report_messages(deliveries, dispositions, logger, metrics)
        for is_known in reconciler.cache.take_recognitions():
            metrics.add_metric(Metric.CONTENTS_RECOGNISED, "Count", int(is_known))
        if any(decoded.decoded for decoded in deliveries):  # S3's test event names no image, so nothing was counted
            metrics.flush_metrics()
        return _partial_response(dispositions)

    return handle


def _partial_response(dispositions: Mapping[str, Disposition]) -> dict[str, Any]:
    """Return AWS Lambda's answer for a batch of SQS, which names the messages that the queue must keep."""
    # A batch in which every message is retried is not an error of the function, so nothing is raised.
    retried = (message for message, disposition in dispositions.items() if isinstance(disposition, Retry))
    return {"batchItemFailures": [{"itemIdentifier": message} for message in retried]}


def _report_images(outcomes: Mapping[ImageRef, OutcomeOrError], logger: Logger, metrics: Metrics) -> None:
    for image, outcome in outcomes.items():
        match outcome:
            case Outcome():
                metrics.add_metric(_METRICS[outcome], "Count", 1)
            case NotBegun():
                metrics.add_metric(Metric.NOT_BEGUN, "Count", 1)
            case RetryLater():
                metrics.add_metric(Metric.RETRIED, "Count", 1)
                logger.info("retried", image=str(image), cause=str(outcome))
            case DeployerError():
                metrics.add_metric(Metric.RETRIED, "Count", 1)
                logger.error("the function is not set up for this", image=str(image), cause=str(outcome))
            case UnreadableRecord():
                metrics.add_metric(Metric.UNREADABLE, "Count", 1)
                logger.error("the record cannot be read", image=str(image), cause=str(outcome))
            case _:
                metrics.add_metric(Metric.BUGS, "Count", 1)
                logger.error("a bug", image=str(image), exc_info=outcome)


def _report_messages(
    deliveries: Sequence[_DecodedDelivery], dispositions: Mapping[str, Disposition], logger: Logger, metrics: Metrics
) -> None:
    for decoded in deliveries:
        if isinstance(decoded.decoded, BadMessage):
            metrics.add_metric(Metric.BAD_MESSAGES, "Count", 1)
        delivery = decoded.delivery
        disposition = dispositions[delivery.id]
        if isinstance(disposition, DeadLetter):
            metrics.add_metric(Metric.DEAD_LETTERED, "Count", 1)
            logger.error("dead letter", message_id=delivery.id, queue=delivery.queue.name, cause=disposition.error)
