"""The tagging function: a batch of messages in, the messages that come again out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from pipeline.deliveries import Delivery
from pipeline.errors import BadMessage, DeployerError, NotBegun, RetryLater
from pipeline.messages import decode
from pipeline.telemetry import Metric
from tagging_lambda.disposition import BackOff, Dead, Retry, disposition_of
from tagging_lambda.reconcile import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from pipeline.deliveries import Deliveries, QueueName
    from pipeline.images import ImageRef
    from pipeline.messages import TagImage
    from tagging_lambda.disposition import Disposition
    from tagging_lambda.reconcile import OutcomeOrError, Reconciler

    Handler = Callable[[dict[str, Any], LambdaContext], PartialItemFailureResponse]

_METRICS = {
    Outcome.TAGGED: Metric.TAGGED,
    Outcome.REJECTED: Metric.REJECTED,
    Outcome.GONE: Metric.GONE,
    Outcome.UNCHANGED: Metric.UNCHANGED,
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A delivery and what it asks for, or why it cannot be read."""

    delivery: Delivery
    asks: tuple[TagImage, ...] | BadMessage

    @property
    def wanted(self) -> tuple[TagImage, ...]:
        return () if isinstance(self.asks, BadMessage) else self.asks

    def disposition(self, outcomes: Mapping[ImageRef, OutcomeOrError], back_off: BackOff) -> Disposition:
        each = [self.asks] if isinstance(self.asks, BadMessage) else [outcomes[ask.image] for ask in self.asks]
        return disposition_of(each, self.delivery.receives, back_off)


@dataclass(frozen=True)
class Redeliverer:
    """Sends back what was not done. A queue that is none of ours gets its messages when its own time is over."""

    queues: Mapping[QueueName, Deliveries]
    back_off: BackOff
    logger: Logger

    def settled(self, asked: Iterable[_Asked], outcomes: Mapping[ImageRef, OutcomeOrError]) -> dict[str, Disposition]:
        """Return the fate of each message by its id, once its dead letters rest and its waits are set."""
        dispositions: dict[str, Disposition] = {}
        waits_s: dict[QueueName, dict[str, int]] = {}
        for each in asked:
            disposition = self._buried(each, each.disposition(outcomes, self.back_off))
            dispositions[each.delivery.id] = disposition
            if isinstance(disposition, Retry) and each.delivery.queue in self.queues:
                waits_s.setdefault(each.delivery.queue, {})[each.delivery.receipt] = disposition.wait_s
        for queue, waits in waits_s.items():
            try:
                self.queues[queue].postpone(waits)
            except Exception:
                self.logger.exception("waits could not be set", queue=queue.name)
        return dispositions

    def _buried(self, asked: _Asked, disposition: Disposition) -> Disposition:
        """Return the fate again once a dead letter rests; where that fails, or there is no place, it comes again."""
        # DECISIONS.md, 11
        if not isinstance(disposition, Dead):
            return disposition
        delivery = asked.delivery
        again = Retry(self.back_off.wait_s(delivery.receives))
        if delivery.queue not in self.queues:
            return again
        run_id = asked.wanted[0].run_id if asked.wanted else None
        try:
            self.queues[delivery.queue].bury(delivery.body, disposition.error, run_id)
        except Exception:
            self.logger.exception("a dead letter could not be sent", queue=delivery.queue.name)
            return again
        return disposition


def make_handler(tagger: Reconciler, postman: Redeliverer, logger: Logger, metrics: Metrics) -> Handler:
    """Return the function's handler: an SQS batch in, a partial batch answer out."""

    def handle(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
        asked = [_asked(Delivery.of_event(record)) for record in event["Records"]]
        wanted = [ask for each in asked for ask in each.wanted]
        outcomes = tagger.reconcile(wanted, lambda: context.get_remaining_time_in_millis() / 1000)
        dispositions = postman.settled(asked, outcomes)
        _report_images(outcomes, logger, metrics)
        _report_messages(asked, dispositions, logger, metrics)
        for known in tagger.contents.take_recognitions():
            metrics.add_metric(Metric.CONTENTS_RECOGNISED, "Count", int(known))
        if any(each.asks for each in asked):  # S3's test event asks for nothing, and nothing is counted
            metrics.flush_metrics()

        def settle(record: SQSRecord) -> None:
            if isinstance(dispositions[record.message_id], Retry):
                raise RetryLater("the message comes again")

        return process_partial_response(
            event=event,
            record_handler=settle,
            # A batch of which every message comes again is no error of the function: its queue keeps them.
            processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
            context=context,
        )

    return handle


def _asked(delivery: Delivery) -> _Asked:
    try:
        return _Asked(delivery, decode(delivery.body))
    except BadMessage as error:
        return _Asked(delivery, error)


def _report_images(outcomes: Mapping[ImageRef, OutcomeOrError], logger: Logger, metrics: Metrics) -> None:
    for image, outcome in outcomes.items():
        match outcome:
            case Outcome():
                metrics.add_metric(_METRICS[outcome], "Count", 1)
            case NotBegun():
                metrics.add_metric(Metric.NOT_BEGUN, "Count", 1)
            case RetryLater():
                metrics.add_metric(Metric.RETRIED, "Count", 1)
                logger.info("comes again", image=str(image), cause=str(outcome))
            case DeployerError():
                metrics.add_metric(Metric.RETRIED, "Count", 1)
                logger.error("the function is not set up for this", image=str(image), cause=str(outcome))
            case _:
                metrics.add_metric(Metric.BUGS, "Count", 1)
                logger.error("a bug", image=str(image), exc_info=outcome)


def _report_messages(
    asked: Sequence[_Asked], dispositions: Mapping[str, Disposition], logger: Logger, metrics: Metrics
) -> None:
    for each in asked:
        if isinstance(each.asks, BadMessage):
            metrics.add_metric(Metric.BAD_MESSAGES, "Count", 1)
        disposition = dispositions[each.delivery.id]
        if isinstance(disposition, Dead):
            metrics.add_metric(Metric.DEAD_LETTERED, "Count", 1)
            logger.error(
                "dead letter", message_id=each.delivery.id, queue=each.delivery.queue.name, cause=disposition.error
            )
