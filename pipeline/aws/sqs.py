"""Messages in Amazon SQS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.aws.errors import translated
from pipeline.ports import QueueDepth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.messages import TagImage


@dataclass(frozen=True)
class SqsQueue:
    """A queue in SQS, as ``MessageQueue`` promises."""

    sqs: Any
    url: str

    def send(self, messages: Sequence[TagImage]) -> tuple[TagImage, ...]:
        """Send the messages by one SendMessageBatch."""
        entries = [{"Id": str(at), "MessageBody": message.encode()} for at, message in enumerate(messages)]
        with translated(self.url):
            answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        return tuple(messages[int(failed["Id"])] for failed in answer.get("Failed", ()))

    def depth(self) -> QueueDepth:
        """Return the counts by GetQueueAttributes; messages that are delayed wait too."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        with translated(self.url):
            counts = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        visible, delayed, in_flight = (int(counts[name]) for name in names)
        return QueueDepth(waiting=visible + delayed, in_flight=in_flight)
